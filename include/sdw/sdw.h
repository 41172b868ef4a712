/* sdw.h - the public face of libsdw: open a model, describe a picture, get pixels.
 *
 *     sdw_engine *e; sdw_result *r; sdw_error err = {0};
 *     sdw_engine_open(&(sdw_engine_options){ .model = "path/to/model" }, &e, &err);
 *     sdw_params p; sdw_params_init(&p); p.prompt = "a lighthouse at dawn";
 *     sdw_generate(e, &p, NULL, NULL, &r, &err);   r->images[0].pixels is RGB, 8 bit
 *     sdw_result_free(r); sdw_engine_close(e);
 *
 * Strings are UTF-8. Nothing here prints, exits or keeps global state. An engine is used by one thread at a time;
 * sdw_engine_cancel alone may be called from any thread or signal handler. */
#ifndef SDW_H
#define SDW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sdw/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SDW_VERSION "0.1.0"

/* 8-bit pixels, rows tight, channels 1 (grey) or 3 (RGB). */
typedef struct sdw_picture {
    int width, height, channels;
    uint8_t *pixels;
} sdw_picture;

/* Called with warnings, one sentence each; must not call back into the engine. */
typedef void sdw_warn_fn(void *ctx, const char *sentence);

typedef struct sdw_engine sdw_engine;

typedef struct sdw_engine_options {
    const char *model;       /* diffusers folder or .safetensors file */
    const char *config_dir;  /* configs for a single file that detection does not know; NULL = none */
    const char *variant;     /* weight variant to insist on, such as "fp16"; NULL = plain, else fp16 */
    const char *prediction;  /* "epsilon" or "v_prediction"; NULL = the model's */
    const char *isa;         /* cap: "scalar", "avx2", "avx512"; NULL = $SDW_CPU_MAX, else the best */
    const char *precision;   /* of the heavy products: "f32", "f16", "bf16", "int8", "auto"; NULL = $SDW_PRECISION, else "f32" */
    int threads;             /* 0 = all that the process may use */
    uint64_t memory_limit;   /* bytes the process may need in all; 0 = what the machine has */
    int release_parts;       /* 1: free a part's weights as soon as a call needs it no more (programs that draw once) */
    sdw_warn_fn *warn;       /* NULL = warnings are dropped */
    void *warn_ctx;
} sdw_engine_options;

/* Reads configs and headers and checks that every weight is there with the right shape; packs weights of a part when
 * it is first needed. Errors: NOT_FOUND, FORMAT, UNSUPPORTED, NO_MEMORY, IO. */
sdw_status sdw_engine_open(const sdw_engine_options *o, sdw_engine **ret_engine, sdw_error *err);
void sdw_engine_close(sdw_engine *e); /* accepts NULL */
/* Makes the running sdw_generate stop within a step with SDW_CANCELLED. Any thread, any signal handler. */
void sdw_engine_cancel(sdw_engine *e);

typedef enum sdw_prompt_syntax { SDW_PROMPT_PLAIN, SDW_PROMPT_WEIGHTED } sdw_prompt_syntax;
typedef enum sdw_rng_batch { SDW_BATCH_PER_PICTURE, SDW_BATCH_SHARED } sdw_rng_batch;

/* One request. sdw_params_init sets every field to "not given": 0 for counts and sizes, NAN for real numbers, NULL for
 * texts and pictures, -1 for switches. Pointers are borrowed for the duration of the call they are passed to.
 * Each field's range, default and meaning: sdw_fields(). */
typedef struct sdw_params {
    const char *prompt;
    const char *negative_prompt; /* NULL and "" differ where the model says so (SDXL) */
    int width, height;
    int steps;
    double guidance;
    double guidance_rescale;
    uint64_t seed;
    int has_seed;                /* 0: the engine draws one */
    int count;                   /* pictures */
    const char *sampler;         /* NULL = the model's */
    const char *schedule;
    const char *spacing;         /* "leading", "linspace", "trailing" */
    double eta;
    const char *final_sigma;     /* "zero", "min" */
    int clip_skip;               /* diffusers' count: 0 = the model's usual layer */
    const char *prompt_syntax;   /* "plain", "weighted" */
    int truncate;                /* cut the prompt at 77 tokens instead of going on in further chunks */
    const char *rng;             /* "torch-cpu", "torch-cuda" */
    const char *rng_batch;       /* "per-picture", "shared" */
    const sdw_picture *init_image;
    const sdw_picture *mask;     /* white = repaint */
    double strength;
    const char *resize;          /* "stretch", "crop", "pad" */
    int invert_mask;
    double mask_blur;            /* radius in pixels */
    int inpaint_full_res;
    int inpaint_full_res_padding;
    int paste_back;              /* keep original pixels where nothing was repainted */
} sdw_params;

void sdw_params_init(sdw_params *p);

/* One request field, described by itself: command line, JSON, capabilities and documents are made from these rows. */
typedef enum sdw_field_type { SDW_FIELD_TEXT, SDW_FIELD_INT, SDW_FIELD_REAL, SDW_FIELD_SEED, SDW_FIELD_SWITCH, SDW_FIELD_CHOICE, SDW_FIELD_PICTURE } sdw_field_type;

typedef struct sdw_field {
    const char *name;            /* snake_case, as in JSON; the flag is --name with dashes */
    sdw_field_type type;
    size_t offset;               /* in sdw_params */
    double min, max;             /* numbers and text length in bytes; inclusive */
    int multiple;                /* integers: must be a multiple of this; 0 = any */
    const char *default_text;    /* for people; "" = the model's */
    const char *const *choices;  /* CHOICE: NULL-terminated canonical names; NULL = a registry decides */
    const char *unit, *group, *help;
} sdw_field;

const sdw_field *sdw_fields(size_t *ret_count);

/* What each field becomes for this model: defaults filled in, names canonical, sizes decided; rules between fields
 * checked. Errors carry the field's name. *ret borrows p's strings and the engine's. The seed is drawn here if absent.
 * What has no effect is warned of and left out of *ret, so that resolving or generating from *ret warns of nothing. */
sdw_status sdw_params_resolve(sdw_engine *e, const sdw_params *p, sdw_params *ret, sdw_error *err);

typedef enum sdw_phase { SDW_PHASE_LOAD, SDW_PHASE_TEXT, SDW_PHASE_ENCODE, SDW_PHASE_STEP, SDW_PHASE_DECODE, SDW_PHASE_DONE } sdw_phase;

typedef struct sdw_progress {
    sdw_phase phase;
    int image, images;           /* picture now at work (from 0) of how many */
    int step, steps;             /* steps finished of this picture */
    int evals;                   /* model evaluations so far, all pictures */
    double seconds;              /* since the call began */
} sdw_progress;

/* Return false to cancel. Runs on the calling thread between two pieces of work; must not call back into the engine. */
typedef bool sdw_progress_fn(void *ctx, const sdw_progress *p);

typedef struct sdw_result {
    int count;
    sdw_picture *images;         /* RGB */
    uint64_t *seeds;             /* of each picture */
    sdw_params params;           /* resolved request; strings owned by the result, pictures NULL */
    int steps_run;               /* per picture; 0: the strength left no step and the picture came back re-encoded */
    double seconds_text, seconds_steps, seconds_vae;
} sdw_result;

sdw_status sdw_generate(sdw_engine *e, const sdw_params *p, sdw_progress_fn *progress, void *ctx, sdw_result **ret_result, sdw_error *err);
void sdw_result_free(sdw_result *r); /* accepts NULL */

/* Bytes that this request will need in all, counted without computing anything. Warns of nothing. */
typedef struct sdw_cost {
    uint64_t weights;            /* packed weights held at the fullest moment */
    uint64_t activations;        /* intermediate values at that moment */
    uint64_t total;              /* both, and what is neither: pictures, tables, the program */
    double gflop_text, gflop_step, gflop_vae_decode; /* of one picture; a step counts its guidance passes */
} sdw_cost;
sdw_status sdw_estimate(sdw_engine *e, const sdw_params *p, sdw_cost *ret_cost, sdw_error *err);

/* What is loaded, for `sdw info` and capabilities. Valid until close. */
typedef struct sdw_part_info {
    const char *name;            /* "text_encoder", "unet", ... */
    uint64_t parameters;
    uint64_t file_bytes, packed_bytes;
    const char *dtypes;          /* "F16" or "F16 F32" */
} sdw_part_info;

typedef struct sdw_model_info {
    const char *path, *family, *family_summary, *class_name, *prediction, *scheduler, *backend;
    const char *precision;       /* in effect, never "auto"; static storage */
    const sdw_part_info *parts;
    int part_count;
    int default_width, default_height, default_steps;
    double default_guidance;
    bool inpaint;                /* needs picture and mask */
} sdw_model_info;
const sdw_model_info *sdw_engine_info(const sdw_engine *e);

#ifdef __cplusplus
}
#endif
#endif
