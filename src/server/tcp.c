/* tcp.c - see tcp.h. In a file of its own: only linux/tcp.h has the whole of struct tcp_info, and it cannot be included
 * together with netinet/tcp.h. */
#include "server/tcp.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

/* Unsent bytes per connection: some previews' worth. */
#define UNSENT_BYTES_MAX (128 << 10)

bool sdw_tcp_look(int fd, sdw_tcp_state *ret)
{
    struct tcp_info info = { 0 };
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
    if (size < offsetof(struct tcp_info, tcpi_notsent_bytes) + sizeof info.tcpi_notsent_bytes) return false;
    *ret = (sdw_tcp_state){ .received = info.tcpi_bytes_received, .acked = info.tcpi_bytes_acked };
    ret->outstanding = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
    return true;
}

void sdw_tcp_prepare(int fd)
{
    int unsent = UNSENT_BYTES_MAX;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}
