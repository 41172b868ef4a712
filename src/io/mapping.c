/* mapping.c - a whole file, read-only in memory. */
#include "io/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static sdw_status map(int fd, const char *path, sdw_mapping *ret, sdw_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return sdw_fail(err, SDW_IO, "%s: cannot stat: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode)) return sdw_fail(err, SDW_FORMAT, "%s: is a folder, want a file", path);
    if (!S_ISREG(st.st_mode)) return sdw_fail(err, SDW_FORMAT, "%s: is not a regular file", path);
    if (st.st_size == 0) return sdw_fail(err, SDW_FORMAT, "%s: is empty (0 bytes), want a .safetensors file", path);
    if ((uintmax_t)st.st_size > SIZE_MAX)
        return sdw_fail(err, SDW_LIMIT, "%s: %jd bytes are more than this machine can map", path, (intmax_t)st.st_size);
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return sdw_fail(err, errno == ENOMEM ? SDW_NO_MEMORY : SDW_IO, "%s: cannot map %jd bytes: %s", path,
                        (intmax_t)st.st_size, strerror(errno));
    *ret = (sdw_mapping){ .data = data, .size = (size_t)st.st_size };
    return SDW_OK;
}

sdw_status sdw_mapping_open(const char *path, sdw_mapping *ret, sdw_error *err)
{
    /* O_NONBLOCK: opening a FIFO must not wait for a writer; it changes nothing for regular files. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return sdw_fail(err, errno == ENOENT || errno == ENOTDIR ? SDW_NOT_FOUND : SDW_IO, "%s: cannot open: %s", path,
                        strerror(errno));
    sdw_status s = map(fd, path, ret, err);
    close(fd); /* the mapping keeps the file */
    return s;
}

void sdw_mapping_release(const void *data, size_t bytes)
{
    if (bytes == 0) return;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)data / page * page;
    uintptr_t to = ((uintptr_t)data + bytes + page - 1) / page * page;
    /* A refusal costs memory, not correctness. */
    (void)madvise((void *)from, to - from, MADV_DONTNEED);
}

void sdw_mapping_close(sdw_mapping *m)
{
    if (m->data) munmap((void *)(uintptr_t)m->data, m->size);
    *m = (sdw_mapping){ 0 };
}
