/* sampling.h - one picture's way from noise to latents, as a state machine that knows no model.
 *
 *     sdw_sampling_create(&config, &options, &s, &err);
 *     sdw_sampling_start_noise(s, noise);                 or sdw_sampling_start_image(s, latents, noise)
 *     while (sdw_sampling_next(s, &timestep, input)) {    timestep and input go to the model
 *         ...                                             model, guidance
 *         sdw_sampling_feed(s, output, draw, ctx, &step_done, &err);
 *         (4-channel inpainting: sdw_sampling_noised, blend into sdw_sampling_state)
 *     }
 *     latents = sdw_sampling_state(s)
 *
 * Between next and feed the caller may do anything: many runs, each with its own sampler, take turns in one batch.
 * Arithmetic is on the host: coefficients in double, vectors in f32. Memory is taken in create only. A run belongs to
 * one thread at a time; different runs share nothing. Every vector has options.elements floats in any layout, since
 * no sampler mixes elements. */
#ifndef SDW_DIFFUSION_SAMPLING_H
#define SDW_DIFFUSION_SAMPLING_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"
#include "diffusion/scheduler_config.h"

#define SDW_SAMPLING_STEPS_MAX 1000

/* Writes n standard normals, the next draw of the picture's generator. */
typedef void (*sdw_draw)(void *ctx, float *dst, size_t n);

typedef struct sdw_sampling_options {
    const char *sampler;         /* any alias; NULL = the config's class; Euler if there is none */
    const char *schedule;        /* any alias; NULL = from the sampler's alias, the config, or plain */
    sdw_prediction prediction;   /* overrides the config unless DEFAULT */
    sdw_spacing spacing;         /* overrides the config unless DEFAULT */
    sdw_final_sigma final_sigma; /* overrides the config unless DEFAULT */
    bool own_spacing;            /* spacing DEFAULT means the sampler class's own, whatever the config says */
    int steps;                   /* 1..SDW_SAMPLING_STEPS_MAX, the n of the timetable */
    double strength;             /* 0..1: the last int(n * strength) steps of the timetable run; 1 = all */
    bool has_eta;
    double eta;                  /* DDIM: share of fresh noise; TCD: gamma. 0..1, default 0; others ignore it */
    size_t elements;             /* floats per vector, > 0 */
} sdw_sampling_options;

typedef struct sdw_sampling sdw_sampling;

/* Errors: SDW_INVALID with the field's name for an unknown sampler or schedule (the text lists the names), steps or
 * strength out of range, a pair of sampler and schedule that is not defined (the text says why); SDW_UNSUPPORTED;
 * SDW_NO_MEMORY. config and options are not needed after the call. Any thread. */
sdw_status sdw_sampling_create(const sdw_scheduler_config *config, const sdw_sampling_options *options,
                               sdw_sampling **ret_sampling, sdw_error *err);
void sdw_sampling_free(sdw_sampling *s); /* accepts NULL */

/* ---- what will happen; fixed after create ---- */
const char *sdw_sampling_sampler(const sdw_sampling *s);  /* canonical names, static storage */
const char *sdw_sampling_schedule(const sdw_sampling *s); /* "plain" if none */
sdw_prediction sdw_sampling_prediction(const sdw_sampling *s); /* never DEFAULT */
int sdw_sampling_steps(const sdw_sampling *s);            /* whole steps that run; 0 when strength leaves none */
int sdw_sampling_evaluations(const sdw_sampling *s);      /* model calls of this run */
bool sdw_sampling_draws(const sdw_sampling *s);           /* whether feed will ever call draw */
double sdw_sampling_init_noise_sigma(const sdw_sampling *s);
/* The whole timetable, also the part that strength leaves out, as the reference scheduler holds it: one timestep per
 * model call (float32 values widened). Valid until free. */
const double *sdw_sampling_timesteps(const sdw_sampling *s, int *ret_count);
/* The sigma table with its final entry, doubled or with midpoints for the two-stage samplers; NULL and 0 for the
 * samplers that keep none (DDIM, DDPM, PNDM, LCM, TCD). */
const double *sdw_sampling_sigmas(const sdw_sampling *s, int *ret_count);

/* ---- start: exactly one of these, before the first next; calling one again restarts the run ---- */
/* state = noise * init_noise_sigma. */
void sdw_sampling_start_noise(sdw_sampling *s, const float *noise);
/* state = latents with noise added as at the run's first timestep. Without any step to run: state = latents. */
void sdw_sampling_start_image(sdw_sampling *s, const float *latents, const float *noise);

/* ---- loop ---- */
/* false when the run is finished. Else the timestep for the model and its input, already scaled (input must not
 * overlap the state). Does not advance: asking again gives the same answer. */
bool sdw_sampling_next(const sdw_sampling *s, float *ret_timestep, float *ret_input);
/* Takes the model's output for the last next (after guidance) and advances the state. `draw` is called at most once,
 * for `elements` values, and only where the reference scheduler draws; it may be NULL if !sdw_sampling_draws.
 * *ret_step_done (may be NULL) is true when a whole step is finished: two-stage samplers and PNDM's first step take
 * more calls. SDW_NUMERIC when the new state is not finite; the run is then over. */
sdw_status sdw_sampling_feed(sdw_sampling *s, const float *output, sdw_draw draw, void *ctx, bool *ret_step_done,
                             sdw_error *err);
int sdw_sampling_steps_done(const sdw_sampling *s);
int sdw_sampling_evaluations_done(const sdw_sampling *s);

/* The state, in the sampler's own space (what the reference's `latents` is after its step call). After the last feed
 * it is the result. The caller may change it between feed and next. Valid until free. */
float *sdw_sampling_state(sdw_sampling *s);
/* The estimate of the clean latents made by the last feed, for previews; all zero before. Valid until the next feed. */
const float *sdw_sampling_estimate(const sdw_sampling *s);
/* ret = `latents` with `noise` added, at the level that the state has now, that is of the next model call; after the
 * last feed a copy of latents. 4-channel inpainting blends this into the state after every feed (not only after whole
 * steps), as the reference does. ret may be latents or noise. */
void sdw_sampling_noised(const sdw_sampling *s, const float *latents, const float *noise, float *ret);

#endif
