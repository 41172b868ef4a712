/* names.h - the words that stand for a job's kind, status and preview in JSON and in the journal. */
#ifndef SDW_WORKER_NAMES_H
#define SDW_WORKER_NAMES_H

#include "sdw/worker.h"

const char *sdw_kind_word(sdw_job_kind k);         /* "generation", "transform", "inpaint" */
const char *sdw_preview_word(sdw_preview_kind k); /* "latent", "vae", "none" */
/* false: no such word, *ret untouched. NULL is no word. */
bool sdw_kind_of_word(const char *word, sdw_job_kind *ret);
bool sdw_preview_of_word(const char *word, sdw_preview_kind *ret);
bool sdw_status_of_word(const char *word, sdw_job_status *ret);

/* "job-" and a UUID version 4 as sdw_uuid_v4 writes it. */
bool sdw_is_job_id(const char *text);

#endif
