/* state_dir.c - everything is opened relative to folders that were checked when they were opened. */
#include "worker/state_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"

/* Ours if it holds a journal; empty ones may become ours. */
static bool is_ours_or_empty(int fd)
{
    struct stat st;
    if (fstatat(fd, "journal", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) return true;
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d) {
        if (copy >= 0) close(copy);
        return false;
    }
    bool empty = true;
    for (struct dirent *e; (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) empty = false;
    closedir(d);
    return empty;
}

static sdw_status check_folder(int fd, const char *path, bool inner, sdw_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return sdw_fail_errno(err, path, "cannot look at the state folder");
    if (st.st_uid != geteuid())
        return sdw_fail(err, SDW_INVALID, "%s: the state folder belongs to user %ld, want our own, %ld", path, (long)st.st_uid, (long)geteuid());
    if ((st.st_mode & 077) == 0) return SDW_OK;
    if (!inner && !is_ours_or_empty(fd))
        return sdw_fail(err, SDW_INVALID, "%s: the state folder has mode %04o and holds other things, want an empty folder or mode 0700",
                        path, (unsigned)(st.st_mode & 07777));
    return fchmod(fd, 0700) == 0 ? SDW_OK : sdw_fail_errno(err, path, "cannot close the state folder to others");
}

/* Opens a folder, made first if it is missing; never through a link. */
static sdw_status open_folder(int dir, const char *name, const char *path, bool inner, int *ret_fd, sdw_error *err)
{
    if (mkdirat(dir, name, 0700) != 0 && errno != EEXIST) return sdw_fail_errno(err, path, "cannot create the state folder");
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return sdw_fail(err, SDW_INVALID, "%s: the state folder is a link or a file, want a folder", path);
    if (fd < 0) return sdw_fail_errno(err, path, "cannot open the state folder");
    sdw_status s = check_folder(fd, path, inner, err);
    if (s != SDW_OK) close(fd);
    else *ret_fd = fd;
    return s;
}

static long owner_of(int lock)
{
    char text[24] = "";
    ssize_t n = pread(lock, text, sizeof text - 1, 0);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

/* flock belongs to the open file: two opens in one process exclude each other too, and death lets go. */
static sdw_status take_lock(sdw_state_dir *d, sdw_error *err)
{
    char text[24];
    struct stat st;
    int fd = openat(d->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0) return sdw_fail_errno(err, d->path, "cannot open its lock");
    d->lock = fd;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return sdw_fail(err, SDW_INVALID, "%s/lock: is not a file of our own", d->path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return sdw_fail_errno(err, d->path, "cannot lock the state folder");
        return sdw_fail(err, SDW_BUSY, "%s: the state folder is in use by process %ld, want one worker at a time", d->path, owner_of(fd));
    }
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* Only for people; a full disk does not matter here. */
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)n, 0) != n) (void)ftruncate(fd, 0);
    return SDW_OK;
}

/* Half-written files of a process that died. */
static void remove_temporaries(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d) {
        if (copy >= 0) close(copy);
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (n > 9 && strncmp(e->d_name, ".sdw-", 5) == 0 && strcmp(e->d_name + n - 4, ".tmp") == 0) unlinkat(fd, e->d_name, 0);
    }
    closedir(d);
}

static sdw_status open_all(sdw_state_dir *d, sdw_error *err)
{
    sdw_status s = open_folder(AT_FDCWD, d->path, d->path, false, &d->fd, err);
    if (s == SDW_OK) s = take_lock(d, err);
    if (s == SDW_OK) s = open_folder(d->fd, "inputs", d->path, true, &d->inputs, err);
    if (s == SDW_OK) s = open_folder(d->fd, "outputs", d->path, true, &d->outputs, err);
    if (s != SDW_OK) return s;
    remove_temporaries(d->fd);
    remove_temporaries(d->inputs);
    remove_temporaries(d->outputs);
    return SDW_OK;
}

/* "dir/" would make the kernel follow a link at dir. */
static char *without_slashes(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    return sdw_strndup(path, n);
}

sdw_status sdw_state_dir_open(const char *path, const sdw_io *io, sdw_state_dir **ret, sdw_error *err)
{
    if (!*path) return sdw_fail(err, SDW_INVALID, "state folder '': want the path of a folder");
    sdw_state_dir *d = sdw_calloc(1, sizeof *d);
    if (!d) return sdw_fail_memory(err, "state folder", sizeof *d);
    d->fd = d->inputs = d->outputs = d->lock = -1;
    d->io = io ? io : &sdw_io_system;
    d->path = without_slashes(path);
    sdw_status s = d->path ? open_all(d, err) : sdw_fail_memory(err, "path of the state folder", strlen(path) + 1);
    if (s == SDW_OK) *ret = d;
    else sdw_state_dir_close(d);
    return s;
}

void sdw_state_dir_close(sdw_state_dir *d)
{
    if (!d) return;
    int *fds[] = { &d->outputs, &d->inputs, &d->fd, &d->lock };
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (*fds[i] >= 0) close(*fds[i]);
    sdw_free(d->path);
    sdw_free(d);
}
