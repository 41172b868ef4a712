/* job_cost.c - bytes and work of a request, counted without computing anything. */
#include <string.h>

#include "engine/conditioning.h"
#include "engine/job.h"

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What is held at one moment of a job. */
typedef struct moment {
    uint64_t weights, activations;
} moment;

static void reach(moment *peak, uint64_t weights, uint64_t activations)
{
    if (weights + activations > peak->weights + peak->activations) *peak = (moment){ weights, activations };
}

/* The fullest moment of a job. The pool is one for all plans, and grows only. Prompts are encoded first, then the UNet is
 * packed for its keys and values, and stays while pictures are encoded; parts that are done with are given back if the
 * engine does that. */
static moment fullest(const sdw_pipeline_cost *c, const sdw_params *r, bool release)
{
    uint64_t text = c->packed[SDW_PART_TEXT_ENCODER] + c->packed[SDW_PART_TEXT_ENCODER_2];
    uint64_t unet = c->packed[SDW_PART_UNET], vae = c->packed[SDW_PART_VAE], pool = c->text_pool;
    bool picture = r->init_image != NULL, again = r->count > 1 && strcmp(r->rng_batch, "shared") != 0; /* steps after a decode */
    moment peak = { text, pool };
    pool = most(pool, most(c->unet_pool, picture ? c->encode_pool : 0));
    reach(&peak, unet + (picture ? vae : 0), pool + c->condition_bytes);
    pool = most(pool, c->decode_pool);
    reach(&peak, vae + (again ? unet : 0), pool + c->condition_bytes);
    return release ? peak : (moment){ text + unet + vae, pool + c->condition_bytes };
}

sdw_status sdw_job_cost(sdw_engine *e, const sdw_params *params, sdw_cost *ret, sdw_error *err)
{
    sdw_pipeline_cost c;
    int rows = sdw_uses_guidance(params) ? 2 : 1, tokens;
    sdw_status status = sdw_conditioning_measure(e, params, &tokens, err);
    if (status == SDW_OK)
        status = sdw_pipeline_estimate(e->pipeline, rows, tokens, sdw_engine_latent_side(e, params->height), sdw_engine_latent_side(e, params->width), &c, err);
    if (status != SDW_OK) return status;
    moment peak = fullest(&c, params, e->release_parts);
    /* Host arrays: result pixels, decoded values, the transposed picture, init picture and mask; and the program itself. */
    uint64_t host = (uint64_t)params->width * (uint64_t)params->height * (3 * (uint64_t)params->count + 4 * 3 * 4) + ((uint64_t)32 << 20);
    host += (uint64_t)params->width * (uint64_t)params->height * 3 * ((uint64_t)params->count - 1); /* some ten latents for every further picture */
    *ret = (sdw_cost){
        .weights = peak.weights, .activations = peak.activations, .total = peak.weights + peak.activations + host,
        .gflop_text = c.text_flop / 1e9, .gflop_step = c.unet_flop / 1e9, .gflop_vae_decode = c.decode_flop / 1e9,
    };
    return SDW_OK;
}
