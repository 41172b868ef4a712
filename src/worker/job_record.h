/* job_record.h - one job as the journal knows it, and as JSON. */
#ifndef SDW_WORKER_JOB_RECORD_H
#define SDW_WORKER_JOB_RECORD_H

#include "core/buf.h"
#include "core/sha256.h"
#include "sdw/worker.h"

/* A picture of a finished job as it is stored. */
typedef struct sdw_stored_output {
    sdw_job_output output;
    char sha256[SDW_SHA256_HEX_SIZE]; /* of the encoded file */
    bool deleted;                     /* forgotten on request; the place in the list stays */
} sdw_stored_output;

/* How a job ended. */
typedef struct sdw_job_end {
    sdw_job_status status;       /* COMPLETED, FAILED, WAS_CANCELLED */
    double started_at, finished_at; /* started_at 0: never */
    sdw_job_error error;         /* FAILED */
    sdw_stored_output outputs[SDW_JOB_PICTURES_MAX]; int output_count;
    const char *resolved;        /* the request as it ran, as JSON; may be NULL */
    uint64_t last_event;         /* number of the end marker, so that a resuming reader sees what he has not seen */
    int step, total;             /* where it stood */
} sdw_job_end;

/* Zero-initialise, then sdw_params_init(&r.params), as for sdw_job_request. Texts are borrowed when written, and owned
 * by `owner` after reading. */
typedef struct sdw_job_record {
    sdw_job_id id;
    sdw_job_kind kind;
    double created_at;           /* seconds since 1970 */
    sdw_params params;           /* seed drawn; pictures are not written and NULL after reading */
    char init_image[SDW_SHA256_HEX_SIZE], mask[SDW_SHA256_HEX_SIZE]; /* names in the store's inputs; "" = none */
    const char *model, *model_hash; /* id, and what tells two models of one id apart */
    const char *format;
    int quality, preview_every;
    sdw_preview_kind preview;
    double timeout_s;
    const char *face, *tag, *echo;
    /* Of the idempotency table; is_idempotent false: none. */
    bool is_idempotent;
    uint8_t idempotency_key[32], body_hash[32];

    /* What became of it, filled by the journal. status is QUEUED for a job that has not ended. */
    int attempts;                /* times it was started by a process that then died */
    sdw_job_end end;
    void *owner;
} sdw_job_record;

/* Appends the accepted part as one JSON object. INVALID: a text that is no UTF-8. */
sdw_status sdw_job_record_write(const sdw_job_record *r, sdw_buf *out, sdw_error *err);
/* Reads it; *ret is to be finished. Keys that nobody knows are passed over. FORMAT, INVALID, NO_MEMORY. */
sdw_status sdw_job_record_read(const char *json, size_t size, sdw_job_record *ret, sdw_error *err);
void sdw_job_record_finish(sdw_job_record *r); /* accepts a zeroed one */

/* The same for an end; texts belong to *ret_owner, freed by sdw_job_end_free. */
sdw_status sdw_job_end_write(const sdw_job_id *id, const sdw_job_end *e, sdw_buf *out, sdw_error *err);
sdw_status sdw_job_end_read(const char *json, size_t size, sdw_job_end *ret, void **ret_owner, sdw_error *err);
void sdw_job_end_free(void *owner);

#endif
