/* loop.c - the one thread that touches sockets: it waits for the library's descriptors and for wakes, and lets the
 * library work.
 *
 * The library's own thread is not used: there, each resumed connection costs a system call and news pass through one
 * more thread; with 500 readers of 500 jobs at 10 events a second that was twice the processor time. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/clock.h"
#include "server/impl.h"

/* News that come closer together are dealt with together; the first after a pause goes at once. The library looks at all
 * its sleeping connections whenever one is resumed, and a send that comes alone wakes a reader that sleeps: many streams are
 * worth a longer pause. */
#define NEWS_EVERY_S 0.005
#define NEWS_EVERY_PER_STREAM_S 200e-6
#define NEWS_EVERY_MAX_S 0.1
/* Times that the library may go on with what is ready before the loop looks at wakes again. */
#define RUNS_MAX 8

typedef struct loop_state {
    bool news;          /* somebody woke us */
    double next_news;   /* not before */
    sdw_wakes wakes;
} loop_state;

static int timeout_ms(sdw_server *s, const loop_state *l)
{
    MHD_UNSIGNED_LONG_LONG library;
    int ms = -1;
    if (MHD_get_timeout(s->daemon, &library) == MHD_YES) ms = library > 1000 ? 1000 : (int)library;
    if (!l->news) return ms;
    double left = l->next_news - sdw_clock_monotonic_s();
    int own = left > 0 ? (int)(left * 1e3) + 1 : 0;
    return ms < 0 || own < ms ? own : ms;
}

/* Whether the library has to do something before the next news are taken. */
static bool wait_for_events(sdw_server *s, loop_state *l)
{
    struct epoll_event events[2];
    int count = epoll_wait(s->epoll_fd, events, 2, timeout_ms(s, l));
    bool library = count == 0; /* perhaps its time has come */
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd != sdw_waker_fd(s->waker)) library = true;
        else if (sdw_waker_take_nudge(s->waker, &l->news)) library = true;
    }
    return library;
}

static bool take_news(sdw_server *s, loop_state *l)
{
    double now = sdw_clock_monotonic_s();
    if (!l->news || now < l->next_news) return false;
    l->news = false;
    sdw_waker_take(s->waker, &l->wakes);
    double pause = NEWS_EVERY_S + sdw_conn_wake_all(s, &l->wakes) * NEWS_EVERY_PER_STREAM_S;
    l->next_news = now + (pause < NEWS_EVERY_MAX_S ? pause : NEWS_EVERY_MAX_S);
    return true;
}

static void *loop_main(void *server)
{
    sdw_server *s = server;
    loop_state l = { 0 };
    bool accepts = true;
    MHD_UNSIGNED_LONG_LONG soon;
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    pthread_setname_np(pthread_self(), "sdw-loop");
    while (!atomic_load(&s->loop_stop)) {
        bool work = wait_for_events(s, &l);
        if (accepts && atomic_load(&s->no_more_connections)) {
            s->listener.fd = MHD_quiesce_daemon(s->daemon);
            accepts = false;
        }
        work = take_news(s, &l) || work;
        for (int i = 0; work && i < RUNS_MAX; i++) {
            MHD_run(s->daemon);
            if (MHD_get_timeout(s->daemon, &soon) != MHD_YES || soon > 0) break;
        }
    }
    return NULL;
}

static bool watch(sdw_server *s, int fd, uint32_t how)
{
    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = how, .data.fd = fd }) == 0;
}

sdw_status sdw_loop_start(sdw_server *s, sdw_error *err)
{
    const union MHD_DaemonInfo *library = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    /* Edges: one wake is one event, however long its news lie there. */
    if (s->epoll_fd < 0 || !library || !watch(s, library->epoll_fd, EPOLLIN) || !watch(s, sdw_waker_fd(s->waker), EPOLLIN | EPOLLET))
        return sdw_fail(err, SDW_IO, "cannot wait for connections: error %d", errno);
    if (pthread_create(&s->loop, NULL, loop_main, s) != 0) return sdw_fail(err, SDW_NO_MEMORY, "loop: the system gave no thread");
    s->loop_runs = true;
    return SDW_OK;
}

void sdw_loop_stop(sdw_server *s)
{
    atomic_store(&s->loop_stop, true);
    if (s->loop_runs) {
        sdw_waker_nudge(s->waker);
        pthread_join(s->loop, NULL);
    }
    s->loop_runs = false;
    if (s->epoll_fd >= 0) close(s->epoll_fd);
    s->epoll_fd = -1;
}
