/* sse_format.h - a job's events as the bytes of the three generations of the protocol (worker-protocol 5.2, 5.5, 5.6).
 * Pure: the same event gives the same bytes for every reader. Any thread. */
#ifndef SDW_SERVER_SSE_FORMAT_H
#define SDW_SERVER_SSE_FORMAT_H

#include "core/buf.h"
#include "sdw/worker.h"

typedef enum sdw_sse_form {
    SDW_SSE_G2, /* named events, [DONE] / [ERROR] / [CANCELLED] */
    SDW_SSE_G1, /* unnamed events, always [DONE] */
    SDW_SSE_G0  /* named events, no marker, no ids */
} sdw_sse_form;

/* What the last events need to know of the job; borrowed. */
typedef struct sdw_sse_job {
    const char *id, *model, *format;
    const char *error_message;   /* for the marker of a failed job */
    double elapsed_ms;
    int width, height, pictures; /* of a completed job; pictures with their encoded bytes and seeds */
    sdw_blob *const *picture;
    const uint64_t *seeds;
} sdw_sse_job;

/* Events on their way to one reader: text, and the places in it where a picture belongs in base64. The pictures stay
 * shared until the moment they are sent, so that a reader that stalls holds no copy of them. Zero-initialise. */
#define SDW_SSE_PICTURES_MAX (SDW_JOB_PICTURES_MAX + 1) /* "image" and "images" */
typedef struct sdw_sse_pieces {
    sdw_buf text;
    struct { size_t at; sdw_blob *blob; } insert[SDW_SSE_PICTURES_MAX]; /* blobs owned */
    int inserts;
    size_t text_done;            /* how far sdw_sse_take has come */
    int insert_done;
    size_t blob_done;
} sdw_sse_pieces;

/* Adds the event, or nothing where this form has none for it. with_id: an "id: <number>" line comes first. False: no
 * memory, or more pictures than there is room for. */
bool sdw_sse_append(sdw_sse_pieces *p, sdw_sse_form form, bool with_id, const sdw_sse_job *job, const sdw_event *e);
/* Moves about `size` bytes, or what is left, to out. False: no room or no memory in out. */
bool sdw_sse_take(sdw_sse_pieces *p, size_t size, sdw_buf *out);
bool sdw_sse_empty(const sdw_sse_pieces *p);
void sdw_sse_pieces_finish(sdw_sse_pieces *p);

/* Whether this form shows the event at all. */
bool sdw_sse_shows(sdw_sse_form form, sdw_event_kind kind);
bool sdw_sse_is_end(sdw_event_kind kind);

/* 100 * step / total with two decimals, at least one printed: "5.0", "3.33", "100.0"; G0's has one. */
void sdw_sse_percent(sdw_sse_form form, int step, int total, char ret[16]);

/* "g1" and "legacy", "g2"; NULL or "" is g2. False: another word. */
bool sdw_sse_form_parse(const char *word, sdw_sse_form *ret);

/* The number in Last-Event-ID; 0 if it is not one. */
uint64_t sdw_sse_last_id(const char *text);

#endif
