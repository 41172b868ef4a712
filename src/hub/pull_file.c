/* pull_file.c - see pull_file.h. */
#include "hub/pull_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/cache_write.h"
#include "hub/folders.h"
#include "hub/lock.h"
#include "io/mapping.h"
#include "io/safetensors.h"

typedef struct job {
    sdw_hub_client *client;
    const sdw_hub_settings *settings;
    const sdw_hub_plan *plan;
    const sdw_hub_task *task;
    const sdw_hub_entry *entry; /* the task's first path */
    char hash[SDW_HUB_ETAG_SIZE];
    char blob[SDW_HUB_PATH_MAX], partial[SDW_HUB_PATH_MAX];
    sdw_hub_moved_fn *moved;
    void *ctx;
} job;

sdw_status sdw_hub_check_weights(const char *path, const char *name, sdw_error *err)
{
    size_t n = strlen(name);
    sdw_mapping m = { 0 };
    sdw_safetensors header = { 0 };
    if (n < 12 || strcmp(name + n - 12, ".safetensors") != 0) return SDW_OK;
    sdw_status s = sdw_mapping_open(path, &m, err);
    if (s == SDW_OK) s = sdw_safetensors_parse(m.data, m.size, name, &header, err);
    sdw_safetensors_finish(&header);
    sdw_mapping_close(&m);
    return s;
}

sdw_status sdw_hub_check_space(const char *path, uint64_t bytes, sdw_error *err)
{
    uint64_t free_bytes = 0;
    sdw_status s = sdw_hub_free_bytes(path, &free_bytes, err);
    if (s != SDW_OK || free_bytes >= bytes) return s;
    return sdw_fail(err, SDW_IO, "%s: %" PRIu64 " bytes are free there, want %" PRIu64, path, free_bytes, bytes);
}

static bool has_blob(const job *j)
{
    struct stat st;
    return stat(j->blob, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == j->task->size;
}

static sdw_status name_places(job *j, sdw_error *err)
{
    sdw_status s = sdw_hub_place_of(j->settings->cache, j->plan->id, SDW_HUB_BLOB, j->hash, j->blob, err);
    return s == SDW_OK ? sdw_hub_place_of(j->settings->cache, j->plan->id, SDW_HUB_PARTIAL, j->hash, j->partial, err) : s;
}

/* What the hub says now of the file must be what it listed. */
static sdw_status ask_metadata(job *j, sdw_error *err)
{
    sdw_hub_metadata m;
    const sdw_hub_ask a = { .client = j->client, .retries = 5 };
    sdw_status s = sdw_hub_ask_metadata(&a, j->plan->id, j->plan->commit, j->entry->path, &m, err);
    if (s != SDW_OK) return s;
    if (m.size != j->entry->size)
        return sdw_fail(err, SDW_FORMAT, "%s: %.200s: the hub lists %" PRIu64 " bytes and offers %" PRIu64, j->plan->id, j->entry->path,
                        j->entry->size, m.size);
    if (j->hash[0] && strcmp(m.etag, j->hash) != 0)
        return sdw_fail(err, SDW_FORMAT, "%s: %.160s: the hub lists the hash %s and offers %s", j->plan->id, j->entry->path, j->hash, m.etag);
    memcpy(j->hash, m.etag, sizeof j->hash);
    return name_places(j, err);
}

static sdw_status point_all(const job *j, bool fresh, sdw_error *err)
{
    sdw_status s = SDW_OK;
    for (size_t i = 0; s == SDW_OK && i < j->task->count; i++) {
        const sdw_hub_pointer p = { .root = j->settings->cache, .id = j->plan->id, .commit = j->plan->commit,
                                    .file = j->plan->order[j->task->first + i]->path, .hash = j->hash,
                                    .no_symlinks = j->settings->no_symlinks, .may_move = fresh && i + 1 == j->task->count };
        s = sdw_hub_cache_point(&p, err);
    }
    return s;
}

/* Without locks two processes must not write one partial file: ours gets a name of its own, and is not kept. */
static sdw_status name_private_partial(job *j, sdw_error *err)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) random = (uint32_t)getpid();
    return sdw_hub_path(j->partial, err, "%s.%08" PRIx32 ".incomplete", j->blob, random);
}

static sdw_status fetch_blob(job *j, sdw_error *err)
{
    char url[SDW_HUB_URL_SIZE];
    const sdw_hub_fetch f = { .url = url, .partial = j->partial, .shown = j->entry->path, .size = j->task->size, .hash = j->hash,
                              .about = { j->plan->id, j->plan->commit, j->entry->path }, .moved = j->moved, .ctx = j->ctx };
    uint64_t have = sdw_hub_file_bytes(j->partial);
    sdw_status s = sdw_hub_make_parents(j->blob, err);
    if (s == SDW_OK && have < j->task->size) s = sdw_hub_check_space(j->blob, j->task->size - have, err);
    if (s == SDW_OK) s = sdw_hub_resolve_url(j->settings, j->plan->id, j->plan->commit, j->entry->path, url, err);
    if (s == SDW_OK) s = sdw_hub_fetch_file(j->client, &f, NULL, err);
    if (s != SDW_OK) return s;
    s = sdw_hub_check_weights(j->partial, j->entry->path, err);
    if (s != SDW_OK) { /* the right bytes of a damaged file: the next run would get the same */
        unlink(j->partial);
        return s;
    }
    if (rename(j->partial, j->blob) == 0) return SDW_OK;
    return sdw_fail(err, SDW_IO, "%s: cannot rename to it: %s", j->blob, strerror(errno));
}

static sdw_status fetch_locked(job *j, const sdw_hub_lock *lock, sdw_error *err)
{
    bool fresh = !has_blob(j);
    sdw_status s = SDW_OK;
    if (fresh && !lock->effective) s = name_private_partial(j, err);
    if (s == SDW_OK && fresh) s = fetch_blob(j, err);
    else if (s == SDW_OK && j->moved) j->moved(j->ctx, j->task->size, 0);
    /* Nobody needs a beginning whose whole is there; nor one that nobody else may continue. */
    if (lock->effective ? !fresh : fresh && s != SDW_OK) unlink(j->partial);
    return s == SDW_OK ? point_all(j, fresh, err) : s;
}

sdw_status sdw_hub_pull_file(sdw_hub_client *c, const sdw_hub_plan *plan, const sdw_hub_task *task, sdw_hub_moved_fn *moved, void *ctx,
                             sdw_error *err)
{
    job j = { .client = c, .settings = sdw_hub_client_settings(c), .plan = plan, .task = task, .entry = plan->order[task->first],
              .moved = moved, .ctx = ctx };
    char path[SDW_HUB_PATH_MAX];
    sdw_hub_lock lock;
    memcpy(j.hash, j.entry->hash, sizeof j.hash);
    sdw_status s = j.hash[0] ? name_places(&j, err) : SDW_OK;
    if (s == SDW_OK && !(j.hash[0] && has_blob(&j))) s = ask_metadata(&j, err);
    if (s == SDW_OK) s = sdw_hub_place_of(j.settings->cache, plan->id, SDW_HUB_LOCK, j.hash, path, err);
    if (s == SDW_OK) s = sdw_hub_lock_take(path, j.entry->path, sdw_hub_client_hooks(c), &lock, err);
    if (s != SDW_OK) return s;
    s = fetch_locked(&j, &lock, err);
    sdw_hub_lock_release(&lock);
    return s;
}
