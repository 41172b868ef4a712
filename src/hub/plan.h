/* plan.h - what a pull will do: which commit, which files, which of them are missing. Writes nothing but the
 * mark that a file asked for by name does not exist. */
#ifndef SDW_HUB_PLAN_H
#define SDW_HUB_PLAN_H

#include "hub/ask.h"
#include "hub/cache.h"
#include "hub/select.h"

/* What somebody wants of a repository. */
typedef struct sdw_hub_wish {
    const char *id;
    const char *revision;     /* NULL = main */
    const char *file;         /* one file instead of a model; NULL = what select.h chooses */
    const char *variant;      /* insisted on; NULL = fp16 where there is one, or what lies complete in the cache */
    bool safety_checker;
} sdw_hub_wish;

/* One content that is needed, with every path that it stands under. */
typedef struct sdw_hub_task {
    size_t first, count;      /* run of plan->order */
    uint64_t size;
    bool present;             /* all its paths are in the snapshot */
} sdw_hub_task;

/* Zeroed is empty. Entries are borrowed from the listing. */
typedef struct sdw_hub_plan {
    char id[SDW_HUB_ID_SIZE], revision[SDW_HUB_REVISION_SIZE], commit[SDW_HUB_COMMIT_SIZE];
    char path[SDW_HUB_PATH_MAX]; /* what the model will be: the snapshot's folder, or its one file */
    bool from_cache;             /* nothing was asked, or the hub was not reached: `path` is complete, the rest is empty */
    sdw_hub_listing listing;     /* owned */
    sdw_hub_selection chosen;    /* owned */
    const sdw_hub_entry **order; /* owned: the chosen files, equal contents side by side */
    sdw_hub_task *tasks;         /* owned; the largest first */
    size_t task_count;
    size_t files_missing;        /* tasks that are not present */
    uint64_t bytes, bytes_missing; /* of all tasks, of the missing ones */
} sdw_hub_plan;

/* Asks the hub, but for: offline (then the cache must have it, or SDW_NOT_FOUND says what is missing), and a revision
 * that is a commit whose snapshot is complete. When the hub cannot be reached and the cache has a complete snapshot of
 * the revision, that one is taken, with a warning. *ret_kind may be NULL. */
sdw_status sdw_hub_plan_make(sdw_hub_client *c, const sdw_hub_wish *w, sdw_hub_plan *ret, sdw_hub_kind *ret_kind, sdw_error *err);
void sdw_hub_plan_finish(sdw_hub_plan *p);

#endif
