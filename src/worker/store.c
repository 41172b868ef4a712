/* store.c - tables of what is held, in one mutex; files are written before they enter a table and removed after they
 * have left it, so that no lookup ever finds half a file. */
#include "worker/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/limits.h"
#include "core/mem.h"
#include "core/strmap.h"
#include "core/uuid.h"
#include "worker/blob.h"
#include "worker/picture_file.h"

typedef enum input_state { WRITING, READY, FAILED, REMOVING } input_state;

typedef struct input {
    char name[SDW_SHA256_HEX_SIZE];
    int holders;
    input_state state;
} input;

typedef struct stored_job stored_job;

typedef struct output {
    sdw_output_id id;
    char sha256[SDW_SHA256_HEX_SIZE];
    size_t bytes;
    sdw_blob *blob;              /* owned; NULL with a folder */
    stored_job *job;             /* NULL: not counted yet, and not to be found */
    int index;
} output;

struct stored_job {
    sdw_job_id id;
    double finished_at;
    stored_job *older, *newer;
    int count;
    output *outputs[SDW_JOB_PICTURES_MAX]; /* owned; NULL: deleted */
};

struct sdw_store {
    sdw_store_options options;
    const sdw_io *io;
    pthread_mutex_t lock;        /* guards all below */
    pthread_cond_t input_changed;
    sdw_strmap inputs, outputs, jobs; /* of input, output, stored_job */
    stored_job *oldest, *newest;
    uint64_t output_bytes;       /* of counted outputs */
};

sdw_status sdw_store_open(const sdw_store_options *o, sdw_store **ret, sdw_error *err)
{
    sdw_store *s = sdw_calloc(1, sizeof *s);
    if (!s) return sdw_fail_memory(err, "store", sizeof *s);
    s->options = *o;
    s->io = o->dir ? o->dir->io : NULL;
    if (!s->options.results_max) s->options.results_max = o->dir ? 10000 : 64;
    if (!s->options.bytes_max) s->options.bytes_max = o->dir ? (uint64_t)10 << 30 : (uint64_t)256 << 20;
    if (!(s->options.ttl_s > 0)) s->options.ttl_s = o->dir ? 7 * 86400.0 : 600.0;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->input_changed, NULL);
    *ret = s;
    return SDW_OK;
}

static void free_output(output *p)
{
    if (p) sdw_blob_unref(p->blob);
    sdw_free(p);
}

void sdw_store_close(sdw_store *s)
{
    if (!s) return;
    for (size_t i = 0; i < s->outputs.capacity; i++) free_output(s->outputs.slot[i].value);
    for (size_t i = 0; i < s->inputs.capacity; i++) sdw_free(s->inputs.slot[i].value);
    for (size_t i = 0; i < s->jobs.capacity; i++) sdw_free(s->jobs.slot[i].value);
    sdw_strmap_finish(&s->outputs);
    sdw_strmap_finish(&s->inputs);
    sdw_strmap_finish(&s->jobs);
    pthread_cond_destroy(&s->input_changed);
    pthread_mutex_destroy(&s->lock);
    sdw_free(s);
}

/* ---- inputs ---- */

/* The lock is held. Holds a picture that is there, or makes its entry; *ret_write: the caller has to write the file. */
static sdw_status hold_or_begin(sdw_store *s, const char *name, input **fresh, bool *ret_write, sdw_error *err)
{
    for (;;) {
        input *in = sdw_strmap_get(&s->inputs, name);
        if (!in) break;
        if (in->state == READY) {
            in->holders++;
            *ret_write = false;
            return SDW_OK;
        }
        pthread_cond_wait(&s->input_changed, &s->lock); /* being written or removed by another */
    }
    if (!sdw_strmap_put(&s->inputs, (*fresh)->name, *fresh)) return sdw_fail_memory(err, "table of input pictures", 0);
    *fresh = NULL;
    *ret_write = true;
    return SDW_OK;
}

/* The lock is held. Takes an entry out, to be freed by the caller. */
static input *end_input(sdw_store *s, const char *name, input_state state)
{
    input *in = sdw_strmap_get(&s->inputs, name), *gone = NULL;
    if (in) in->state = state;
    if (in && state == FAILED) gone = sdw_strmap_remove(&s->inputs, name);
    pthread_cond_broadcast(&s->input_changed);
    return gone;
}

static sdw_status write_input(sdw_store *s, const char *name, const sdw_buf *file, sdw_error *err)
{
    char path[96];
    snprintf(path, sizeof path, "inputs/%s", name);
    const sdw_file_write f = { .dir = s->options.dir->inputs, .name = name, .path = path, .mode = 0600, .replace = true, .folder_must_sync = true };
    return sdw_file_write_at(s->io, &f, file->data, file->size, err);
}

static sdw_status put_input(sdw_store *s, const sdw_buf *file, const char *name, sdw_error *err)
{
    bool write = false;
    input *fresh = sdw_calloc(1, sizeof *fresh), *gone = NULL;
    if (!fresh) return sdw_fail_memory(err, "table of input pictures", sizeof *fresh);
    memcpy(fresh->name, name, sizeof fresh->name);
    fresh->holders = 1;
    pthread_mutex_lock(&s->lock);
    sdw_status status = hold_or_begin(s, name, &fresh, &write, err);
    pthread_mutex_unlock(&s->lock);
    if (status == SDW_OK && write) {
        status = write_input(s, name, file, err);
        pthread_mutex_lock(&s->lock);
        gone = end_input(s, name, status == SDW_OK ? READY : FAILED);
        pthread_mutex_unlock(&s->lock);
    }
    sdw_free(gone);
    sdw_free(fresh);
    return status;
}

sdw_status sdw_store_picture_put(sdw_store *s, const sdw_picture *p, char ret_name[SDW_SHA256_HEX_SIZE], sdw_error *err)
{
    char name[SDW_SHA256_HEX_SIZE] = "";
    sdw_buf file;
    sdw_buf_init(&file, 0);
    sdw_status status = SDW_OK;
    if (s->options.dir) {
        status = sdw_picture_file_write(p, &file, err);
        if (status == SDW_OK) status = sdw_sha256_bytes(file.data, file.size, name, err);
        if (status == SDW_OK) status = put_input(s, &file, name, err);
    }
    sdw_buf_finish(&file);
    if (status == SDW_OK) memcpy(ret_name, name, sizeof name);
    return status;
}

sdw_status sdw_store_picture_get(sdw_store *s, const char *name, sdw_picture *ret, sdw_error *err)
{
    char path[96], sha256[SDW_SHA256_HEX_SIZE];
    if (!s->options.dir || !sdw_is_hex(name, 64)) return sdw_fail(err, SDW_NOT_FOUND, "input picture '%.70s': is not kept", name);
    snprintf(path, sizeof path, "inputs/%s", name);
    sdw_buf file;
    sdw_buf_init(&file, 0);
    sdw_status status = sdw_file_read_at(s->io, s->options.dir->inputs, name, path, SDW_PICTURE_FILE_MAX, &file, err);
    if (status == SDW_OK) status = sdw_sha256_bytes(file.data, file.size, sha256, err);
    if (status == SDW_OK && strcmp(sha256, name) != 0) status = sdw_fail(err, SDW_FORMAT, "%s: is damaged, its SHA-256 is %s", path, sha256);
    if (status == SDW_OK) status = sdw_picture_file_read(file.data, file.size, path, ret, err);
    sdw_buf_finish(&file);
    return status;
}

sdw_status sdw_store_picture_hold(sdw_store *s, const char *name, sdw_error *err)
{
    bool known = true;
    if (!s->options.dir || !sdw_is_hex(name, 64)) return sdw_fail(err, SDW_NOT_FOUND, "input picture '%.70s': is not kept", name);
    input *fresh = sdw_calloc(1, sizeof *fresh);
    if (!fresh) return sdw_fail_memory(err, "table of input pictures", sizeof *fresh);
    memcpy(fresh->name, name, sizeof fresh->name);
    fresh->holders = 1;
    fresh->state = READY;
    if (faccessat(s->options.dir->inputs, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
        sdw_free(fresh);
        return sdw_fail(err, SDW_NOT_FOUND, "inputs/%s: is gone", name);
    }
    pthread_mutex_lock(&s->lock);
    sdw_status status = hold_or_begin(s, name, &fresh, &known, err);
    pthread_mutex_unlock(&s->lock);
    sdw_free(fresh);
    return status;
}

void sdw_store_picture_release(sdw_store *s, const char *name)
{
    if (!*name || !s->options.dir) return;
    pthread_mutex_lock(&s->lock);
    input *in = sdw_strmap_get(&s->inputs, name);
    bool last = in && --in->holders == 0;
    if (last) in->state = REMOVING;
    pthread_mutex_unlock(&s->lock);
    if (!last) return;
    s->io->unlinkat(s->io->ctx, s->options.dir->inputs, name);
    pthread_mutex_lock(&s->lock);
    in = end_input(s, name, FAILED);
    pthread_mutex_unlock(&s->lock);
    sdw_free(in);
}

/* ---- outputs ---- */

static void remove_file(const sdw_store *s, const sdw_output_id *id)
{
    if (s->options.dir) s->io->unlinkat(s->io->ctx, s->options.dir->outputs, id->text);
}

static sdw_status write_output(sdw_store *s, const sdw_output_id *id, const void *bytes, size_t size, sdw_error *err)
{
    char path[64];
    snprintf(path, sizeof path, "outputs/%s", id->text);
    const sdw_file_write f = { .dir = s->options.dir->outputs, .name = id->text, .path = path, .mode = 0600, .replace = true, .folder_must_sync = true };
    return sdw_file_write_at(s->io, &f, bytes, size, err);
}

static sdw_status fill_output(sdw_store *s, output *p, sdw_blob *b, sdw_error *err)
{
    const void *bytes = sdw_blob_bytes(b, &p->bytes);
    sdw_status status = sdw_hex128(p->id.text, err);
    if (status == SDW_OK) status = sdw_sha256_bytes(bytes, p->bytes, p->sha256, err);
    if (status == SDW_OK && s->options.dir) status = write_output(s, &p->id, bytes, p->bytes, err);
    if (status == SDW_OK && !s->options.dir) p->blob = sdw_blob_ref(b);
    return status;
}

sdw_status sdw_store_output_put(sdw_store *s, sdw_blob *b, sdw_output_id *ret_id, char ret_sha256[SDW_SHA256_HEX_SIZE], sdw_error *err)
{
    output *p = sdw_calloc(1, sizeof *p);
    if (!p) return sdw_fail_memory(err, "stored picture", sizeof *p);
    sdw_status status = fill_output(s, p, b, err);
    if (status == SDW_OK) {
        *ret_id = p->id;
        memcpy(ret_sha256, p->sha256, sizeof p->sha256);
        pthread_mutex_lock(&s->lock);
        bool ok = sdw_strmap_put(&s->outputs, p->id.text, p);
        pthread_mutex_unlock(&s->lock);
        if (ok) return SDW_OK;
        status = sdw_fail_memory(err, "table of stored pictures", 0);
        remove_file(s, &p->id);
    }
    free_output(p);
    return status;
}

void sdw_store_output_drop(sdw_store *s, const sdw_output_id *id)
{
    pthread_mutex_lock(&s->lock);
    output *p = sdw_strmap_get(&s->outputs, id->text);
    if (p && p->job) p = NULL; /* counted: delete is the way */
    if (p) sdw_strmap_remove(&s->outputs, id->text);
    pthread_mutex_unlock(&s->lock);
    if (p) remove_file(s, &p->id);
    free_output(p);
}

/* ---- finished jobs; the lock is held in the next four ---- */

static void link_job(sdw_store *s, stored_job *job)
{
    stored_job *before = s->newest;
    while (before && before->finished_at > job->finished_at) before = before->older;
    job->older = before;
    job->newer = before ? before->newer : s->oldest;
    if (job->newer) job->newer->older = job;
    else s->newest = job;
    if (before) before->newer = job;
    else s->oldest = job;
}

static void unlink_job(sdw_store *s, stored_job *job)
{
    if (job->older) job->older->newer = job->newer;
    else s->oldest = job->newer;
    if (job->newer) job->newer->older = job->older;
    else s->newest = job->older;
    sdw_strmap_remove(&s->jobs, job->id.text);
    for (int i = 0; i < job->count; i++) {
        if (!job->outputs[i]) continue;
        sdw_strmap_remove(&s->outputs, job->outputs[i]->id.text);
        s->output_bytes -= job->outputs[i]->bytes;
    }
}

/* The entry that put made, or one for a file that the journal knows; NULL: no memory, or (in memory) nothing there. */
static output *adopt(sdw_store *s, const sdw_stored_output *from)
{
    output *p = sdw_strmap_get(&s->outputs, from->output.id.text);
    if (p) return p->job ? NULL : p;
    if (!s->options.dir || !(p = sdw_calloc(1, sizeof *p))) return NULL;
    p->id = from->output.id;
    p->bytes = from->output.bytes;
    memcpy(p->sha256, from->sha256, sizeof p->sha256);
    if (sdw_strmap_put(&s->outputs, p->id.text, p)) return p;
    sdw_free(p);
    return NULL;
}

static bool add_job(sdw_store *s, stored_job *job, const sdw_stored_output *outputs, int count)
{
    if (!sdw_strmap_put(&s->jobs, job->id.text, job)) return false;
    job->count = count;
    for (int i = 0; i < count; i++) {
        output *p = outputs[i].deleted || !sdw_is_hex128(outputs[i].output.id.text) ? NULL : adopt(s, &outputs[i]);
        job->outputs[i] = p;
        if (!p) continue;
        p->job = job;
        p->index = i;
        s->output_bytes += p->bytes;
    }
    link_job(s, job);
    return true;
}

sdw_status sdw_store_add(sdw_store *s, const sdw_job_id *id, double finished_at, const sdw_stored_output *outputs, int count, sdw_error *err)
{
    if (count < 0 || count > SDW_JOB_PICTURES_MAX) return sdw_fail(err, SDW_INTERNAL, "job %s: %d pictures, want 0..%d", id->text, count, SDW_JOB_PICTURES_MAX);
    stored_job *job = sdw_calloc(1, sizeof *job);
    if (!job) return sdw_fail_memory(err, "finished job", sizeof *job);
    job->id = *id;
    job->finished_at = finished_at;
    sdw_status status = SDW_OK;
    pthread_mutex_lock(&s->lock);
    if (sdw_strmap_get(&s->jobs, id->text)) status = sdw_fail(err, SDW_EXISTS, "job %s: is counted as finished already", id->text);
    else if (!add_job(s, job, outputs, count)) status = sdw_fail_memory(err, "table of finished jobs", 0);
    pthread_mutex_unlock(&s->lock);
    if (status != SDW_OK) sdw_free(job);
    return status;
}

static sdw_status unknown(const sdw_output_id *id, sdw_error *err)
{
    return sdw_fail(err, SDW_NOT_FOUND, "output %.32s: is not known, or no longer kept", id->text);
}

static sdw_status read_output(sdw_store *s, const sdw_output_id *id, const sdw_output_place *place, sdw_blob **ret, sdw_error *err)
{
    char path[64], sha256[SDW_SHA256_HEX_SIZE];
    sdw_buf file;
    size_t size = 0;
    snprintf(path, sizeof path, "outputs/%s", id->text);
    sdw_buf_init(&file, 0);
    sdw_status status = sdw_file_read_at(s->io, s->options.dir->outputs, id->text, path, place->bytes, &file, err);
    if (status == SDW_OK) status = sdw_sha256_bytes(file.data, file.size, sha256, err);
    if (status == SDW_OK && strcmp(sha256, place->sha256) != 0) status = sdw_fail(err, SDW_IO, "%s: is damaged, its SHA-256 is %s", path, sha256);
    if (status == SDW_LIMIT) status = sdw_fail(err, SDW_IO, "%s: is damaged, it is longer than %zu bytes", path, place->bytes);
    void *data = status == SDW_OK ? sdw_buf_take(&file, &size) : NULL;
    if (status == SDW_OK && !(*ret = sdw_blob_take(data, size))) status = sdw_fail_memory(err, "stored picture", size);
    sdw_buf_finish(&file);
    return status;
}

sdw_status sdw_store_output_get(sdw_store *s, const sdw_output_id *id, sdw_output_place *ret, sdw_blob **ret_blob, sdw_error *err)
{
    sdw_output_place place;
    sdw_blob *blob = NULL;
    pthread_mutex_lock(&s->lock);
    const output *p = sdw_strmap_get(&s->outputs, id->text);
    if (p && !p->job) p = NULL;
    if (p) {
        place = (sdw_output_place){ .job = p->job->id, .index = p->index, .bytes = p->bytes };
        memcpy(place.sha256, p->sha256, sizeof place.sha256);
        if (ret_blob) blob = sdw_blob_ref(p->blob);
    }
    pthread_mutex_unlock(&s->lock);
    if (!p) return unknown(id, err);
    sdw_status status = ret_blob && !blob ? read_output(s, id, &place, &blob, err) : SDW_OK;
    if (status != SDW_OK) return status;
    *ret = place;
    if (ret_blob) *ret_blob = blob;
    return SDW_OK;
}

sdw_status sdw_store_output_delete(sdw_store *s, const sdw_output_id *id, sdw_output_place *ret, sdw_error *err)
{
    pthread_mutex_lock(&s->lock);
    output *p = sdw_strmap_get(&s->outputs, id->text);
    if (p && !p->job) p = NULL;
    if (p) {
        *ret = (sdw_output_place){ .job = p->job->id, .index = p->index, .bytes = p->bytes };
        memcpy(ret->sha256, p->sha256, sizeof ret->sha256);
        p->job->outputs[p->index] = NULL;
        s->output_bytes -= p->bytes;
        sdw_strmap_remove(&s->outputs, id->text);
    }
    pthread_mutex_unlock(&s->lock);
    if (!p) return unknown(id, err);
    remove_file(s, id);
    free_output(p);
    return SDW_OK;
}

/* The lock is held. */
static bool over_bounds(const sdw_store *s)
{
    return s->jobs.count > (size_t)s->options.results_max || (s->output_bytes > s->options.bytes_max && s->jobs.count > 1);
}

/* Out of the tables already. */
static void remove_job(sdw_store *s, stored_job *job)
{
    for (int i = 0; i < job->count; i++) {
        if (job->outputs[i]) remove_file(s, &job->outputs[i]->id);
        free_output(job->outputs[i]);
    }
    sdw_free(job);
}

bool sdw_store_expire(sdw_store *s, double now, sdw_job_id *ret_job)
{
    pthread_mutex_lock(&s->lock);
    stored_job *job = s->oldest;
    if (job && !over_bounds(s) && now - job->finished_at < s->options.ttl_s) job = NULL;
    if (job) unlink_job(s, job);
    pthread_mutex_unlock(&s->lock);
    if (!job) return false;
    *ret_job = job->id;
    remove_job(s, job);
    return true;
}

void sdw_store_forget(sdw_store *s, const sdw_job_id *id)
{
    pthread_mutex_lock(&s->lock);
    stored_job *job = sdw_strmap_get(&s->jobs, id->text);
    if (job) unlink_job(s, job);
    pthread_mutex_unlock(&s->lock);
    if (job) remove_job(s, job);
}

double sdw_store_next_expiry(sdw_store *s, double now)
{
    double left = -1;
    pthread_mutex_lock(&s->lock);
    if (s->oldest) left = s->oldest->finished_at + s->options.ttl_s - now;
    if (s->oldest && (over_bounds(s) || left < 0)) left = 0;
    pthread_mutex_unlock(&s->lock);
    return left;
}

/* ---- files nobody holds ---- */

static size_t sweep_folder(sdw_store *s, int folder, const sdw_strmap *held, size_t digits)
{
    size_t removed = 0;
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    if (!d) {
        if (copy >= 0) close(copy);
        return 0;
    }
    for (struct dirent *e; (e = readdir(d));) {
        if (!sdw_is_hex(e->d_name, digits)) continue;
        pthread_mutex_lock(&s->lock);
        bool known = sdw_strmap_get(held, e->d_name) != NULL;
        pthread_mutex_unlock(&s->lock);
        if (!known && s->io->unlinkat(s->io->ctx, folder, e->d_name) == 0) removed++;
    }
    closedir(d);
    return removed;
}

size_t sdw_store_sweep(sdw_store *s)
{
    if (!s->options.dir) return 0;
    return sweep_folder(s, s->options.dir->inputs, &s->inputs, 64) + sweep_folder(s, s->options.dir->outputs, &s->outputs, 32);
}

void sdw_store_stats_of(sdw_store *s, sdw_store_stats *ret)
{
    pthread_mutex_lock(&s->lock);
    *ret = (sdw_store_stats){ .jobs = s->jobs.count, .outputs = s->outputs.count, .inputs = s->inputs.count, .output_bytes = s->output_bytes };
    pthread_mutex_unlock(&s->lock);
}
