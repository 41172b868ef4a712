/* time_embed.c - sinusoids of time steps and sizes: Ho, Jain and Abbeel 2020, after Vaswani et al. 2017.
 * Frequency i of `half` is exp(-ln(10000) * i / half). Every step is rounded to f32 as the reference does, because at t = 999
 * one ulp of the frequency shows in the cosine; only the functions themselves are evaluated wider. */
#include <math.h>

#include "cpu/ops.h"

static sdw_status run(const sdw_cpu_call *c, sdw_error *err)
{
    const sdw_tensor *in = c->op->in;
    int dim = c->op->args.time_embed.dim, half = dim / 2;
    (void)err;
    for (int lane = 0; lane < in->n; lane++)
        for (int v = 0; v < in->c; v++) {
            float value = sdw_cpu_row(in, lane)[v], *out = sdw_cpu_row(c->op->out, lane) + (ptrdiff_t)v * dim;
            for (int i = 0; i < half; i++) {
                float exponent = -9.210340371976184f * (float)i; /* -ln(10000) */
                exponent = exponent / (float)half;
                float frequency = (float)exp((double)exponent);
                float angle = value * frequency;
                out[i] = (float)cos((double)angle);
                out[half + i] = (float)sin((double)angle);
            }
        }
    return SDW_OK;
}

const sdw_cpu_op sdw_cpu_op_time_embed = { NULL, run };
