/* listener.c - see listener.h. */
#include "server/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The kernel cuts it to net.core.somaxconn. */
#define BACKLOG 1024

typedef union address {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
} address;

static bool parse_address(const char *text, int port, address *ret, socklen_t *ret_size)
{
    char plain[SDW_PEER_SIZE];
    size_t size = strlen(text);
    memset(ret, 0, sizeof *ret);
    if (strcmp(text, "localhost") == 0) text = "127.0.0.1";
    if (text[0] == '[' && size > 2 && size < sizeof plain && text[size - 1] == ']') {
        memcpy(plain, text + 1, size - 2);
        plain[size - 2] = '\0';
        text = plain;
    }
    if (inet_pton(AF_INET, text, &ret->four.sin_addr) == 1) {
        ret->four.sin_family = AF_INET;
        ret->four.sin_port = htons((uint16_t)port);
        *ret_size = sizeof ret->four;
        return true;
    }
    if (inet_pton(AF_INET6, text, &ret->six.sin6_addr) != 1) return false;
    ret->six.sin6_family = AF_INET6;
    ret->six.sin6_port = htons((uint16_t)port);
    *ret_size = sizeof ret->six;
    return true;
}

bool sdw_address_text(const struct sockaddr *a, char ret[SDW_PEER_SIZE])
{
    ret[0] = '\0';
    if (a->sa_family == AF_INET)
        return inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)a)->sin_addr, ret, SDW_PEER_SIZE) != NULL;
    if (a->sa_family == AF_INET6)
        return inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, ret, SDW_PEER_SIZE) != NULL;
    return false;
}

bool sdw_address_is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
    if (a->sa_family != AF_INET6) return false;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

/* Fills port, address and loopback from the bound socket. */
static sdw_status describe(sdw_listener *l, sdw_error *err)
{
    address bound;
    socklen_t size = sizeof bound;
    char text[SDW_PEER_SIZE];
    if (getsockname(l->fd, &bound.any, &size) != 0)
        return sdw_fail(err, SDW_IO, "listening socket: %s", strerror(errno));
    if (!sdw_address_text(&bound.any, text))
        return sdw_fail(err, SDW_INVALID, "listening socket: address family %d, want IPv4 or IPv6", bound.any.sa_family);
    bool six = bound.any.sa_family == AF_INET6;
    l->port = ntohs(six ? bound.six.sin6_port : bound.four.sin_port);
    l->loopback = sdw_address_is_loopback(&bound.any);
    snprintf(l->address, sizeof l->address, six ? "[%s]" : "%s", text);
    return SDW_OK;
}

sdw_status sdw_listener_open(const char *bind_addr, int port, sdw_listener *ret, sdw_error *err)
{
    address a;
    socklen_t size;
    int on = 1, off = 0;
    if (port < 0 || port > 65535) return sdw_fail_field(err, SDW_INVALID, "port", "port: %d, want 0 to 65535", port);
    if (!parse_address(bind_addr, port, &a, &size))
        return sdw_fail_field(err, SDW_INVALID, "bind-addr", "bind-addr: \"%s\", want a numeric address or localhost", bind_addr);
    sdw_listener l = { .fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) };
    if (l.fd < 0) return sdw_fail(err, SDW_IO, "cannot make a socket: %s", strerror(errno));
    (void)setsockopt(l.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a.any.sa_family == AF_INET6) (void)setsockopt(l.fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    sdw_status status = SDW_OK;
    if (bind(l.fd, &a.any, size) != 0 || listen(l.fd, BACKLOG) != 0)
        status = sdw_fail(err, SDW_IO, "cannot listen on %s port %d: %s", bind_addr, port, strerror(errno));
    if (status == SDW_OK) status = describe(&l, err);
    if (status == SDW_OK) *ret = l;
    else close(l.fd);
    return status;
}

sdw_status sdw_listener_adopt(int fd, sdw_listener *ret, sdw_error *err)
{
    sdw_listener l = { .fd = fd };
    int listening = 0, flags = fcntl(fd, F_GETFL);
    socklen_t size = sizeof listening;
    sdw_status status = SDW_OK;
    if (flags < 0) return sdw_fail(err, SDW_INVALID, "inherited descriptor %d: %s", fd, strerror(errno));
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || !listening)
        status = sdw_fail(err, SDW_INVALID, "inherited descriptor %d is not a listening socket", fd);
    if (status == SDW_OK) status = describe(&l, err);
    if (status == SDW_OK && (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0))
        status = sdw_fail(err, SDW_IO, "inherited descriptor %d: %s", fd, strerror(errno));
    if (status == SDW_OK) *ret = l;
    else close(fd);
    return status;
}
