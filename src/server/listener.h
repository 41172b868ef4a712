/* listener.h - the socket that clients connect to: bound by us or inherited. */
#ifndef SDW_SERVER_LISTENER_H
#define SDW_SERVER_LISTENER_H

#include <stdbool.h>
#include <sys/socket.h>

#include "core/status.h"

typedef struct sdw_listener {
    int fd;             /* owned */
    int port;
    char address[64];   /* as in a URL: "127.0.0.1", "[::1]" */
    bool loopback;      /* only this machine reaches it */
} sdw_listener;

/* bind_addr: a numeric address or "localhost"; port 0 = a free one. INVALID, or IO with the system's reason. */
sdw_status sdw_listener_open(const char *bind_addr, int port, sdw_listener *ret, sdw_error *err);
/* Takes over a descriptor, also on failure. INVALID if it is no listening TCP socket. */
sdw_status sdw_listener_adopt(int fd, sdw_listener *ret, sdw_error *err);

/* Text of a peer's address without the port; whether it is this machine. */
#define SDW_PEER_SIZE 46
bool sdw_address_text(const struct sockaddr *a, char ret[SDW_PEER_SIZE]);
bool sdw_address_is_loopback(const struct sockaddr *a);

#endif
