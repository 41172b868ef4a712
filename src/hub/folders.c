/* folders.c - see folders.h. */
#include "hub/folders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "hub/cache.h"

#define NAMES_MAX 1000000

sdw_status sdw_hub_make_parents(const char *path, sdw_error *err)
{
    char folder[SDW_HUB_PATH_MAX];
    sdw_status s = sdw_hub_path(folder, err, "%s", path);
    if (s != SDW_OK) return s;
    char *last = strrchr(folder, '/');
    if (!last || last == folder) return SDW_OK;
    *last = '\0';
    if (mkdir(folder, 0777) == 0 || errno == EEXIST) return SDW_OK;
    if (errno == ENOENT) { /* from the top down; a folder that another process makes meanwhile is as good */
        for (char *c = folder + 1; (c = strchr(c, '/')); c++) {
            *c = '\0';
            if (mkdir(folder, 0777) != 0 && errno != EEXIST && access(folder, F_OK) != 0) break;
            *c = '/';
        }
        if (mkdir(folder, 0777) == 0 || errno == EEXIST) return SDW_OK;
    }
    return sdw_fail(err, SDW_IO, "%s: cannot make the folder: %s", folder, strerror(errno));
}

static sdw_status write_all(int fd, const char *data, size_t size, const char *path, sdw_error *err)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sdw_fail(err, SDW_IO, "%s: cannot write: %s", path, strerror(errno));
        data += n;
        size -= (size_t)n;
    }
    return SDW_OK;
}

/* Different for every call of every process of this machine; a name that is taken all the same is an error of open. */
static sdw_status temporary_name(const char *path, char ret[SDW_HUB_PATH_MAX], sdw_error *err)
{
    static atomic_uint calls;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return sdw_hub_path(ret, err, "%s.%ld-%lx-%x.tmp", path, (long)getpid(), (unsigned long)now.tv_nsec,
                        atomic_fetch_add(&calls, 1));
}

sdw_status sdw_hub_write_file(const char *path, const void *data, size_t size, sdw_error *err)
{
    char temporary[SDW_HUB_PATH_MAX];
    sdw_status s = sdw_hub_make_parents(path, err);
    if (s == SDW_OK) s = temporary_name(path, temporary, err);
    if (s != SDW_OK) return s;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); /* less the umask; mkstemp's would be private */
    if (fd < 0) return sdw_fail(err, SDW_IO, "%s: cannot create: %s", temporary, strerror(errno));
    s = write_all(fd, data, size, temporary, err);
    if (close(fd) != 0 && s == SDW_OK) s = sdw_fail(err, SDW_IO, "%s: cannot write: %s", temporary, strerror(errno));
    if (s == SDW_OK && rename(temporary, path) != 0)
        s = sdw_fail(err, SDW_IO, "%s: cannot rename to it: %s", path, strerror(errno));
    if (s != SDW_OK) unlink(temporary);
    return s;
}

sdw_status sdw_hub_free_bytes(const char *path, uint64_t *ret, sdw_error *err)
{
    char folder[SDW_HUB_PATH_MAX];
    struct statvfs v;
    sdw_status s = sdw_hub_path(folder, err, "%s", path);
    if (s != SDW_OK) return s;
    while (statvfs(folder, &v) != 0) { /* the nearest folder above that exists */
        char *slash = strrchr(folder, '/');
        if ((errno != ENOENT && errno != ENOTDIR) || !strcmp(folder, "/") || !strcmp(folder, "."))
            return sdw_fail(err, SDW_IO, "%s: cannot ask for free space: %s", folder, strerror(errno));
        if (!slash) snprintf(folder, sizeof folder, ".");
        else slash[slash == folder ? 1 : 0] = '\0';
    }
    *ret = (uint64_t)v.f_bavail * v.f_frsize;
    return SDW_OK;
}

uint64_t sdw_hub_file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

/* ---- names in a folder ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static sdw_status add_name(sdw_hub_dir *d, size_t *capacity, const char *name, const char *folder, sdw_error *err)
{
    if (d->count >= NAMES_MAX) return sdw_fail(err, SDW_LIMIT, "%s: more than %d names in it", folder, NAMES_MAX);
    if (d->count == *capacity) {
        size_t more = *capacity ? *capacity * 2 : 16;
        char **names = sdw_realloc(d->names, more * sizeof *names);
        if (!names) return sdw_fail_memory(err, folder, more * sizeof *names);
        d->names = names;
        *capacity = more;
    }
    char *copy = sdw_strdup(name);
    if (!copy) return sdw_fail_memory(err, folder, strlen(name) + 1);
    d->names[d->count++] = copy;
    return SDW_OK;
}

sdw_status sdw_hub_dir_read(const char *folder, sdw_hub_dir *ret, sdw_error *err)
{
    sdw_hub_dir d = { 0 };
    size_t capacity = 0;
    sdw_status s = SDW_OK;
    DIR *dir = opendir(folder);
    if (!dir && errno != ENOENT && errno != ENOTDIR)
        return sdw_fail(err, SDW_IO, "%s: cannot list: %s", folder, strerror(errno));
    for (struct dirent *e; s == SDW_OK && dir && (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) s = add_name(&d, &capacity, e->d_name, folder, err);
    if (dir) closedir(dir);
    if (s != SDW_OK) {
        sdw_hub_dir_finish(&d);
        return s;
    }
    if (d.count) qsort(d.names, d.count, sizeof *d.names, compare_names);
    *ret = d;
    return SDW_OK;
}

void sdw_hub_dir_finish(sdw_hub_dir *d)
{
    for (size_t i = 0; i < d->count; i++) sdw_free(d->names[i]);
    sdw_free(d->names);
    *d = (sdw_hub_dir){ 0 };
}
