/* main.c - sdw-fake: `sdw serve` over the executor without weights. Same options, same files of src/cli. SIGUSR1 lets
 * go on what the executor holds; if that is nothing yet, what it holds next. */
#include <pthread.h>
#include <signal.h>

#include "cli/cli.h"
#include "cli/serve_run.h"
#include "fake/fake.h"

static void *release_on_signal(void *ctx)
{
    sigset_t set;
    int number;
    (void)ctx;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    while (sigwait(&set, &number) == 0) {
        fake_wait_held(); /* who sends the signal knows that it is about to be so */
        fake_release();
    }
    return NULL;
}

int main(int argc, char **argv)
{
    sigset_t set;
    pthread_t thread;
    sdw_error err = { 0 };
    sdw_cli_options o = { .command = "serve" };
    signal(SIGPIPE, SIG_IGN); /* both as in cli/main.c */
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM); /* the main thread waits for these, as in the real program */
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread, so that all inherit it */
    if (pthread_create(&thread, NULL, release_on_signal, NULL) != 0) return 1;
    pthread_detach(thread);
    sdw_serve_options(&o);
    if (sdw_cli_parse(&o, argc, argv, &err) != SDW_OK) return sdw_cli_fail(&err);
    return sdw_serve_main(&o, &fake_executor);
}
