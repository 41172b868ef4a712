/* catalog.h - the models on this machine: what lies in the hub's cache, in the folder that programs of this family share,
 * beside the program and in folders that a person names; what each is, whether it is whole, whether its bytes are what
 * they should be; and how one is removed. Nothing here makes a request. Any thread. */
#ifndef SDW_HUB_CATALOG_H
#define SDW_HUB_CATALOG_H

#include "hub/cache.h"

/* X(NAME, text, meaning) */
#define SDW_CATALOG_PLACE_LIST(X)                                  \
    X(HUB, "hub", "the hub's cache")                               \
    X(MODELS, "models", "the folder shared with other programs")   \
    X(DEMO, "demo", "the demo model")                              \
    X(GIVEN, "given", "a path that was named")

#define SDW_CATALOG_STATE_LIST(X)                                               \
    X(COMPLETE, "complete", "everything is there")                              \
    X(INCOMPLETE, "incomplete", "something is missing or damaged")              \
    X(UNSUPPORTED, "unsupported", "a model that this program cannot run")

typedef enum sdw_catalog_place {
#define X(name, text, meaning) SDW_CATALOG_##name,
    SDW_CATALOG_PLACE_LIST(X)
#undef X
} sdw_catalog_place;
typedef enum sdw_catalog_state {
#define X(name, text, meaning) SDW_CATALOG_##name,
    SDW_CATALOG_STATE_LIST(X)
#undef X
} sdw_catalog_state;

const char *sdw_catalog_place_name(sdw_catalog_place p);
const char *sdw_catalog_state_name(sdw_catalog_state s);

typedef struct sdw_catalog_entry {
    char *name;                          /* what --model takes; owned */
    char *path;                          /* folder in diffusers layout, or a file; owned */
    sdw_catalog_place place;
    char id[SDW_HUB_ID_SIZE];            /* of the hub's cache: repository, commit, and a ref that names it; else "" */
    char commit[SDW_HUB_COMMIT_SIZE];
    char revision[SDW_HUB_REVISION_SIZE];
    const char *family;                  /* static; NULL = not known */
    char dtypes[64];                     /* "F16 F32"; "" = not known */
    uint64_t bytes;                      /* of its files on this machine */
    sdw_catalog_state state;
    char *problem;                       /* one sentence; NULL = complete; owned */
} sdw_catalog_entry;

typedef struct sdw_catalog {
    sdw_catalog_entry *entries;          /* owned */
    size_t count, capacity;
} sdw_catalog;

/* Where to look; NULL and 0 leave a place out. Borrowed. */
typedef struct sdw_catalog_places {
    const char *cache;                   /* root of the hub's cache */
    const char *models;                  /* ~/.cache/rbee/models */
    const char *demo;                    /* the demo model's folder */
    const char *const *given;            /* models, or folders with models one or two levels below */
    size_t given_count;
} sdw_catalog_places;

/* All of them, place by place, in order of their names. Headers are read, no weights. What is in a place and is no
 * model of pictures is left out; what a person named is not: it is listed with its problem. SDW_NOT_FOUND for a given
 * path that does not exist. */
sdw_status sdw_catalog_read(const sdw_catalog_places *places, sdw_catalog *ret, sdw_error *err);
void sdw_catalog_finish(sdw_catalog *c);

/* The entries that `name` means, without describing them: a path that exists, else ORG/NAME[@REVISION] or NAME in the
 * shared folder, else in the cache (all snapshots, or those of the revision). SDW_NOT_FOUND names the places. */
sdw_status sdw_catalog_find(const sdw_catalog_places *places, const char *name, sdw_catalog *ret, sdw_error *err);

/* Fills in family, types, bytes, state and problem of such an entry, from configurations and headers. A commit is judged
 * by its listing too. */
sdw_status sdw_catalog_describe(const sdw_catalog_places *places, sdw_catalog_entry *e, sdw_error *err);

/* ---- verifying ---- */

typedef enum sdw_verified { SDW_VERIFIED_RIGHT, SDW_VERIFIED_WRONG, SDW_VERIFIED_UNKNOWN, SDW_VERIFIED_UNREADABLE } sdw_verified;

typedef struct sdw_verified_file {
    const char *path;                    /* within the model; valid during the call */
    uint64_t size;
    const char *wanted, *found;          /* hex digits; wanted "" = nobody knows, found "" = cannot be read */
    sdw_verified result;
} sdw_verified_file;

typedef struct sdw_verify_hooks {
    void *ctx;
    void (*file)(void *ctx, const sdw_verified_file *f);  /* after each; may be NULL */
    bool (*cancelled)(void *ctx);                         /* between pieces; may be NULL */
} sdw_verify_hooks;

typedef struct sdw_verify_result {
    size_t right, wrong, unknown;        /* files; unreadable ones count as wrong */
    uint64_t bytes;
} sdw_verify_result;

/* Reads every file of the entry and compares its hash with the name of its blob and with the listing of its commit; a
 * file outside of the cache has none to compare with and is only hashed. SDW_OK also if hashes are wrong: see *ret.
 * SDW_CANCELLED. hooks may be NULL. */
sdw_status sdw_catalog_verify(const sdw_catalog_places *places, const sdw_catalog_entry *e, const sdw_verify_hooks *hooks,
                              sdw_verify_result *ret, sdw_error *err);

/* ---- removing ---- */

typedef struct sdw_removed {
    size_t files, kept_blobs;            /* kept: another snapshot needs them */
    uint64_t bytes;
} sdw_removed;

/* Removes what the entries of sdw_catalog_find are, all of one name. Only below the cache and the shared folder, else
 * SDW_INVALID; SDW_BUSY if another process holds a lock of it, before anything is touched. Blobs of other snapshots
 * stay. Links are removed, never followed. dry: count only. */
sdw_status sdw_catalog_remove(const sdw_catalog_places *places, const sdw_catalog *found, bool dry, sdw_removed *ret,
                              sdw_error *err);

#endif
