/* signals.c - see signals.h. The handler does what is safe in one: an atomic store and a call that is another. */
#include "cli/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static _Atomic(sdw_engine *) engine;
static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    if (!caught) caught = number;
    sdw_engine *e = atomic_load(&engine);
    if (e) sdw_engine_cancel(e);
}

void sdw_cli_catch_signals(void)
{
    struct sigaction act;
    memset(&act, 0, sizeof act);
    act.sa_handler = on_signal;
    act.sa_flags = (int)SA_RESETHAND; /* the second signal has its usual effect */
    sigemptyset(&act.sa_mask);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
}

void sdw_cli_signals_cancel(sdw_engine *e)
{
    atomic_store(&engine, e);
    if (e && caught) sdw_engine_cancel(e);
}

int sdw_cli_signal(void)
{
    return (int)caught;
}
