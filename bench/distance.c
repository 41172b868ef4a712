/* distance.c - how far a narrow arithmetic takes one UNet pass from f32, on any model: the reference vectors (`sdw oracle --precision`) are
 * of narrow layers, models of real widths may be random.
 *
 *     bench_distance MODEL SIDE PRECISION...
 *
 * Normal latents of SIDE x SIDE pixels, two rows, normal contexts; relative L2 distance and the largest difference over the deviation. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/rng.h"
#include "engine/inside.h"

enum { ROWS = 2, TOKENS = 77, SIDE_MAX = 2048 };

static void need(sdw_status status, const sdw_error *err)
{
    if (status == SDW_OK) return;
    fprintf(stderr, "bench_distance: %s\n", err->text);
    exit(1);
}

static float *normals(size_t n, uint64_t seed)
{
    sdw_rng rng;
    float *v = sdw_malloc((n + 1) * sizeof *v);
    if (!v) exit(1);
    sdw_rng_init(&rng, SDW_RNG_TORCH_CPU, seed);
    sdw_rng_normal(&rng, v, n);
    return v;
}

/* The pass in one precision; the result is the caller's. */
static float *pass(const char *model, int side, const char *precision, size_t *ret_count)
{
    sdw_engine *e = NULL;
    sdw_error err = { 0 };
    sdw_condition *condition = NULL;
    need(sdw_engine_open(&(sdw_engine_options){ .model = model, .precision = precision }, &e, &err), &err);
    sdw_pipeline *p = sdw_engine_pipeline(e);
    const sdw_pipeline_shape *s = sdw_pipeline_shape_of(p);
    int h = side / s->vae_factor;
    size_t cells = ROWS * (size_t)h * (size_t)h, pooled = ROWS * (size_t)s->pooled_width;
    float *context = normals(ROWS * TOKENS * (size_t)s->context_width, 1), *added = normals(pooled, 2), *sample = normals(cells * (size_t)s->unet_in_channels, 3);
    float ids[ROWS * 6], *out = sdw_malloc(cells * (size_t)s->latent_channels * sizeof *out);
    for (int i = 0; i < ROWS * 6; i++) ids[i] = i % 3 == 2 || i % 6 == 3 ? 0 : (float)side;
    const sdw_condition_request q = { .rows = ROWS, .tokens = TOKENS, .context = context, .pooled = pooled ? added : NULL, .time_ids = s->time_ids ? ids : NULL };
    need(sdw_condition_create(p, &q, &condition, &err), &err);
    need(sdw_pipeline_unet(p, condition, h, h, sample, (const float[ROWS]){ 481, 481 }, out, &err), &err);
    printf("%-5s %-40s", precision, sdw_engine_info(e)->backend);
    *ret_count = cells * (size_t)s->latent_channels;
    sdw_condition_free(p, condition);
    sdw_engine_close(e);
    sdw_free(context);
    sdw_free(added);
    sdw_free(sample);
    return out;
}

static void compare(const float *got, const float *want, size_t n)
{
    double error = 0, size = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)got[i] - want[i]);
        error += d * d;
        size += (double)want[i] * want[i];
        if (!(d <= most)) most = d;
    }
    printf("  rel %.2e  max %.2e", sqrt(error / size), most / sqrt(size / (double)n));
}

int main(int argc, char **argv)
{
    float *want = NULL;
    int side = argc > 3 ? atoi(argv[2]) : 0;
    if (side < 64 || side > SIDE_MAX || side % 64) {
        fprintf(stderr, "usage: bench_distance MODEL SIDE PRECISION...; SIDE is a multiple of 64, up to %d\n", SIDE_MAX);
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        size_t n;
        float *out = pass(argv[1], side, i == 2 ? "f32" : argv[i], &n);
        if (want) compare(out, want, n);
        putchar('\n');
        fflush(stdout);
        if (want) sdw_free(out);
        else want = out;
    }
    sdw_free(want);
    return 0;
}
