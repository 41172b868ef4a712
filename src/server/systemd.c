/* systemd.c - see systemd.h. */
#include "server/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/status.h"


#define FIRST_FD 3             /* where inherited sockets begin */
#define STATUS_S 1.0           /* between two texts of progress */
#define LOADING_S 30           /* asked for while a model loads, again and again */
#define BUSY_SHARE 0.05        /* of one processor: less than that is no work */

static bool parse_number(const char *text, unsigned long long *ret)
{
    char *end;
    if (!text || *text < '0' || *text > '9') return false;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/* A variable that must name this process, or be absent where `optional`. */
static bool for_us(const char *name, bool optional)
{
    unsigned long long pid;
    const char *text = getenv(name);
    if (!text) return optional;
    return parse_number(text, &pid) && pid == (unsigned long long)getpid();
}

static sdw_status read_sockets(sdw_systemd *s, sdw_error *err)
{
    unsigned long long count = 0;
    const char *text = getenv("LISTEN_FDS");
    if (!text || !for_us("LISTEN_PID", false)) return SDW_OK;
    if (!parse_number(text, &count)) return sdw_fail(err, SDW_UNSUPPORTED, "LISTEN_FDS: \"%.40s\", want a number", text);
    if (count == 0) return SDW_OK;
    if (count > 1) return sdw_fail(err, SDW_UNSUPPORTED, "LISTEN_FDS: %llu inherited sockets, want exactly 1", count);
    if (fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) != 0) return sdw_fail(err, SDW_UNSUPPORTED, "LISTEN_FDS: descriptor %d: %s", FIRST_FD, strerror(errno));
    s->listen_fd = FIRST_FD;
    return SDW_OK;
}

static sdw_status read_address(sdw_systemd *s, sdw_error *err)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || !*path) return SDW_OK;
    size_t size = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || size >= sizeof s->to.sun_path)
        return sdw_fail(err, SDW_UNSUPPORTED, "NOTIFY_SOCKET: \"%.120s\", want a path or @name of at most %zu bytes", path, sizeof s->to.sun_path - 1);
    s->to.sun_family = AF_UNIX;
    memcpy(s->to.sun_path, path, size);
    if (path[0] == '@') s->to.sun_path[0] = '\0';
    s->to_size = (unsigned)(offsetof(struct sockaddr_un, sun_path) + size + (path[0] == '/'));
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd >= 0) return SDW_OK;
    s->to_size = 0;
    return sdw_fail(err, SDW_IO, "cannot make a socket: %s", strerror(errno));
}

sdw_status sdw_systemd_open(sdw_systemd *s, sdw_error *err)
{
    static const char *const names[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES" };
    unsigned long long micro;
    *s = (sdw_systemd){ .fd = -1 };
    sdw_status status = read_sockets(s, err);
    if (status == SDW_OK) status = read_address(s, err);
    if (parse_number(getenv("WATCHDOG_USEC"), &micro) && for_us("WATCHDOG_PID", true)) s->watchdog_s = (double)micro * 1e-6;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) unsetenv(names[i]);
    return status;
}

void sdw_systemd_close(sdw_systemd *s)
{
    if (s->to_size > 0) close(s->fd);
    *s = (sdw_systemd){ .fd = -1 };
}

void sdw_systemd_tell(const sdw_systemd *s, const char *lines)
{
    if (s->to_size == 0) return;
    (void)sendto(s->fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&s->to, s->to_size);
}

/* Processor time of the process. One operation of a large model may take minutes on a slow machine, so steps cannot be
 * waited for; but an engine that works burns time, and one that hangs does not. */
static double cpu_seconds(void)
{
    struct rusage use;
    if (getrusage(RUSAGE_SELF, &use) != 0) return 0;
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

static void sign_of_life(sdw_systemd *s, const sdw_worker_state *state, double now)
{
    double interval = s->watchdog_s / 2, cpu = cpu_seconds();
    bool busy = state->phase == SDW_WORKER_BUSY;
    bool works = cpu - s->cpu_s >= interval * BUSY_SHARE;
    if (!busy || works || s->next_life == 0) sdw_systemd_tell(s, "WATCHDOG=1");
    s->cpu_s = cpu;
    s->next_life = now + interval;
}

static void tell_status(sdw_systemd *s, const sdw_worker_state *state, double now)
{
    char text[400];
    s->next_status = now + STATUS_S;
    if (state->phase == SDW_WORKER_LOADING) {
        int percent = state->layers_total > 0 ? state->layers_loaded * 100 / state->layers_total : 0;
        snprintf(text, sizeof text, "STATUS=Loading %s %d%%\nEXTEND_TIMEOUT_USEC=%d000000", state->model_id, percent, LOADING_S);
    } else {
        snprintf(text, sizeof text, "STATUS=Model %s, %d running, %d queued", state->model_id, state->running, state->queued);
    }
    sdw_systemd_tell(s, text);
}

void sdw_systemd_look(sdw_systemd *s, const sdw_worker_state *state, double now)
{
    if (s->to_size == 0) return;
    bool loaded = state->phase == SDW_WORKER_IDLE || state->phase == SDW_WORKER_BUSY;
    if (loaded && !s->ready) {
        s->ready = true;
        s->next_status = 0;
        sdw_systemd_tell(s, "READY=1");
    }
    if (now >= s->next_status) tell_status(s, state, now);
    if (s->watchdog_s > 0 && now >= s->next_life) sign_of_life(s, state, now);
}

void sdw_systemd_stopping(const sdw_systemd *s, double seconds)
{
    char text[120];
    snprintf(text, sizeof text, "STOPPING=1\nSTATUS=Stopping\nEXTEND_TIMEOUT_USEC=%.0f", (seconds + 5) * 1e6);
    sdw_systemd_tell(s, text);
}
