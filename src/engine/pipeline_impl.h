/* pipeline_impl.h - what pipeline.c (opening, parts, memory) and pipeline_run.c (running) share; nobody else's. */
#ifndef SDW_ENGINE_PIPELINE_IMPL_H
#define SDW_ENGINE_PIPELINE_IMPL_H

#include <pthread.h>

#include "engine/pipeline.h"
#include "model/clip.h"
#include "model/unet.h"
#include "model/vae.h"
#include "tensor/plan.h"

typedef struct sdw_part {
    sdw_weight **weights;      /* arena; of the binder */
    size_t count;
    bool packed;
} sdw_part;

typedef enum sdw_plan_kind { SDW_PLAN_NONE, SDW_PLAN_TEXT, SDW_PLAN_CONDITION, SDW_PLAN_STEP, SDW_PLAN_DECODE, SDW_PLAN_ENCODE } sdw_plan_kind;

/* A plan is what is recorded for these numbers; unused ones are 0. */
typedef struct sdw_plan_key {
    sdw_plan_kind kind;
    int rows, tokens, h, w;
    int encoder, layer, outputs; /* text: which encoder, hidden layer, which outputs (bits) */
} sdw_plan_key;

typedef struct sdw_plan_slot {
    sdw_plan_key key;
    sdw_plan *plan;
    union {
        sdw_clip_io text;
        sdw_unet_condition_io condition;
        sdw_unet_step_io step;
        sdw_vae_io vae;
    } io;
    uint64_t last_use;
    int pins;                   /* unfinished runs: it must stay */
} sdw_plan_slot;

enum { SDW_PLAN_SLOTS = 16, SDW_PLAN_SIZES = 32 };

/* What planning found for a key. */
typedef struct sdw_plan_size {
    sdw_plan_key key;
    size_t pool_bytes;
    double flop;
} sdw_plan_size;

struct sdw_pipeline {
    sdw_arena arena;
    sdw_backend *backend;
    sdw_model_files *files;
    sdw_scheduler_config scheduler;
    sdw_clip_bpe *tokenizer[2];
    sdw_pipeline_shape shape;
    sdw_clip clip[2];
    sdw_unet unet;
    sdw_vae vae;
    sdw_part part[SDW_PART_COUNT];
    sdw_plan_slot slot[SDW_PLAN_SLOTS];
    uint64_t use_clock;
    void *pool;                 /* activations of whichever plan runs */
    size_t pool_bytes;
    uint64_t away_bytes;        /* of pools that unfinished runs hold */
    uint64_t condition_bytes, condition_serials;
    atomic_bool cancel;
    pthread_mutex_t size_mutex; /* guards what follows: any thread asks for sizes */
    sdw_plan_size size[SDW_PLAN_SIZES]; /* a ring */
    int size_count, size_next;
};

struct sdw_condition {
    uint64_t serial;
    int rows, tokens;
    float *kv;                  /* all keys and values, one after another */
    size_t *kv_offset;          /* floats; context_count of them */
    float *added;               /* (rows, time_width) or NULL */
    size_t bytes;
};

/* Packs the weights of a part unless they are. */
sdw_status sdw_pipeline_need(sdw_pipeline *p, sdw_part_id part, sdw_error *err);
/* A plan for key from the cache, or a new one (the least recently used makes room). */
sdw_status sdw_pipeline_plan(sdw_pipeline *p, const sdw_plan_key *key, sdw_plan_slot **ret, sdw_error *err);
/* Pool and work of a plan for key, without keeping one. Any thread. */
sdw_status sdw_pipeline_plan_size(sdw_pipeline *p, const sdw_plan_key *key, sdw_plan_size *ret, sdw_error *err);
/* Runs the slot's plan in the pool. Bound tensors are bound before. */
sdw_status sdw_pipeline_run(sdw_pipeline *p, sdw_plan_slot *slot, sdw_error *err);
/* Bytes of a condition for rows and tokens. */
size_t sdw_condition_bytes(const sdw_unet *u, int rows, int tokens);

#endif
