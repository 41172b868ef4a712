/* replay.h - what the files of this folder share: one open folder of vectors, and comparing with it. */
#ifndef SDW_ORACLE_REPLAY_H
#define SDW_ORACLE_REPLAY_H

#include "core/json.h"
#include "engine/inside.h"
#include "io/checkpoint.h"
#include "oracle/oracle.h"

#define SDW_REPLAY_NAME_MAX 160

typedef struct sdw_replay {
    const sdw_oracle_options *options;
    sdw_oracle_totals *totals;
    const char *folder;        /* for lines */
    sdw_checkpoint *golden;
    yyjson_doc *prompts, *sizes; /* of the metadata; NULL if absent */
    sdw_engine *engine;
    sdw_pipeline *pipeline;
    double component_tolerance;
} sdw_replay;

/* A vector widened to f32, whatever its type: ids and pixels are exact in it. */
typedef struct sdw_vector {
    float *values; /* owned */
    size_t count;
    int rank;
    int64_t shape[SDW_RANK_MAX];
} sdw_vector;
void sdw_vector_finish(sdw_vector *v);

/* Each name is given in printf form, such as ("unet.%d.out", i). */
#if defined(__GNUC__)
#define SDW_REPLAY_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define SDW_REPLAY_PRINTF(a, b)
#endif

/* Loads and marks as used; false if the vector is absent (or there is no memory). */
bool sdw_replay_load(sdw_replay *r, sdw_vector *ret, const char *format, ...) SDW_REPLAY_PRINTF(3, 4);
bool sdw_replay_has(const sdw_replay *r, const char *format, ...) SDW_REPLAY_PRINTF(2, 3);
/* Is there a vector that begins so, and is it asked for by options.only? Marks all of that beginning as used. */
bool sdw_replay_wants(sdw_replay *r, const char *format, ...) SDW_REPLAY_PRINTF(2, 3);

/* How near is near enough. */
typedef enum sdw_measure {
    SDW_MEASURE_L2,        /* relative L2 of the whole <= limit */
    SDW_MEASURE_SLICES,    /* the same of every slice of the first dimension; the worst one is told */
    SDW_MEASURE_ABSOLUTE,  /* every difference <= limit */
    SDW_MEASURE_RELATIVE,  /* every difference <= limit * value */
    SDW_MEASURE_LEVELS,    /* pixels 0..255: at most 1 off, at most `limit` of the values different */
    SDW_MEASURE_PICTURE,   /* values 0..1: as LEVELS, differences counted beyond half a level */
} sdw_measure;

typedef struct sdw_tolerance {
    sdw_measure measure;
    double limit;
} sdw_tolerance;

/* Compares got with the vector of that name and tells a line; nothing if the vector is absent. */
void sdw_replay_compare(sdw_replay *r, const float *got, size_t count, sdw_tolerance t, const char *format, ...)
    SDW_REPLAY_PRINTF(5, 6);
/* The same against a vector in hand, for comparisons that are no tensor of the file. */
void sdw_replay_compare_with(sdw_replay *r, const float *got, size_t count, const sdw_vector *want, sdw_tolerance t,
                             const char *name);
void sdw_replay_tell(sdw_replay *r, sdw_oracle_outcome outcome, const char *name, const char *reason);

/* prompts[i][which] (0 prompt, 1 negative) and sizes[i]; NULL and false where the metadata lacks them. */
const char *sdw_replay_prompt(const sdw_replay *r, int i, int which);
bool sdw_replay_size(const sdw_replay *r, int i, int *ret_width, int *ret_height);

/* components.c */
void sdw_replay_components(sdw_replay *r);
/* pipelines.c: all of them, or (for a second copy of the weights) one of each kind. */
void sdw_replay_pipelines(sdw_replay *r);
void sdw_replay_samplers(sdw_replay *r);
/* noise.c and tokens.c: the vectors of a root. */
sdw_status sdw_replay_noise(sdw_replay *r, const char *path, sdw_error *err);
sdw_status sdw_replay_tokens(sdw_replay *r, const char *path, const char *tokenizer_dir, sdw_error *err);

#endif
