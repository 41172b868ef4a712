/* dpmpp_2s.c - DPM-Solver++(2S): steps come in pairs. The first of a pair is of first order; the second starts again
 * where the pair started, with the slope between both estimates. The last step to zero is of first order, so an even
 * number of steps ends with two single ones: orders 1 2 1 2 1 1, and 1 2 1 2 1 for an odd number. */
#include "diffusion/dpm_solver.h"

#include <string.h>

enum { NEWEST, OLDER, START }; /* scratch */

/* Without lower_order_final, an even number of steps that does not end at zero is made of pairs only. */
static bool second_of_pair(const sdw_sampler_run *r)
{
    int i = r->call, n = r->calls;
    if (i % 2 == 0) return false;
    bool lower_end = r->lower_order_final || r->final_zero || n % 2;
    return !(lower_end && i == n - 1);
}

static void stage(sdw_sampler_run *r)
{
    int i = r->call;
    sdw_run_push(r, 2, r->estimate);
    if (second_of_pair(r) && r->history > 0) { /* a run that begins inside a pair has no estimate to pair with */
        sdw_dpm_second_order(r, r->scratch[START], i - 1, i, i + 1, r->scratch[NEWEST], r->scratch[OLDER]);
    } else {
        memcpy(r->scratch[START], r->state, r->elements * sizeof(float));
        sdw_dpm_second_order(r, r->state, i, i, i + 1, r->scratch[NEWEST], NULL);
    }
    if (r->history < 2) r->history++;
}

extern const sdw_sampler sdw_sampler_dpmpp_2s;
const sdw_sampler sdw_sampler_dpmpp_2s = {
    .name = "dpmpp_2s",
    .summary = "DPM-Solver++ singlestep, second order; one model call per step",
    .class_name = "DPMSolverSinglestepScheduler",
    .timetable = SDW_TIMETABLE_SOLVER,
    .spacing = SDW_SPACING_LINSPACE,
    .betas = SDW_BETAS_LINEAR, .beta_start = 0.0001, .beta_end = 0.02,
    .flags = SDW_SAMPLER_THRESHOLDS | SDW_SAMPLER_FINAL_CHOICE | SDW_SAMPLER_SIGMA_KEYS | SDW_SAMPLER_ROUND_KARRAS
             | SDW_SAMPLER_OWN_SPACING,
    .order = 2,
    .scratch_vectors = 3,
    .stage = stage,
};
