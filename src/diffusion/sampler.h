/* sampler.h - what a sampler is to the state machine, and what it finds in its run. Internal to this folder.
 *
 * A sampler is a record in samplers/NAME.c. Its stage is called once after each model call, with the estimate of x0
 * ready, and moves the state to the level of the next call. It keeps what it needs between calls in scratch vectors. */
#ifndef SDW_DIFFUSION_SAMPLER_H
#define SDW_DIFFUSION_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>

#include "diffusion/levels.h"
#include "diffusion/sampling.h"

#define SDW_SAMPLER_SCRATCH_MAX 6

typedef struct sdw_sampler_run sdw_sampler_run;

/* Which timesteps a sampler visits, and in which space its state lives. */
typedef enum sdw_timetable {
    SDW_TIMETABLE_WHOLE,    /* n whole timesteps, no sigma table; state sqrt(a) x0 + sqrt(1-a) noise */
    SDW_TIMETABLE_SIGMA,    /* n timesteps, fractions allowed; state x0 + sigma noise, model input scaled */
    SDW_TIMETABLE_SOLVER,   /* the first n of n+1 whole timesteps, and a sigma table; state as WHOLE */
    SDW_TIMETABLE_DISTILLED /* n of the timesteps that a consistency model was distilled on; state as WHOLE */
} sdw_timetable;

enum {
    SDW_SAMPLER_TWO_CALLS = 1 << 0,    /* two model calls per step, one in the last: n steps are 2n - 1 calls */
    SDW_SAMPLER_REPEATS = 1 << 1,      /* the second timestep is visited twice (PNDM) */
    SDW_SAMPLER_DRAWS = 1 << 2,        /* may ask for noise */
    SDW_SAMPLER_CLIPS = 1 << 3,        /* the class reads clip_sample */
    SDW_SAMPLER_CLIP_DEFAULT = 1 << 4, /* ... and it is true when absent */
    SDW_SAMPLER_ALPHA_ONE = 1 << 5,    /* set_alpha_to_one is true when absent */
    SDW_SAMPLER_ZERO_SNR = 1 << 6,     /* the class reads rescale_betas_zero_snr */
    SDW_SAMPLER_THRESHOLDS = 1 << 7,   /* the class reads thresholding */
    SDW_SAMPLER_FINAL_CHOICE = 1 << 8, /* the class reads final_sigmas_type */
    SDW_SAMPLER_FINAL_MIN = 1 << 9,    /* ends at the smallest sigma, never at zero */
    SDW_SAMPLER_SIGMA_KEYS = 1 << 10,  /* the class reads use_karras_sigmas and its kin */
    SDW_SAMPLER_ROUND_KARRAS = 1 << 11,/* timesteps of the Karras schedule are rounded */
    SDW_SAMPLER_OWN_SPACING = 1 << 12, /* the class reads neither timestep_spacing nor steps_offset */
    SDW_SAMPLER_PLAIN_ONLY = 1 << 13,  /* no other timetable than its own */
    SDW_SAMPLER_MIDPOINT = 1 << 14     /* TWO_CALLS: the second call lies between the step's ends (DPM2) */
};

typedef struct sdw_sampler {
    const char *name, *summary;
    const char *label;      /* AUTOMATIC1111's; NULL = none */
    const char *class_name; /* of the reference library */
    sdw_timetable timetable;
    sdw_spacing spacing;    /* the class's default */
    sdw_beta_schedule betas; /* the class's default, as the next two */
    double beta_start, beta_end;
    unsigned flags;
    int order;              /* history length of the multistep solvers */
    int scratch_vectors;
    bool (*draws)(const sdw_sampler_run *r); /* whether the coming stage needs noise; NULL = never */
    void (*stage)(sdw_sampler_run *r);
} sdw_sampler;

struct sdw_sampler_run {
    const sdw_sampler *sampler;
    const sdw_levels *levels;
    /* fixed by create */
    int n;                /* steps of the whole timetable */
    int calls;            /* model calls of the whole timetable */
    int begin;            /* first call that runs */
    double *timesteps;    /* [calls] */
    double *sigmas;       /* [sigma_count], the table as the reference holds it; NULL for WHOLE and DISTILLED */
    double *call_sigmas;  /* [calls] at which sigma the model is asked; NULL = sigmas */
    int sigma_count;
    bool even_spacing;    /* WHOLE: the previous timestep is t - count / n, whatever the timetable says */
    sdw_prediction prediction;
    double eta;
    double final_alpha_bar;  /* beyond timestep 0 */
    double clip;             /* estimates are clamped to +-clip; 0 = not */
    double timestep_scaling; /* LCM */
    int order;
    bool lower_order_final, euler_at_final, final_zero, heun_corrector, bh1, fixed_large;
    /* vectors of `elements` floats */
    size_t elements;
    float *state, *estimate, *noise; /* noise: filled only when draws() said so */
    const float *output;             /* the model's, during a stage */
    float *scratch[SDW_SAMPLER_SCRATCH_MAX];
    /* progress */
    int call;             /* index of the call that is asked for next, or whose stage runs */
    int history;          /* estimates kept so far, at most order */
    int last_order;       /* UniPC: order of the last prediction */
};

/* A noise level: alpha^2 + sigma^2 = 1, k = sigma / alpha. */
typedef struct sdw_level {
    double alpha, sigma, k;
} sdw_level;

sdw_level sdw_level_of_sigma(double k);
sdw_level sdw_level_of_alpha_bar(double alpha_bar);
/* The level at which call i asks the model. */
sdw_level sdw_run_level(const sdw_sampler_run *r, int call);

/* One term of a sum of vectors. */
typedef struct sdw_term {
    double factor;
    const float *vector;
} sdw_term;

/* dst = sum of factor * vector, added in double in the order given. dst may be one of the vectors. Terms whose factor
 * is zero are left out, so their vectors may be NULL or hold anything. */
void sdw_combine(float *dst, size_t n, const sdw_term *terms, int count);

/* noise = on_state * state + on_output * output, by prediction type; for states that are alpha x0 + sigma noise. */
typedef struct sdw_noise_estimate {
    double on_state, on_output;
} sdw_noise_estimate;
sdw_noise_estimate sdw_run_noise_estimate(const sdw_sampler_run *r, sdw_level level);
/* Fills r->estimate from state and output: x0 at the level of the current call, clamped if the run says so. */
void sdw_run_estimate(sdw_sampler_run *r);

/* Makes room for a new vector in front of scratch[0..count-1] by rotation, copies `v` there. */
void sdw_run_push(sdw_sampler_run *r, int count, const float *v);

#endif
