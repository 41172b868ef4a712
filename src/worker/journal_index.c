/* journal_index.c - see journal_index.h. */
#include "worker/journal_index.h"

#include <limits.h>
#include <string.h>

#include "core/hex.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/mem.h"
#include "worker/job_record.h"
#include "worker/names.h"

void sdw_journal_index_finish(sdw_journal_index *x)
{
    for (sdw_journal_job *job = x->first, *next; job; job = next) {
        next = job->after;
        sdw_free(job);
    }
    sdw_strmap_finish(&x->jobs);
    *x = (sdw_journal_index){ 0 };
}

sdw_journal_job *sdw_journal_job_create(const sdw_job_id *id)
{
    sdw_journal_job *job = sdw_calloc(1, sizeof *job);
    if (job) job->id = *id;
    return job;
}

static uint64_t bytes_of(sdw_journal_extent e)
{
    return e.at ? SDW_JOURNAL_RECORD_HEAD + e.size : 0;
}

bool sdw_journal_index_add(sdw_journal_index *x, sdw_journal_job *fresh, sdw_journal_extent accepted)
{
    if (sdw_strmap_get(&x->jobs, fresh->id.text) || !sdw_strmap_put(&x->jobs, fresh->id.text, fresh)) {
        sdw_free(fresh);
        return false;
    }
    fresh->accepted = accepted;
    fresh->before = x->last;
    if (x->last) x->last->after = fresh;
    else x->first = fresh;
    x->last = fresh;
    x->live_bytes += bytes_of(accepted);
    return true;
}

sdw_journal_job *sdw_journal_index_find(const sdw_journal_index *x, const char *id)
{
    return sdw_strmap_get(&x->jobs, id);
}

void sdw_journal_index_end(sdw_journal_index *x, sdw_journal_job *job, sdw_journal_extent end)
{
    x->live_bytes -= bytes_of(job->end);
    job->end = end;
    x->live_bytes += bytes_of(end);
}

void sdw_journal_index_remove(sdw_journal_index *x, sdw_journal_job *job)
{
    sdw_strmap_remove(&x->jobs, job->id.text);
    if (job->before) job->before->after = job->after;
    else x->first = job->after;
    if (job->after) job->after->before = job->before;
    else x->last = job->before;
    x->live_bytes -= bytes_of(job->accepted) + bytes_of(job->end);
    sdw_free(job);
}

/* ---- records as texts ---- */

static sdw_status bad_record(const sdw_journal_record *r, const char *why, sdw_error *err)
{
    return sdw_fail(err, SDW_FORMAT, "journal: the record of type %u at byte %llu %s", (unsigned)r->type, (unsigned long long)r->at, why);
}

static sdw_status apply_accepted(sdw_journal_index *x, const sdw_journal_record *r, const sdw_job_id *id, sdw_error *err)
{
    if (sdw_journal_index_find(x, id->text)) return bad_record(r, "accepts a job for the second time", err);
    sdw_journal_job *job = sdw_journal_job_create(id);
    if (!job || !sdw_journal_index_add(x, job, (sdw_journal_extent){ r->at, r->size }))
        return sdw_fail_memory(err, "index of the journal", sizeof *job);
    return SDW_OK;
}

/* Both forms of a remembered key: beside an accepted job, or alone. */
static sdw_status apply_key(yyjson_val *o, const sdw_job_id *id, yyjson_val *at, const sdw_journal_record *r, sdw_idempotency *keys, sdw_error *err)
{
    sdw_idempotency_entry e = { .job = *id, .at = yyjson_get_num(at) };
    if (!sdw_hex_to_bytes(yyjson_get_str(yyjson_obj_get(o, "key")), e.key, sizeof e.key) ||
        !sdw_hex_to_bytes(yyjson_get_str(yyjson_obj_get(o, "body")), e.body, sizeof e.body))
        return bad_record(r, "holds no idempotency key", err);
    return keys ? sdw_idempotency_restore(keys, &e, err) : SDW_OK;
}

static sdw_status apply_about(sdw_journal_index *x, sdw_journal_job *job, const sdw_journal_record *r, yyjson_val *root, sdw_error *err)
{
    yyjson_val *attempts = yyjson_obj_get(root, "attempts"), *index = yyjson_obj_get(root, "index");
    switch (r->type) {
    case SDW_JOURNAL_STARTED:
        if (attempts && (!yyjson_is_uint(attempts) || yyjson_get_uint(attempts) > INT_MAX)) return bad_record(r, "counts no attempts", err);
        if (attempts) job->attempts = (int)yyjson_get_uint(attempts);
        else if (job->attempts < INT_MAX) job->attempts++;
        return SDW_OK;
    case SDW_JOURNAL_KEPT:
        if (job->attempts > 0) job->attempts--;
        return SDW_OK;
    case SDW_JOURNAL_ENDED:
        sdw_journal_index_end(x, job, (sdw_journal_extent){ r->at, r->size });
        return SDW_OK;
    case SDW_JOURNAL_OUTPUT_DELETED:
        if (!yyjson_is_uint(index) || yyjson_get_uint(index) >= SDW_JOB_PICTURES_MAX) return bad_record(r, "names no output", err);
        job->deleted |= 1u << yyjson_get_uint(index);
        return SDW_OK;
    case SDW_JOURNAL_WITHDRAWN:
    case SDW_JOURNAL_FORGOTTEN:
        sdw_journal_index_remove(x, job);
        return SDW_OK;
    default: return SDW_OK;
    }
}

static sdw_status apply_object(sdw_journal_index *x, const sdw_journal_record *r, yyjson_val *root, sdw_idempotency *keys, sdw_error *err)
{
    sdw_job_id id;
    const char *text = yyjson_get_str(yyjson_obj_get(root, "id"));
    if (!text || !sdw_is_job_id(text)) return bad_record(r, "names no job", err);
    memcpy(id.text, text, sizeof id.text);
    if (r->type == SDW_JOURNAL_KEY) return apply_key(root, &id, yyjson_obj_get(root, "at"), r, keys, err);
    if (r->type == SDW_JOURNAL_ACCEPTED) {
        yyjson_val *o = yyjson_obj_get(root, "idempotency");
        sdw_status s = apply_accepted(x, r, &id, err);
        if (s == SDW_OK && yyjson_is_obj(o)) s = apply_key(o, &id, yyjson_obj_get(root, "created_at"), r, keys, err);
        return s;
    }
    uint8_t key[SDW_IDEMPOTENCY_HASH];
    if (r->type == SDW_JOURNAL_WITHDRAWN && keys && sdw_hex_to_bytes(yyjson_get_str(yyjson_obj_get(root, "key")), key, sizeof key))
        sdw_idempotency_forget(keys, key);
    sdw_journal_job *job = sdw_journal_index_find(x, id.text);
    return job ? apply_about(x, job, r, root, err) : SDW_OK;
}

sdw_status sdw_journal_index_apply(sdw_journal_index *x, const sdw_journal_record *r, sdw_idempotency *keys, sdw_error *err)
{
    const sdw_json_limits limits = { .bytes_max = SDW_LIMIT_JOURNAL_RECORD, .depth_max = 8, .top = SDW_JSON_OBJECT };
    yyjson_doc *doc = NULL;
    if (r->type < SDW_JOURNAL_ACCEPTED || r->type > SDW_JOURNAL_WITHDRAWN) return SDW_OK;
    sdw_error why = { 0 };
    sdw_status s = sdw_json_parse(r->payload, r->size, "record", &limits, &doc, &why);
    if (s == SDW_NO_MEMORY) return sdw_fail(err, s, "%s", why.text);
    if (s != SDW_OK) return bad_record(r, "is not the JSON it should be", err);
    s = apply_object(x, r, yyjson_doc_get_root(doc), keys, err);
    yyjson_doc_free(doc);
    return s;
}
