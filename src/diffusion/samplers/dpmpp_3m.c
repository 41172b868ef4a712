/* dpmpp_3m.c - DPM-Solver++(3M): slope and curvature come from the two estimates before. */
#include "diffusion/dpm_solver.h"

static void stage(sdw_sampler_run *r)
{
    sdw_dpm_multistep(r, false);
}

extern const sdw_sampler sdw_sampler_dpmpp_3m;
const sdw_sampler sdw_sampler_dpmpp_3m = {
    .name = "dpmpp_3m",
    .summary = "DPM-Solver++ multistep, third order",
    .class_name = "DPMSolverMultistepScheduler",
    .timetable = SDW_TIMETABLE_SOLVER,
    .spacing = SDW_SPACING_LINSPACE,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.0001, .beta_end = 0.02,
    .flags = SDW_SAMPLER_ZERO_SNR | SDW_SAMPLER_THRESHOLDS | SDW_SAMPLER_FINAL_CHOICE | SDW_SAMPLER_SIGMA_KEYS
             | SDW_SAMPLER_ROUND_KARRAS,
    .order = 3,
    .scratch_vectors = 3,
    .stage = stage,
};
