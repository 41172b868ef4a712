/* lock.c - see lock.h. */
#include "hub/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/folders.h"

#define POLL_MS 100
#define TELL_S 10.0

/* 0, or the errno. EWOULDBLOCK: somebody holds it. */
static int try_flock(int fd)
{
    while (flock(fd, LOCK_EX | LOCK_NB) != 0)
        if (errno != EINTR) return errno;
    return 0;
}

/* Is what we locked still what the path names? Whoever held it may have unlinked it while we waited. */
static bool same_file(int fd, const char *path)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* A second open file must not get the lock that the first one holds. */
static bool has_effect(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return false;
    bool refused = try_flock(fd) == EWOULDBLOCK;
    close(fd);
    return refused;
}

static sdw_status open_file(const char *path, int *ret_fd, sdw_error *err)
{
    sdw_status s = sdw_hub_make_parents(path, err);
    if (s != SDW_OK) return s;
    *ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0664);
    if (*ret_fd >= 0) return SDW_OK;
    return sdw_fail(err, SDW_IO, "%s: cannot open the lock file: %s", path, strerror(errno));
}

/* One try. *ret_fd stays -1 where the lock is held by another or its file was replaced under us. */
static sdw_status attempt(const char *path, int *ret_fd, bool *ret_void, sdw_error *err)
{
    int fd = -1;
    sdw_status s = open_file(path, &fd, err);
    if (s != SDW_OK) return s;
    int error = try_flock(fd);
    *ret_void = error == ENOSYS || error == EOPNOTSUPP || error == ENOLCK; /* a file system without locks */
    if (error == 0 && !same_file(fd, path)) error = EWOULDBLOCK;
    if (error == 0 || *ret_void) {
        *ret_fd = fd;
        return SDW_OK;
    }
    close(fd);
    return error == EWOULDBLOCK ? SDW_OK : sdw_fail(err, SDW_IO, "%s: cannot lock: %s", path, strerror(error));
}

static sdw_status take(const char *path, const char *what, const sdw_hub_hooks *hooks, bool wait, sdw_hub_lock *ret,
                       sdw_error *err)
{
    double told = sdw_hub_now();
    int fd = -1;
    bool is_void = false;
    for (;;) {
        sdw_status s = attempt(path, &fd, &is_void, err);
        if (s != SDW_OK) return s;
        if (fd >= 0) break;
        if (!wait) return sdw_fail(err, SDW_BUSY, "%s: in use by another process (lock %s)", what, path);
        if (sdw_hub_cancelled(hooks)) return sdw_fail(err, SDW_CANCELLED, "%s: stopped while waiting for another download", what);
        if (hooks && hooks->note && sdw_hub_now() - told >= TELL_S) {
            char sentence[256];
            snprintf(sentence, sizeof sentence, "%.180s: waiting for another process that fetches it", what);
            hooks->note(hooks->ctx, sentence);
            told = sdw_hub_now();
        }
        sdw_hub_wait(hooks, POLL_MS);
    }
    *ret = (sdw_hub_lock){ .fd = fd, .effective = !is_void && has_effect(path) };
    return SDW_OK;
}

sdw_status sdw_hub_lock_take(const char *path, const char *what, const sdw_hub_hooks *hooks, sdw_hub_lock *ret,
                             sdw_error *err)
{
    return take(path, what, hooks, true, ret, err);
}

sdw_status sdw_hub_lock_try(const char *path, const char *what, sdw_hub_lock *ret, sdw_error *err)
{
    return take(path, what, NULL, false, ret, err);
}

void sdw_hub_lock_release(sdw_hub_lock *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
}
