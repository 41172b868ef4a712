/* dpmpp_2m.c - DPM-Solver++(2M): the slope comes from the estimate of the step before. */
#include "diffusion/dpm_solver.h"

static void stage(sdw_sampler_run *r)
{
    sdw_dpm_multistep(r, false);
}

extern const sdw_sampler sdw_sampler_dpmpp_2m;
const sdw_sampler sdw_sampler_dpmpp_2m = {
    .name = "dpmpp_2m",
    .summary = "DPM-Solver++ multistep, second order",
    .label = "DPM++ 2M",
    .class_name = "DPMSolverMultistepScheduler",
    .timetable = SDW_TIMETABLE_SOLVER,
    .spacing = SDW_SPACING_LINSPACE,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.0001, .beta_end = 0.02,
    .flags = SDW_SAMPLER_ZERO_SNR | SDW_SAMPLER_THRESHOLDS | SDW_SAMPLER_FINAL_CHOICE | SDW_SAMPLER_SIGMA_KEYS
             | SDW_SAMPLER_ROUND_KARRAS,
    .order = 2,
    .scratch_vectors = 2,
    .stage = stage,
};
