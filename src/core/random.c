/* random.c - see random.h. */
#include "core/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

sdw_status sdw_random_bytes(void *dst, size_t size, sdw_error *err)
{
    char *at = dst;
    while (size) {
        ssize_t got = getrandom(at, size < 256 ? size : 256, 0); /* up to 256 bytes come whole */
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return sdw_fail(err, SDW_IO, "random bytes: the operating system gave none: %s", got < 0 ? strerror(errno) : "end of data");
        at += got;
        size -= (size_t)got;
    }
    return SDW_OK;
}
