/* model_hashes.c - see model_hashes.h. */
#define _GNU_SOURCE
#include "server/model_hashes.h"

#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/hex.h"
#include "core/log.h"
#include "core/mem.h"

#define MODELS_MAX 512

/* A file that is this one has these bytes. */
typedef struct identity { dev_t device; ino_t inode; off_t size; struct timespec changed; } identity;

typedef struct row {
    char *id, *file;                /* owned; file: with links resolved */
    identity is;
    char hex[SDW_DIGEST_HEX_SIZE];  /* "" = not known */
    bool failed;                    /* it could not be read; not again until it changes */
} row;

struct sdw_model_hashes {
    pthread_mutex_t mutex;          /* guards the rest */
    pthread_cond_t news;
    row rows[MODELS_MAX];
    int count;
    bool wanted, stop, runs;
    pthread_t thread;
};

/* ---- which file ---- */

static bool is_weights(const char *name)
{
    size_t n = strlen(name), end = strlen(".safetensors");
    return name[0] != '.' && n > end && strcmp(name + n - end, ".safetensors") == 0;
}

/* The plain one, as the engine chooses; else the first in the order of names. */
static bool weights_in(const char *folder, const char *part, char ret[PATH_MAX])
{
    static const char plain[] = "diffusion_pytorch_model.safetensors";
    char path[PATH_MAX], best[256] = "";
    if (snprintf(path, sizeof path, "%s/%s", folder, part) >= (int)sizeof path) return false;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!is_weights(e->d_name) || strlen(e->d_name) >= sizeof best || !strcmp(best, plain)) continue;
        if (!best[0] || !strcmp(e->d_name, plain) || strcmp(e->d_name, best) < 0) memcpy(best, e->d_name, strlen(e->d_name) + 1);
    }
    if (d) closedir(d);
    char whole[PATH_MAX + 256];
    snprintf(whole, sizeof whole, "%s/%s", path, best);
    return best[0] && realpath(whole, ret);
}

static bool find_file(const char *model, char ret[PATH_MAX], identity *ret_is)
{
    struct stat st;
    if (stat(model, &st) != 0) return false;
    if (S_ISREG(st.st_mode)) {
        if (!realpath(model, ret)) return false;
    } else if (!weights_in(model, "unet", ret) && !weights_in(model, "transformer", ret)) {
        return false;
    }
    if (stat(ret, &st) != 0 || !S_ISREG(st.st_mode)) return false;
    *ret_is = (identity){ st.st_dev, st.st_ino, st.st_size, st.st_mtim };
    return true;
}

/* The cache gives a blob its name only after its hash was checked. */
static bool named_by_hash(const char *file, char hex[SDW_DIGEST_HEX_SIZE])
{
    const char *name = strrchr(file, '/');
    if (!name || name - file < 6 || strncmp(name - 6, "/blobs", 6) != 0) return false;
    if (strlen(name + 1) != SDW_DIGEST_HEX_SIZE - 1 || !sdw_is_hex(name + 1, SDW_DIGEST_HEX_SIZE - 1)) return false;
    memcpy(hex, name + 1, SDW_DIGEST_HEX_SIZE);
    return true;
}

static bool same(const identity *a, const identity *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

/* ---- the table ---- */

/* Lock held. */
static row *find(sdw_model_hashes *h, const char *id)
{
    for (int i = 0; i < h->count; i++)
        if (strcmp(h->rows[i].id, id) == 0) return &h->rows[i];
    return NULL;
}

/* Lock held. */
static row *row_for(sdw_model_hashes *h, const char *id)
{
    row *r = find(h, id);
    if (r || h->count == MODELS_MAX) return r;
    char *copy = sdw_strdup(id);
    if (!copy) return NULL;
    r = &h->rows[h->count++];
    *r = (row){ .id = copy };
    return r;
}

/* ---- the thread ---- */

static bool stopped(void *ctx)
{
    sdw_model_hashes *h = ctx;
    pthread_mutex_lock(&h->mutex);
    bool stop = h->stop;
    pthread_mutex_unlock(&h->mutex);
    return stop;
}

/* Lock held. */
static row *next_unknown(sdw_model_hashes *h)
{
    for (int i = 0; h->wanted && i < h->count; i++)
        if (h->rows[i].file && !h->rows[i].hex[0] && !h->rows[i].failed) return &h->rows[i];
    return NULL;
}

/* Lock held; it is let go while the file is read. Rows stay where they are. */
static void work(sdw_model_hashes *h, row *r)
{
    char file[PATH_MAX], hex[SDW_DIGEST_HEX_SIZE] = "";
    const identity was = r->is;
    sdw_error err = { 0 };
    snprintf(file, sizeof file, "%s", r->file);
    pthread_mutex_unlock(&h->mutex);
    sdw_status s = sdw_digest_file(SDW_DIGEST_SHA256, file, stopped, h, hex, &err);
    if (s != SDW_OK && s != SDW_CANCELLED) sdw_log(SDW_LOG_WARNING, err.text, NULL);
    pthread_mutex_lock(&h->mutex);
    if (!same(&was, &r->is)) return; /* it was changed meanwhile, and will be read again */
    if (s == SDW_OK) memcpy(r->hex, hex, sizeof r->hex);
    else r->failed = true;
}

static void *thread_main(void *ctx)
{
    sdw_model_hashes *h = ctx;
    pthread_setname_np(pthread_self(), "sdw-hashes");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19); /* of this thread alone */
    pthread_mutex_lock(&h->mutex);
    while (!h->stop) {
        row *r = next_unknown(h);
        if (r) work(h, r);
        else pthread_cond_wait(&h->news, &h->mutex);
    }
    pthread_mutex_unlock(&h->mutex);
    return NULL;
}

/* ---- for callers ---- */

sdw_model_hashes *sdw_model_hashes_create(void)
{
    sdw_model_hashes *h = sdw_calloc(1, sizeof *h);
    if (!h) return NULL;
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->news, NULL);
    return h;
}

void sdw_model_hashes_free(sdw_model_hashes *h)
{
    if (!h) return;
    pthread_mutex_lock(&h->mutex);
    h->stop = true;
    pthread_cond_signal(&h->news);
    pthread_mutex_unlock(&h->mutex);
    if (h->runs) pthread_join(h->thread, NULL);
    for (int i = 0; i < h->count; i++) {
        sdw_free(h->rows[i].id);
        sdw_free(h->rows[i].file);
    }
    pthread_cond_destroy(&h->news);
    pthread_mutex_destroy(&h->mutex);
    sdw_free(h);
}

void sdw_model_hashes_note(sdw_model_hashes *h, const char *id, const char *path)
{
    char file[PATH_MAX], hex[SDW_DIGEST_HEX_SIZE] = "";
    identity is;
    if (!find_file(path, file, &is)) return;
    (void)named_by_hash(file, hex);
    char *copy = sdw_strdup(file);
    pthread_mutex_lock(&h->mutex);
    row *r = copy ? row_for(h, id) : NULL;
    if (r && (!r->file || !same(&r->is, &is))) {
        sdw_free(r->file);
        r->file = copy;
        copy = NULL;
        r->is = is;
        r->failed = false;
        memcpy(r->hex, hex, sizeof r->hex);
        pthread_cond_signal(&h->news);
    }
    pthread_mutex_unlock(&h->mutex);
    sdw_free(copy);
}

void sdw_model_hashes_want(sdw_model_hashes *h)
{
    pthread_mutex_lock(&h->mutex);
    h->wanted = true;
    if (!h->runs && next_unknown(h)) h->runs = pthread_create(&h->thread, NULL, thread_main, h) == 0;
    pthread_cond_signal(&h->news);
    pthread_mutex_unlock(&h->mutex);
}

bool sdw_model_hashes_get(sdw_model_hashes *h, const char *id, char ret_hex[SDW_DIGEST_HEX_SIZE])
{
    pthread_mutex_lock(&h->mutex);
    const row *r = find(h, id);
    bool known = r && r->hex[0];
    if (known) memcpy(ret_hex, r->hex, SDW_DIGEST_HEX_SIZE);
    pthread_mutex_unlock(&h->mutex);
    return known;
}
