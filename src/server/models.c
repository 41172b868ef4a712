/* models.c - see models.h. The catalogue is read anew for every list: it reads headers only, and what another program put
 * into the cache is found without being told. */
#include "server/models.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "hub/aliases.h"
#include "hub/pull.h"
#include "server/model_hashes.h"
#include "server/model_names.h"

#define JOBS_LOOKED_AT 256

struct sdw_models {
    sdw_models_options o;
    sdw_model_hashes *hashes;
    pthread_mutex_t mutex;
    sdw_model_download download;   /* guarded, with what follows */
    uint64_t serial;
    bool thread_exists;
    pthread_t thread;              /* the download's; joined before the next one, or at the end */
    char revision[SDW_HUB_REVISION_SIZE], variant[64]; /* of the running download; fixed while it runs */
    uint64_t counted;              /* its bytes that o.loading knows of; that thread's alone */
    atomic_bool stopping;
};

/* ---- the list ---- */

/* A path below one of the named folders, without that folder: where things lie is nobody's business. */
static const char *below_given(const sdw_models *m, const char *path)
{
    const char *last = strrchr(path, '/');
    for (size_t i = 0; i < m->o.places.given_count; i++) {
        const char *folder = m->o.places.given[i];
        size_t n = strlen(folder);
        while (n > 1 && folder[n - 1] == '/') n--;
        if (strncmp(path, folder, n) == 0 && path[n] == '/' && path[n + 1]) return path + n + 1;
    }
    return last ? last + 1 : path;
}

/* The model that the service started with has the id it was given, wherever it lies. */
static const char *id_of(const sdw_models *m, const sdw_catalog_entry *e)
{
    if (m->o.engine.model && !strcmp(e->path, m->o.engine.model)) return m->o.first_id;
    if (e->place == SDW_CATALOG_DEMO) return "demo";
    return e->place == SDW_CATALOG_GIVEN ? below_given(m, e->name) : e->name;
}

static void make_known(const sdw_models *m, const sdw_catalog_entry *e)
{
    sdw_engine_options engine = m->o.engine;
    engine.model = e->path;
    if (e->state == SDW_CATALOG_COMPLETE && strcmp(id_of(m, e), m->o.first_id)) sdw_worker_add_model(m->o.worker, id_of(m, e), &engine, NULL);
}

static const sdw_catalog_entry *first_of(const sdw_models *m, const sdw_catalog *c, const char *id)
{
    size_t i = 0;
    while (i < c->count && strcmp(id_of(m, &c->entries[i]), id)) i++;
    return i < c->count ? &c->entries[i] : NULL;
}

static void read_catalog(const sdw_models *m, sdw_catalog *c)
{
    *c = (sdw_catalog){ 0 };
    if (sdw_catalog_read(&m->o.places, c, NULL) != SDW_OK) return; /* what was found up to then stays in it */
    for (size_t i = 0; i < c->count; i++) /* of one name in two places the first is meant */
        if (first_of(m, c, id_of(m, &c->entries[i])) == &c->entries[i]) make_known(m, &c->entries[i]);
}

bool sdw_model_is_here(const sdw_model_row *row)
{
    return !strcmp(row->status, "loaded") || !strcmp(row->status, "loading") || !strcmp(row->status, "unloaded");
}

/* Why the last download failed, if it was this model's; "" otherwise. */
static void put_failure(sdw_models *m, const char *id, char ret[SDW_ERROR_TEXT_MAX])
{
    pthread_mutex_lock(&m->mutex);
    bool failed = !m->download.running && m->download.status != SDW_OK && !strcmp(m->download.id, id);
    snprintf(ret, SDW_ERROR_TEXT_MAX, "%s", failed ? m->download.message : "");
    pthread_mutex_unlock(&m->mutex);
}

static bool is_downloading(sdw_models *m, const char *id)
{
    pthread_mutex_lock(&m->mutex);
    bool yes = m->download.running && !strcmp(m->download.id, id);
    pthread_mutex_unlock(&m->mutex);
    return yes;
}

static const char *status_of(sdw_models *m, const char *id, bool complete)
{
    const char *status = sdw_worker_model_status(m->o.worker, id);
    if (is_downloading(m, id)) return "downloading";
    if (status) return status;
    return complete ? "unloaded" : "incomplete";
}

static void fill(sdw_models *m, const sdw_catalog_entry *e, sdw_model_row *row)
{
    *row = (sdw_model_row){ .family = e->family ? sdw_family_variant(e->family) : NULL, .bytes = e->bytes };
    snprintf(row->id, sizeof row->id, "%s", id_of(m, e));
    snprintf(row->dtype, sizeof row->dtype, "%s", e->dtypes);
    row->status = status_of(m, row->id, e->state == SDW_CATALOG_COMPLETE);
    if (e->state == SDW_CATALOG_COMPLETE) sdw_model_hashes_note(m->hashes, row->id, e->path);
    if (strcmp(row->status, "incomplete")) return;
    put_failure(m, row->id, row->problem);
    if (!row->problem[0]) snprintf(row->problem, sizeof row->problem, "%s", e->problem ? e->problem : "");
}

/* What the worker says of a model that is in no place the catalogue knows. */
static bool fill_first(sdw_models *m, sdw_model_row *row)
{
    sdw_worker_model_info *info;
    if (!m->o.first_id || !m->o.first_id[0]) return false;
    *row = (sdw_model_row){ .status = status_of(m, m->o.first_id, true) };
    snprintf(row->id, sizeof row->id, "%s", m->o.first_id);
    if (m->o.engine.model) sdw_model_hashes_note(m->hashes, row->id, m->o.engine.model);
    if (strcmp(row->status, "loaded") || !sdw_worker_model(m->o.worker, &info)) return true;
    const sdw_model_info *i = sdw_worker_model_info_of(info);
    row->family = sdw_family_variant(i->family);
    for (int p = 0; p < i->part_count; p++) {
        row->bytes += i->parts[p].file_bytes;
        if (!row->dtype[0]) snprintf(row->dtype, sizeof row->dtype, "%s", i->parts[p].dtypes);
    }
    sdw_worker_model_info_free(info);
    return true;
}

static bool is_listed(const sdw_model_row *rows, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(rows[i].id, id)) return true;
    return false;
}

/* A model that is being fetched for the first time is in no place yet, and if that failed, it may never be in one. */
static bool fill_download(sdw_models *m, const sdw_model_row *rows, size_t count, sdw_model_row *row)
{
    pthread_mutex_lock(&m->mutex);
    bool told = m->download.running || m->download.status != SDW_OK;
    *row = (sdw_model_row){ .status = m->download.running ? "downloading" : "failed", .bytes = m->download.bytes_total };
    snprintf(row->id, sizeof row->id, "%s", m->download.id);
    snprintf(row->problem, sizeof row->problem, "%s", m->download.message);
    pthread_mutex_unlock(&m->mutex);
    return told && !is_listed(rows, count, row->id);
}

size_t sdw_models_list(sdw_models *m, sdw_model_row *out, size_t cap)
{
    sdw_catalog c;
    sdw_model_row row;
    size_t count = 0, first = SIZE_MAX;
    read_catalog(m, &c);
    for (size_t i = 0; i < c.count && count < cap; i++) {
        if (first_of(m, &c, id_of(m, &c.entries[i])) != &c.entries[i]) continue;
        fill(m, &c.entries[i], &out[count]);
        if (!strcmp(out[count].id, m->o.first_id)) first = count;
        count++;
    }
    sdw_catalog_finish(&c);
    if (first == SIZE_MAX && count < cap && fill_first(m, &row)) out[first = count++] = row;
    if (first != SIZE_MAX && first > 0) row = out[first], out[first] = out[0], out[0] = row;
    if (count < cap && fill_download(m, out, count, &row)) out[count++] = row;
    return count;
}

bool sdw_models_get(sdw_models *m, const char *id, sdw_model_row *ret)
{
    enum { ROWS = 512 };
    sdw_model_row *rows = sdw_calloc(ROWS, sizeof *rows);
    size_t count = rows ? sdw_models_list(m, rows, ROWS) : 0, i = 0;
    while (i < count && strcmp(rows[i].id, id)) i++;
    if (i < count) *ret = rows[i];
    sdw_free(rows);
    return i < count;
}

/* ---- hashes ---- */

bool sdw_models_hash(sdw_models *m, const char *id, char ret_hex[SDW_DIGEST_HEX_SIZE])
{
    return m && sdw_model_hashes_get(m->hashes, id, ret_hex);
}

void sdw_models_want_hashes(sdw_models *m)
{
    sdw_model_hashes_want(m->hashes);
}

void sdw_models_title(sdw_models *m, const char *id, char ret[SDW_MODEL_NAME_MAX + 16])
{
    char hex[SDW_DIGEST_HEX_SIZE];
    bool known = sdw_models_hash(m, id, hex);
    snprintf(ret, SDW_MODEL_NAME_MAX + 16, known ? "%s [%.10s]" : "%s", id, known ? hex : "");
}

size_t sdw_models_title_id(const char *title)
{
    size_t n = strlen(title);
    const char *open = n && title[n - 1] == ']' ? strrchr(title, '[') : NULL;
    if (open) n = (size_t)(open - title);
    while (open && n && title[n - 1] == ' ') n--;
    return n;
}

/* ---- load and unload ---- */

static void changed(sdw_models *m)
{
    pthread_mutex_lock(&m->mutex);
    m->serial++;
    pthread_mutex_unlock(&m->mutex);
    sdw_waker_wake(m->o.waker, NULL);
}

sdw_status sdw_models_load(sdw_models *m, const char *id, sdw_error *err)
{
    sdw_catalog c;
    sdw_engine_options engine = m->o.engine;
    sdw_status s = SDW_NOT_FOUND;
    if (!strcmp(id, m->o.first_id) && engine.model) {
        s = sdw_worker_load(m->o.worker, id, &engine, err);
    } else {
        read_catalog(m, &c);
        const sdw_catalog_entry *e = first_of(m, &c, id);
        if (e && e->state != SDW_CATALOG_COMPLETE) {
            s = sdw_fail_field(err, SDW_INVALID, "model", "%s: %s", id, e->problem ? e->problem : "incomplete");
        } else if (e) {
            engine.model = e->path;
            s = sdw_worker_load(m->o.worker, id, &engine, err);
        }
        sdw_catalog_finish(&c);
    }
    if (s == SDW_OK) changed(m);
    return s == SDW_NOT_FOUND ? sdw_fail_field(err, SDW_NOT_FOUND, "model", "no model '%.200s' on this machine", id) : s;
}

sdw_status sdw_models_unload(sdw_models *m, const char *id, sdw_error *err)
{
    sdw_status s = sdw_worker_unload(m->o.worker, id, err);
    if (s == SDW_OK) changed(m);
    return s;
}

/* ---- download ---- */

static bool stopped(void *ctx)
{
    const sdw_models *m = ctx;
    return atomic_load(&m->stopping);
}

static void on_progress(void *ctx, const sdw_hub_progress *p)
{
    sdw_models *m = ctx;
    sdw_fetching f = { .active = true, .files_done = (int)p->files_done, .files_total = (int)p->files,
                       .bytes_done = p->bytes_done, .bytes_total = p->bytes, .bytes_per_second = p->bytes_per_second };
    snprintf(f.file, sizeof f.file, "%s", p->file);
    if (m->o.loading) {
        sdw_loading_set(m->o.loading, &f);
        sdw_loading_count(m->o.loading, &m->counted, p->bytes_fetched);
    }
    pthread_mutex_lock(&m->mutex);
    m->download.bytes_done = p->bytes_done;
    m->download.bytes_total = p->bytes;
    m->download.bytes_per_second = p->bytes_per_second;
    pthread_mutex_unlock(&m->mutex);
    changed(m);
}

static void *download_main(void *ctx)
{
    sdw_models *m = ctx;
    char path[SDW_HUB_PATH_MAX], id[SDW_MODEL_NAME_MAX];
    sdw_error err = { 0 };
    pthread_mutex_lock(&m->mutex);
    snprintf(id, sizeof id, "%s", m->download.id);
    pthread_mutex_unlock(&m->mutex);
    const sdw_hub_hooks hooks = { .ctx = m, .cancelled = stopped, .progress = on_progress };
    m->counted = 0;
    const sdw_hub_wish wish = { .id = id, .revision = m->revision[0] ? m->revision : NULL, .variant = m->variant[0] ? m->variant : NULL };
    sdw_status s = sdw_hub_pull(m->o.settings, &wish, &hooks, path, NULL, &err);
    if (m->o.loading) sdw_loading_set(m->o.loading, &(sdw_fetching){ 0 });
    pthread_mutex_lock(&m->mutex);
    m->download.running = false;
    m->download.status = s;
    snprintf(m->download.message, sizeof m->download.message, "%s", s == SDW_OK ? "" : err.text);
    pthread_mutex_unlock(&m->mutex);
    changed(m);
    return NULL;
}

/* Mutex held. The last download's thread has ended or is about to. */
static void join_last(sdw_models *m)
{
    if (!m->thread_exists) return;
    pthread_t thread = m->thread;
    m->thread_exists = false;
    pthread_mutex_unlock(&m->mutex);
    pthread_join(thread, NULL);
    pthread_mutex_lock(&m->mutex);
}

sdw_status sdw_models_pull(sdw_models *m, const char *name, const char *revision, const char *variant, sdw_error *err)
{
    const sdw_hub_alias *alias = sdw_hub_alias_find(name);
    const char *id = alias ? alias->repositories[0] : name;
    if (!sdw_hub_is_id(id)) return sdw_fail_field(err, SDW_INVALID, "model", "'%.200s' given, want a repository such as organisation/name, or an alias", name);
    if (m->o.settings->offline) return sdw_fail(err, SDW_UNSUPPORTED, "%s: the hub may not be asked, HF_HUB_OFFLINE is set", id);
    if ((revision && strlen(revision) >= sizeof m->revision) || (variant && strlen(variant) >= sizeof m->variant))
        return sdw_fail(err, SDW_INVALID, "%s: the revision or the variant is too long", id);
    sdw_status s = SDW_OK;
    pthread_mutex_lock(&m->mutex);
    if (m->download.running) {
        if (strcmp(m->download.id, id)) s = sdw_fail(err, SDW_BUSY, "%s is being fetched; one download at a time", m->download.id);
        pthread_mutex_unlock(&m->mutex);
        return s;
    }
    join_last(m);
    m->download = (sdw_model_download){ .running = true };
    snprintf(m->download.id, sizeof m->download.id, "%s", id);
    snprintf(m->revision, sizeof m->revision, "%s", revision ? revision : "");
    snprintf(m->variant, sizeof m->variant, "%s", variant ? variant : "");
    /* Before the thread: whoever asks for the progress after our answer finds it under way. */
    if (m->o.loading) sdw_loading_set(m->o.loading, &(sdw_fetching){ .active = true });
    m->thread_exists = pthread_create(&m->thread, NULL, download_main, m) == 0;
    if (!m->thread_exists) {
        m->download.running = false;
        if (m->o.loading) sdw_loading_set(m->o.loading, &(sdw_fetching){ 0 });
        s = sdw_fail(err, SDW_NO_MEMORY, "%s: no thread for the download", id);
    }
    pthread_mutex_unlock(&m->mutex);
    if (s == SDW_OK) changed(m);
    return s;
}

bool sdw_models_download(sdw_models *m, sdw_model_download *ret, uint64_t *ret_serial)
{
    pthread_mutex_lock(&m->mutex);
    *ret = m->download;
    *ret_serial = m->serial;
    pthread_mutex_unlock(&m->mutex);
    return ret->id[0] != '\0';
}

/* ---- remove ---- */

static bool is_wanted(sdw_models *m, const char *id)
{
    sdw_job_id ids[JOBS_LOOKED_AT];
    size_t count = sdw_worker_jobs(m->o.worker, 1u << SDW_JOB_QUEUED | 1u << SDW_JOB_RUNNING, NULL, ids, JOBS_LOOKED_AT);
    for (size_t i = 0; i < count; i++) {
        sdw_job_view v;
        if (sdw_worker_job(m->o.worker, &ids[i], &v, NULL) != SDW_OK) continue;
        bool same = v.model && !strcmp(v.model, id);
        sdw_job_view_finish(&v);
        if (same) return true;
    }
    return false;
}

sdw_status sdw_models_remove(sdw_models *m, const char *id, sdw_error *err)
{
    const char *status = sdw_worker_model_status(m->o.worker, id);
    sdw_catalog found = { 0 };
    sdw_removed removed;
    bool in_use = status && strcmp(status, "unloaded");
    if (in_use || is_downloading(m, id) || is_wanted(m, id)) return sdw_fail_field(err, SDW_BUSY, "model", "%s is in use: it is loaded, being fetched, or a job wants it", id);
    sdw_status s = sdw_catalog_find(&m->o.places, id, &found, err);
    if (s == SDW_OK) s = sdw_catalog_remove(&m->o.places, &found, false, &removed, err);
    sdw_catalog_finish(&found);
    if (s == SDW_OK) changed(m);
    return s;
}

/* ---- create ---- */

sdw_status sdw_models_create(const sdw_models_options *o, sdw_models **ret, sdw_error *err)
{
    sdw_catalog c;
    sdw_models *m = sdw_calloc(1, sizeof *m);
    if (!m) return sdw_fail_memory(err, "models", sizeof *m);
    m->o = *o;
    if (!m->o.first_id) m->o.first_id = "";
    pthread_mutex_init(&m->mutex, NULL);
    m->hashes = sdw_model_hashes_create();
    if (!m->hashes) {
        sdw_models_free(m);
        return sdw_fail_memory(err, "models", 0);
    }
    read_catalog(m, &c);
    sdw_catalog_finish(&c);
    *ret = m;
    return SDW_OK;
}

void sdw_models_free(sdw_models *m)
{
    if (!m) return;
    atomic_store(&m->stopping, true);
    pthread_mutex_lock(&m->mutex);
    join_last(m);
    pthread_mutex_unlock(&m->mutex);
    sdw_model_hashes_free(m->hashes);
    pthread_mutex_destroy(&m->mutex);
    sdw_free(m);
}
