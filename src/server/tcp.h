/* tcp.h - what the kernel knows of a connection. */
#ifndef SDW_SERVER_TCP_H
#define SDW_SERVER_TCP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sdw_tcp_state {
    uint64_t received, acked; /* bytes: from the peer so far; taken by the peer so far */
    bool outstanding;         /* some that we wrote were not yet taken */
} sdw_tcp_state;

/* false where the system does not tell; then *ret is untouched. */
bool sdw_tcp_look(int fd, sdw_tcp_state *ret);
/* Keeps little unsent in the kernel, so that a slow reader is seen as such. */
void sdw_tcp_prepare(int fd);

#endif
