/* ticket.c - see ticket.h. */
#include "worker/ticket.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/uuid.h"
#include "sdw/request.h"
#include "worker/blob.h"
#include "worker/params_copy.h"

sdw_status sdw_job_id_draw(sdw_job_id *ret, sdw_error *err)
{
    memcpy(ret->text, "job-", 4);
    return sdw_uuid_v4(ret->text + 4, err);
}

sdw_status sdw_job_seed_draw(uint64_t *ret, sdw_error *err)
{
    const uint64_t end = ((uint64_t)1 << 53) - 8;
    uint64_t seed;
    sdw_status status;
    do status = sdw_random_bytes(&seed, sizeof seed, err);
    while (status == SDW_OK && (seed >>= 11) >= end);
    if (status == SDW_OK) *ret = seed;
    return status;
}

static sdw_job_kind kind_of(const sdw_params *p)
{
    return p->mask ? SDW_JOB_INPAINT : p->init_image ? SDW_JOB_TRANSFORM : SDW_JOB_GENERATION;
}

static bool copy_text(char **to, const char *from)
{
    *to = sdw_strdup(from);
    return !from || *to;
}

sdw_status sdw_ticket_create(const sdw_job_request *r, sdw_ticket **ret_ticket, sdw_error *err)
{
    sdw_ticket *t = sdw_calloc(1, sizeof *t);
    if (!t) return sdw_fail_memory(err, "job", sizeof *t);
    t->holders = 1;
    t->kind = kind_of(&r->params);
    t->preview = r->preview;
    t->preview_every = r->preview_every;
    t->quality = r->quality;
    t->timeout = r->timeout_s;
    t->created_at = sdw_clock_wall_s();
    snprintf(t->format, sizeof t->format, "%s", r->format ? r->format : "png");
    snprintf(t->face, sizeof t->face, "%s", r->face ? r->face : "");
    const int places = SDW_NARRATIONS_MAX + SDW_EVENT_ENDS;
    sdw_status status = sdw_params_copy(&r->params, &t->params, &t->bytes, err);
    if (status == SDW_OK) status = sdw_job_id_draw(&t->id, err);
    if (status == SDW_OK) {
        bool ok = copy_text(&t->tag, r->tag);
        ok = copy_text(&t->echo, r->echo) && ok;
        sdw_event *array = sdw_event_array(places);
        if (array) sdw_event_list_grow(&t->events, array, places);
        if (!ok || !array) status = sdw_fail_memory(err, "job", sizeof *t);
    }
    if (status != SDW_OK) sdw_ticket_free(t);
    else *ret_ticket = t;
    return status;
}

void sdw_ticket_free(sdw_ticket *t)
{
    if (!t) return;
    sdw_params_finish(&t->params);
    sdw_event_list_finish(&t->events);
    sdw_blob_unref(t->preview_latest);
    sdw_free(t->tag);
    sdw_free(t->echo);
    sdw_free(t->model_id);
    sdw_free(t->output);
    sdw_blob_unref(t->params_json);
    sdw_free(t);
}

sdw_blob *sdw_ticket_params_json(const sdw_ticket *t, const sdw_params *p)
{
    char *text = NULL;
    sdw_request_record r = { .params = *p, .model = t->model_id };
    r.params.init_image = r.params.mask = NULL;
    return sdw_request_write_json(&r, &text, NULL) == SDW_OK ? sdw_blob_take(text, strlen(text)) : NULL;
}
