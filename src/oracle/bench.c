/* bench.c - see bench.h. The peak is measured between the stages and its best value counts for all of them: a neighbour
 * on the machine then makes us look slower, never faster. */
#include "oracle/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "core/rng.h"
#include "engine/inside.h"

enum { STAGE_TEXT, STAGE_STEP, STAGE_DECODE, TOKENS = 77, STEPS_MAX = 100 };

typedef struct bench {
    sdw_pipeline *p;
    const sdw_pipeline_shape *shape;
    sdw_bench_result *out;
    int h, w, steps;
    bool ops;
    sdw_condition *condition;
    float *sample, *unet_out, *latent, *picture, *text;
} bench;

static double read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static void measure_peak(bench *b)
{
    sdw_backend *backend = sdw_pipeline_backend(b->p);
    double peak = backend->api->measure_peak(backend);
    if (peak > b->out->peak_gflops) b->out->peak_gflops = peak;
}

/* ---- stages ---- */

/* Every row: BOS, then EOS everywhere: a prompt's cost does not depend on its words. */
static sdw_status run_text(bench *b, sdw_error *err)
{
    int32_t ids[2 * TOKENS], eos[2] = { 1, 1 };
    for (int index = 0; index < b->shape->text_encoders; index++) {
        const sdw_clip_bpe *t = sdw_pipeline_tokenizer(b->p, index);
        for (int i = 0; i < 2 * TOKENS; i++) ids[i] = i % TOKENS ? sdw_clip_bpe_eos(t) : sdw_clip_bpe_bos(t);
        bool pooled = b->shape->projection_width[index] > 0 && b->shape->pooled_width > 0 && index == b->shape->text_encoders - 1;
        const sdw_text_request q = { .index = index, .rows = b->out->rows, .ids = ids, .eos = eos,
                                     .layer = b->shape->pooled_width ? 1 : 0, .final_norm = !b->shape->pooled_width,
                                     .hidden = b->text, .projected = pooled ? b->picture : NULL };
        sdw_status s = sdw_pipeline_text(b->p, &q, err);
        if (s != SDW_OK) return s;
    }
    return SDW_OK;
}

static sdw_status run_step(bench *b, sdw_error *err)
{
    const float timesteps[2] = { 481, 481 };
    return sdw_pipeline_unet(b->p, b->condition, b->h, b->w, b->sample, timesteps, b->unet_out, err);
}

static sdw_status run_decode(bench *b, sdw_error *err)
{
    return sdw_pipeline_vae_decode(b->p, b->h, b->w, b->latent, b->picture, err);
}

typedef sdw_status stage_fn(bench *b, sdw_error *err);

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static sdw_status take_ops(bench *b, stage_fn *run, sdw_bench_stage *stage, sdw_error *err)
{
    sdw_op_time *ops = NULL;
    int count = 0;
    sdw_status s = sdw_pipeline_time_ops(b->p, err);
    if (s == SDW_OK) s = run(b, err);
    if (s == SDW_OK) s = sdw_pipeline_timed_ops(b->p, &ops, &count, err);
    if (s == SDW_OK && !(stage->op = sdw_calloc((size_t)count + 1, sizeof *stage->op))) s = sdw_fail_memory(err, "bench", (size_t)count * sizeof *stage->op);
    for (int i = 0; s == SDW_OK && i < count; i++) {
        sdw_bench_op *op = &stage->op[stage->op_count++];
        *op = (sdw_bench_op){ .seconds = ops[i].seconds, .gflop = ops[i].flop / 1e9, .read = ops[i].read, .written = ops[i].written };
        snprintf(op->name, sizeof op->name, "%s", ops[i].name ? ops[i].name : "");
        snprintf(op->kind, sizeof op->kind, "%s", ops[i].kind);
    }
    sdw_free(ops);
    return s;
}

void sdw_bench_result_free(sdw_bench_result *r)
{
    for (int i = 0; i < SDW_BENCH_STAGES; i++) {
        sdw_free(r->stage[i].op);
        r->stage[i].op = NULL;
        r->stage[i].op_count = 0;
    }
}

/* The first run packs weights and plans; then the median of `runs`. */
static sdw_status time_stage(bench *b, stage_fn *run, int runs, sdw_bench_stage *stage, sdw_error *err)
{
    double taken[STEPS_MAX], used[STEPS_MAX], begun = now();
    sdw_status s = run(b, err);
    double first = now() - begun;
    for (int i = 0; i < runs && s == SDW_OK; i++) {
        double cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
        begun = now();
        s = run(b, err);
        taken[i] = now() - begun;
        used[i] = (read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu) / b->out->threads;
    }
    if (s == SDW_OK && b->ops) s = take_ops(b, run, stage, err);
    if (s != SDW_OK) return s;
    qsort(taken, (size_t)runs, sizeof *taken, by_value);
    qsort(used, (size_t)runs, sizeof *used, by_value);
    stage->seconds = taken[runs / 2];
    stage->cpu_seconds = used[runs / 2];
    if (first > stage->seconds) b->out->seconds_load += first - stage->seconds;
    measure_peak(b);
    return SDW_OK;
}

/* ---- set-up ---- */

static sdw_status make_condition(bench *b, sdw_error *err)
{
    size_t rows = (size_t)b->out->rows, context = rows * TOKENS * (size_t)b->shape->context_width;
    size_t pooled = rows * (size_t)b->shape->pooled_width, ids = rows * (size_t)b->shape->time_ids;
    float *values = sdw_calloc(context + pooled + ids + 1, sizeof *values);
    if (!values) return sdw_fail_memory(err, "bench", context * sizeof *values);
    sdw_rng rng;
    sdw_rng_init(&rng, SDW_RNG_TORCH_CPU, 1);
    sdw_rng_normal(&rng, values, context + pooled);
    const sdw_condition_request q = { .rows = b->out->rows, .tokens = TOKENS, .context = values,
                                      .pooled = pooled ? values + context : NULL,
                                      .time_ids = ids ? values + context + pooled : NULL };
    sdw_status s = sdw_condition_create(b->p, &q, &b->condition, err);
    sdw_free(values);
    return s;
}

static sdw_status make_arrays(bench *b, sdw_error *err)
{
    size_t hw = (size_t)b->h * (size_t)b->w, rows = (size_t)b->out->rows, factor = (size_t)b->shape->vae_factor;
    size_t sample = rows * (size_t)b->shape->unet_in_channels * hw, latent = (size_t)b->shape->latent_channels * hw;
    size_t pixels = 3 * hw * factor * factor, width = 1;
    for (int i = 0; i < 2; i++)
        if ((size_t)b->shape->text_width[i] > width) width = (size_t)b->shape->text_width[i];
    b->sample = sdw_malloc(sample * sizeof(float));
    b->unet_out = sdw_malloc(rows * latent * sizeof(float));
    b->latent = sdw_malloc(latent * sizeof(float));
    b->picture = sdw_malloc((pixels + 2 * 4096) * sizeof(float));
    b->text = sdw_malloc(rows * TOKENS * width * sizeof(float));
    if (!b->sample || !b->unet_out || !b->latent || !b->picture || !b->text)
        return sdw_fail_memory(err, "bench", (sample + pixels) * sizeof(float));
    sdw_rng rng;
    sdw_rng_init(&rng, SDW_RNG_TORCH_CPU, 2);
    sdw_rng_normal(&rng, b->sample, sample);
    sdw_rng_normal(&rng, b->latent, latent);
    return SDW_OK;
}

static sdw_status count_work(bench *b, sdw_error *err)
{
    sdw_pipeline_cost cost;
    sdw_status s = sdw_pipeline_estimate(b->p, b->out->rows, TOKENS, b->h, b->w, &cost, err);
    if (s != SDW_OK) return s;
    const double flop[SDW_BENCH_STAGES] = { cost.text_flop, cost.unet_flop, cost.decode_flop };
    for (int i = 0; i < SDW_BENCH_STAGES; i++) {
        sdw_bench_stage *stage = &b->out->stage[i];
        stage->gflop = flop[i] / 1e9;
        double least = b->out->peak_gflops > 0 ? stage->gflop / b->out->peak_gflops : 0;
        stage->ratio = least > 0 ? stage->seconds / least : 0;
        stage->cpu_ratio = least > 0 ? stage->cpu_seconds / least : 0;
    }
    return SDW_OK;
}

static sdw_status run_all(bench *b, sdw_error *err)
{
    static const struct { const char *name; stage_fn *run; bool once; } stages[SDW_BENCH_STAGES] = {
        { "text", run_text, true }, { "step", run_step, false }, { "vae_decode", run_decode, true } };
    sdw_status s = make_arrays(b, err);
    measure_peak(b);
    for (int i = 0; i < SDW_BENCH_STAGES && s == SDW_OK; i++) {
        b->out->stage[i].name = stages[i].name;
        if (i == STAGE_STEP) s = make_condition(b, err);
        if (s == SDW_OK) s = time_stage(b, stages[i].run, stages[i].once ? 1 : b->steps, &b->out->stage[i], err);
    }
    return s == SDW_OK ? count_work(b, err) : s;
}

static int side(int wanted, int fallback, int factor)
{
    return (wanted ? wanted : fallback) / factor;
}

sdw_status sdw_bench_run(sdw_engine *e, const sdw_bench_options *o, sdw_bench_result *ret, sdw_error *err)
{
    const sdw_model_info *info = sdw_engine_info(e);
    sdw_bench_result out = { .rows = info->default_guidance > 1 ? 2 : 1 };
    bench b = { .p = sdw_engine_pipeline(e), .out = &out, .steps = o->steps ? o->steps : 3, .ops = o->ops };
    if (b.steps < 1 || b.steps > STEPS_MAX)
        return sdw_fail_field(err, SDW_INVALID, "steps", "steps: %d given, want 1 to %d", b.steps, STEPS_MAX);
    b.shape = sdw_pipeline_shape_of(b.p);
    out.threads = sdw_pipeline_backend(b.p)->api->threads(sdw_pipeline_backend(b.p));
    b.h = side(o->height, info->default_height, b.shape->vae_factor);
    b.w = side(o->width, info->default_width, b.shape->vae_factor);
    out.width = b.w * b.shape->vae_factor;
    out.height = b.h * b.shape->vae_factor;
    sdw_status s = run_all(&b, err);
    sdw_condition_free(b.p, b.condition);
    sdw_free(b.sample);
    sdw_free(b.unet_out);
    sdw_free(b.latent);
    sdw_free(b.picture);
    sdw_free(b.text);
    if (s == SDW_OK) *ret = out;
    else sdw_bench_result_free(&out);
    return s;
}
