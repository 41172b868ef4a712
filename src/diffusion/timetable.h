/* timetable.h - fills a run's timesteps and sigmas. Internal to this folder. */
#ifndef SDW_DIFFUSION_TIMETABLE_H
#define SDW_DIFFUSION_TIMETABLE_H

#include "diffusion/sampler.h"
#include "diffusion/schedule.h"

typedef struct sdw_timetable_spec {
    const sdw_schedule *schedule;
    sdw_spacing spacing; /* not DEFAULT */
    int steps_offset;
    int original_steps;  /* DISTILLED: the timesteps of the distillation */
    bool final_min;      /* the last sigma is the smallest of the model, not zero */
    bool round_karras;   /* whole timesteps for the Karras schedule */
    double sigma_min, sigma_max; /* ends for karras, exponential, beta; 0 = from the timetable */
} sdw_timetable_spec;

/* Needs r->sampler, levels and n; fills n's tables, calls and even_spacing. The caller frees timesteps, sigmas and
 * call_sigmas, also after an error. SDW_INVALID when n does not fit the timetable. */
sdw_status sdw_timetable_fill(sdw_sampler_run *r, const sdw_timetable_spec *spec, sdw_error *err);

#endif
