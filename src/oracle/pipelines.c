/* pipelines.c - the runs of the reference: every seed, step count, guidance and strength that it used. */
#include <stdio.h>

#include "oracle/run.h"

enum { CASES = 8 }; /* pairs of prompt and size, far above any set */

typedef struct model_kind {
    bool xl, distilled, repaints; /* two text encoders; runs without guidance; 9-channel UNet */
} model_kind;

static model_kind kind_of(const sdw_replay *r)
{
    const sdw_pipeline_shape *shape = sdw_pipeline_shape_of(r->pipeline);
    return (model_kind){ .xl = shape->pooled_width > 0, .distilled = sdw_engine_info(r->engine)->default_guidance <= 1,
                         .repaints = shape->unet_in_channels > shape->latent_channels };
}

static void from_text(sdw_replay *r, model_kind kind, int i)
{
    sdw_replay_run run = { .base = "txt2img", .index = i, .steps = 6, .guidance = 7.5 };
    char noise[40] = { 0 };
    if (kind.distilled) {
        run.seed = 5 + (uint64_t)i;
        run.steps = 1 + 3 * i;
        run.guidance = 0;
        run.spacing = "trailing";
    } else if (kind.xl) {
        run.seed = 5 + (uint64_t)i;
        run.steps = 5;
        run.guidance = 5;
    } else {
        snprintf(noise, sizeof noise, "txt2img.%d.noise", i);
        run.noise = noise;
    }
    sdw_replay_pipeline(r, &run);
}

static void from_seed(sdw_replay *r)
{
    const sdw_replay_run one = { .base = "txt2img_seeded", .steps = 6, .guidance = 7.5, .seed = 42 };
    const sdw_replay_run two = { .base = "txt2img_seeded_batch2", .steps = 6, .guidance = 7.5, .seed = 42, .count = 2 };
    const sdw_replay_run absent = { .base = "txt2img_no_negative", .steps = 5, .guidance = 5, .seed = 5, .no_negative = true };
    sdw_replay_pipeline(r, &one);
    sdw_replay_pipeline(r, &two);
    sdw_replay_pipeline(r, &absent);
}

static void from_picture(sdw_replay *r, model_kind kind, int i)
{
    const sdw_replay_run redraw = { .base = "img2img", .index = i, .steps = 8, .guidance = kind.xl ? 5 : 7.5, .strength = 0.6,
                                    .seed = 99 + (uint64_t)i };
    const sdw_replay_run repaint = { .base = "inpaint", .index = i, .steps = 6, .guidance = 7.5,
                                     .strength = i ? 0.7 : kind.xl ? 0.99 : 1.0, .seed = 77 + (uint64_t)i, .uses_mask = true };
    sdw_replay_pipeline(r, &redraw);
    if (kind.repaints) sdw_replay_pipeline(r, &repaint);
}

void sdw_replay_pipelines(sdw_replay *r)
{
    model_kind kind = kind_of(r);
    const sdw_replay_run four = { .base = "inpaint4ch", .steps = 6, .guidance = 7.5, .strength = 0.8, .seed = 7, .uses_mask = true };
    for (int i = 0; i < CASES; i++) from_text(r, kind, i);
    from_seed(r);
    for (int i = 0; i < CASES; i++) from_picture(r, kind, i);
    sdw_replay_pipeline(r, &four);
}

/* ---- samplers ---- */

/* What ran under each name. Where the reference draws again after the start, the run has a seed instead of the given
 * noise; tcd starts from the seed too. A spacing is named where the class was told one; all else is the class's own. */
typedef struct sampler_row {
    const char *name, *sampler, *schedule, *spacing;
    bool seeded;
    double eta;
} sampler_row;

static const sampler_row rows[] = {
    { .name = "pndm", .sampler = "pndm" },
    { .name = "ddim_eta1", .sampler = "ddim", .seeded = true, .eta = 1 },
    { .name = "ddpm", .sampler = "ddpm", .seeded = true },
    { .name = "euler", .sampler = "euler" },
    { .name = "euler_trailing", .sampler = "euler", .spacing = "trailing" },
    { .name = "euler_karras", .sampler = "euler", .schedule = "karras" },
    { .name = "euler_exponential", .sampler = "euler", .schedule = "exponential" },
    { .name = "euler_beta", .sampler = "euler", .schedule = "beta" },
    { .name = "euler_a", .sampler = "euler_a", .seeded = true },
    { .name = "lms", .sampler = "lms" },
    { .name = "heun", .sampler = "heun" },
    { .name = "kdpm2", .sampler = "dpm2" },
    { .name = "kdpm2_a", .sampler = "dpm2_a", .seeded = true },
    { .name = "dpmpp_2m", .sampler = "dpmpp_2m" },
    { .name = "dpmpp_3m", .sampler = "dpmpp_3m" },
    { .name = "dpmpp_2m_karras", .sampler = "dpmpp_2m", .schedule = "karras" },
    { .name = "dpmpp_2m_sde", .sampler = "dpmpp_2m_sde", .seeded = true },
    { .name = "dpmpp_2s", .sampler = "dpmpp_2s" },
    { .name = "deis", .sampler = "deis" },
    { .name = "unipc", .sampler = "unipc" },
    { .name = "lcm", .sampler = "lcm", .seeded = true },
    { .name = "tcd", .sampler = "tcd", .seeded = true },
};

void sdw_replay_samplers(sdw_replay *r)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char base[48];
        snprintf(base, sizeof base, "sampler_%s", rows[i].name);
        const sdw_replay_run run = { .base = base, .steps = 7, .guidance = 7.5, .seed = 31,
                                     .noise = rows[i].seeded ? NULL : "txt2img.0.noise", .sampler = rows[i].sampler,
                                     .schedule = rows[i].schedule, .spacing = rows[i].spacing, .own_spacing = true,
                                     .eta = rows[i].eta, .has_eta = rows[i].seeded };
        sdw_replay_pipeline(r, &run);
    }
}
