/* dpmpp_2m_sde.c - SDE-DPM-Solver++(2M). The last step draws although its share is zero. */
#include "diffusion/dpm_solver.h"

static bool draws(const sdw_sampler_run *r)
{
    (void)r;
    return true;
}

static void stage(sdw_sampler_run *r)
{
    sdw_dpm_multistep(r, true);
}

extern const sdw_sampler sdw_sampler_dpmpp_2m_sde;
const sdw_sampler sdw_sampler_dpmpp_2m_sde = {
    .name = "dpmpp_2m_sde",
    .summary = "DPM-Solver++ multistep, second order, with fresh noise in every step",
    .label = "DPM++ 2M SDE",
    .class_name = "DPMSolverMultistepScheduler",
    .timetable = SDW_TIMETABLE_SOLVER,
    .spacing = SDW_SPACING_LINSPACE,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.0001, .beta_end = 0.02,
    .flags = SDW_SAMPLER_DRAWS | SDW_SAMPLER_ZERO_SNR | SDW_SAMPLER_THRESHOLDS | SDW_SAMPLER_FINAL_CHOICE
             | SDW_SAMPLER_SIGMA_KEYS | SDW_SAMPLER_ROUND_KARRAS,
    .order = 2,
    .scratch_vectors = 2,
    .draws = draws,
    .stage = stage,
};
