/* systemd.h - what a service manager and a service tell each other (sd_notify, watchdog, socket activation), without
 * its library. Everything is off where the manager's variables are not set. One thread. */
#ifndef SDW_SERVER_SYSTEMD_H
#define SDW_SERVER_SYSTEMD_H

#include <sys/un.h>

#include "sdw/worker.h"

typedef struct sdw_systemd {
    int fd;                     /* of messages */
    struct sockaddr_un to;
    unsigned to_size;           /* 0 = nobody listens */
    int listen_fd;              /* inherited listening socket, the taker's to close; 0 = none */
    double watchdog_s;          /* the manager wants a sign of life in this time; 0 = none */
    double next_life, next_status, cpu_s;
    bool ready;
} sdw_systemd;

/* Reads the variables and takes them out of the environment, so that no child inherits them: call it before threads
 * are made. UNSUPPORTED: more than one inherited socket, or a value that cannot be. */
sdw_status sdw_systemd_open(sdw_systemd *s, sdw_error *err);
void sdw_systemd_close(sdw_systemd *s); /* accepts a zeroed one */

/* Sends lines such as "READY=1\nSTATUS=..."; never waits, lost if the manager does not take it. */
void sdw_systemd_tell(const sdw_systemd *s, const char *lines);
/* Several times a second: tells loading, ready and signs of life. now: monotonic seconds. */
void sdw_systemd_look(sdw_systemd *s, const sdw_worker_state *state, double now);
/* Stopping takes up to `seconds` more. */
void sdw_systemd_stopping(const sdw_systemd *s, double seconds);

#endif
