/* ticket.h - what the worker knows of one job, from submit until it is forgotten.
 *
 * Holders: the table, the engine thread while the job is active, a desk task, a submit in progress. The last one to let
 * go frees it. Fields say who may touch them. */
#ifndef SDW_WORKER_TICKET_H
#define SDW_WORKER_TICKET_H

#include "core/digest.h"
#include "worker/events.h"
#include "worker/job_record.h"
#include "worker/models.h"

typedef enum sdw_wish { SDW_WISH_NONE, SDW_WISH_CANCEL, SDW_WISH_KEEP, SDW_WISH_TIMEOUT } sdw_wish;

/* What the journal must still hear of a job, told by the desk (keeping.h). */
typedef enum sdw_note { SDW_NOTE_NONE, SDW_NOTE_CANCELLING, SDW_NOTE_ENDED, SDW_NOTE_KEPT } sdw_note;

typedef struct sdw_ticket sdw_ticket;
struct sdw_ticket {
    /* Fixed by submit. */
    sdw_job_id id;
    sdw_job_kind kind;
    sdw_params params;           /* the request, owned; its seed is drawn */
    size_t bytes;                /* of its texts and pictures */
    sdw_preview_kind preview;
    int preview_every, quality;
    double timeout;              /* seconds from the start; 0 = none */
    char format[8], face[12];
    char *tag, *echo, *model_id; /* owned */
    double created_at;           /* wall */
    uint64_t order;              /* of the POSTs */
    sdw_model_entry *entry;      /* held; NULL for a job from the journal that has ended, or has not met its model yet */
    char model_hash[SDW_DIGEST_HEX_SIZE]; /* of the model that it was accepted for; "" = not known */
    char init_name[SDW_SHA256_HEX_SIZE], mask_name[SDW_SHA256_HEX_SIZE]; /* held in the store until the job has ended; "" = none */

    /* Guarded by the worker's mutex. */
    int holders;
    bool in_table, in_queue, active;
    sdw_ticket *newer, *older;   /* table, by order */
    sdw_ticket *same_bucket;
    sdw_ticket *next;            /* queue, or the dead */
    sdw_job_status status;
    sdw_wish wish;
    bool early;                  /* finish_early */
    bool kept;                   /* the worker stops and keeps the job */
    double started_at, finished_at; /* wall */
    double started, finished;    /* monotonic */
    double deadline;             /* monotonic; 0 = none */
    int step, total, picture, pictures;
    sdw_job_error error;
    sdw_event_list events;
    int previews_pending;        /* on the desk */
    bool preview_wanted;         /* on demand, at the next step */
    sdw_blob *preview_latest;
    sdw_stored_output *output;   /* owned; set once, when it completes */
    int output_count;
    sdw_note note;
    bool end_is_written;         /* the journal knows the end already */
    sdw_ticket *next_noted;
    sdw_blob *params_json;

    /* The engine thread's alone. */
    sdw_exec_job *run;
    sdw_params resolved;         /* borrows params */
    int slots;                   /* pictures that advance together */
    int reported;                /* last step told */
    bool waited_for_model;       /* which was loaded for it */
    uint64_t served;             /* when it last had a turn */
    bool sliced;                 /* it is in a phase that runs in slices and keeps memory between them */
    bool looking;                /* a decoded preview is under way */
    bool look_next;              /* its next turn is for that preview */
    int look_step, look_total;
    int preview_last;            /* step whose decoded preview is the result itself; 0 = none */
};

/* Copies r; the seed must be set in r->params. ret_ticket has one holder, the caller, and no entry. */
sdw_status sdw_ticket_create(const sdw_job_request *r, sdw_ticket **ret_ticket, sdw_error *err);
void sdw_ticket_free(sdw_ticket *t); /* accepts NULL; leaves the entry alone */
/* An id as sdw/worker.h describes it. */
sdw_status sdw_job_id_draw(sdw_job_id *ret, sdw_error *err);
/* A seed below 2^53 - 8: it, and those of the pictures after it, survive JSON numbers. */
sdw_status sdw_job_seed_draw(uint64_t *ret, sdw_error *err);
/* p as JSON, with the model's id; NULL without memory. */
sdw_blob *sdw_ticket_params_json(const sdw_ticket *t, const sdw_params *p);

#endif
