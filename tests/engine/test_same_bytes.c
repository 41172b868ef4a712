/* The same request gives the same bytes, whatever ran before it and however many threads run it; and a picture of a
 * batch is what it would be alone. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "engine/job.h"
#include "engine/tiny.h"

enum { LATENTS_MAX = 4 * 25 * 9 };

static int write_models(void **state)
{
    (void)state;
    tiny_write("sd15", &(tiny_options){ .kind = TINY_SD15 });
    tiny_write("sdxl", &(tiny_options){ .kind = TINY_SDXL });
    return 0;
}

/* The picture of p from an engine that does nothing else. */
static sdw_result *alone(const char *folder, const sdw_engine_options *o, const sdw_params *p)
{
    sdw_engine *e = tiny_open(folder, o);
    sdw_result *r = tiny_generate(e, p);
    sdw_engine_close(e);
    return r;
}

static void a_request_gives_the_same_bytes_twice_and_after_others(void **state)
{
    (void)state;
    sdw_engine *e = tiny_open("sd15", NULL);
    sdw_params p = tiny_params("a lighthouse"), other = tiny_params("something else, and longer");
    sdw_result *first = tiny_generate(e, &p), *again = tiny_generate(e, &p);
    assert_true(tiny_has_content(&first->images[0]));
    assert_true(tiny_same(&first->images[0], &again->images[0]));
    sdw_result_free(again);
    other.width = 136; /* a larger pool, other plans, another sampler */
    other.seed = 8;
    other.sampler = "dpmpp-2m-sde";
    sdw_result *between = tiny_generate(e, &other);
    again = tiny_generate(e, &p);
    assert_true(tiny_same(&first->images[0], &again->images[0]));
    p.seed = 8;
    sdw_result *another_seed = tiny_generate(e, &p);
    assert_false(tiny_same(&first->images[0], &another_seed->images[0]));
    sdw_result_free(another_seed);
    sdw_result_free(between);
    sdw_result_free(again);
    sdw_result_free(first);
    sdw_engine_close(e);
}

static void the_number_of_threads_changes_nothing(void **state)
{
    (void)state;
    static const char *const folders[] = { "sd15", "sdxl" };
    for (int f = 0; f < 2; f++) {
        sdw_params p = tiny_params("threads");
        p.height = 136;
        sdw_result *one = alone(folders[f], &(sdw_engine_options){ .threads = 1 }, &p);
        for (int threads = 2; threads <= 3; threads++) {
            sdw_result *more = alone(folders[f], &(sdw_engine_options){ .threads = threads }, &p);
            assert_true(tiny_same(&one->images[0], &more->images[0]));
            sdw_result_free(more);
        }
        sdw_result_free(one);
    }
}

static void releasing_parts_changes_nothing(void **state)
{
    (void)state;
    sdw_params p = tiny_params("released");
    sdw_picture init = tiny_picture(64, 64);
    p.count = 2;
    p.init_image = &init;
    p.strength = 0.9;
    p.width = p.height = 0;
    sdw_result *kept = alone("sdxl", NULL, &p);
    sdw_engine *e = tiny_open("sdxl", &(sdw_engine_options){ .threads = 2, .release_parts = 1 });
    for (int run = 0; run < 2; run++) { /* the second has to pack everything again */
        sdw_result *r = tiny_generate(e, &p);
        assert_true(tiny_same(&kept->images[0], &r->images[0]));
        assert_true(tiny_same(&kept->images[1], &r->images[1]));
        sdw_result_free(r);
    }
    sdw_engine_close(e);
    sdw_result_free(kept);
    tiny_picture_free(&init);
}

static void each_picture_of_a_count_is_the_single_one_of_its_seed(void **state)
{
    (void)state;
    sdw_engine *e = tiny_open("sd15", NULL);
    sdw_params p = tiny_params("three");
    p.count = 3;
    p.sampler = "euler_a"; /* draws in every step */
    sdw_result *three = tiny_generate(e, &p);
    assert_int_equal(three->count, 3);
    p.count = 1;
    for (int b = 0; b < 3; b++) {
        p.seed = 7 + (uint64_t)b;
        sdw_result *single = tiny_generate(e, &p);
        assert_true(tiny_same(&three->images[b], &single->images[0]));
        assert_int_equal(three->seeds[b], p.seed);
        sdw_result_free(single);
    }
    assert_false(tiny_same(&three->images[0], &three->images[1]));
    sdw_result_free(three);
    sdw_engine_close(e);
}

/* One picture of p that starts from the given noise instead of its own. */
static sdw_result *from_noise(sdw_engine *e, const sdw_params *p, const float *noise)
{
    sdw_params resolved;
    sdw_job *job = NULL;
    sdw_result *r = NULL;
    sdw_error err = { 0 };
    bool done = false;
    sdw_job_hooks hooks = { .noise = noise };
    assert_int_equal(sdw_params_resolve(e, p, &resolved, &err), SDW_OK);
    assert_int_equal(sdw_job_create(e, &resolved, &hooks, &job, &err), SDW_OK);
    while (!done)
        if (sdw_job_advance(job, &done, &err) != SDW_OK) fail_msg("%s", err.text);
    assert_int_equal(sdw_job_take(job, &r, &err), SDW_OK);
    sdw_job_free(job);
    return r;
}

/* torch draws (B, 4, h, w) in one call. 4 * 9 * 25 is no multiple of 16, where such a draw does not begin like a draw
 * for one picture: its end is drawn differently. */
static void a_shared_batch_is_one_draw_for_all_its_pictures(void **state)
{
    (void)state;
    static float noise[2 * LATENTS_MAX];
    sdw_engine *e = tiny_open("sd15", NULL);
    sdw_params p = tiny_params("shared");
    sdw_rng rng;
    p.width = 72;
    p.height = 200;
    p.count = 2;
    sdw_result *separate = tiny_generate(e, &p);
    p.rng_batch = "shared";
    sdw_result *shared = tiny_generate(e, &p);
    assert_false(tiny_same(&separate->images[0], &shared->images[0]));
    assert_false(tiny_same(&separate->images[1], &shared->images[1]));
    assert_int_equal(shared->seeds[0], 7);
    assert_int_equal(shared->seeds[1], 7);
    sdw_rng_init(&rng, SDW_RNG_TORCH_CPU, 7);
    sdw_rng_normal(&rng, noise, sizeof noise / sizeof *noise);
    p.count = 1;
    for (int b = 0; b < 2; b++) {
        sdw_result *single = from_noise(e, &p, noise + b * LATENTS_MAX);
        assert_true(tiny_same(&shared->images[b], &single->images[0]));
        sdw_result_free(single);
    }
    sdw_result_free(separate);
    sdw_result_free(shared);
    sdw_engine_close(e);
}

static void both_generators_are_used_when_named(void **state)
{
    (void)state;
    sdw_engine *e = tiny_open("sd15", NULL);
    sdw_params p = tiny_params("cuda");
    sdw_result *cpu = tiny_generate(e, &p);
    p.rng = "torch-cuda";
    sdw_result *cuda = tiny_generate(e, &p);
    assert_false(tiny_same(&cpu->images[0], &cuda->images[0]));
    assert_string_equal(cuda->params.rng, "torch-cuda");
    sdw_result_free(cpu);
    sdw_result_free(cuda);
    sdw_engine_close(e);
}

/* ---- instruction sets ---- */

typedef struct track { /* latents after each evaluation */
    float value[8][LATENTS_MAX];
    int count;
    size_t elements;
} track;

static void keep(void *ctx, int picture, const float *latents, size_t count)
{
    track *t = ctx;
    (void)picture;
    assert_true(t->count < 8 && count <= LATENTS_MAX);
    t->elements = count;
    memcpy(t->value[t->count++], latents, count * sizeof *latents);
}

static void follow(const char *folder, const char *isa, const sdw_params *p, track *t)
{
    sdw_params resolved;
    sdw_job *job = NULL;
    sdw_error err = { 0 };
    bool done = false;
    sdw_engine *e = tiny_open(folder, &(sdw_engine_options){ .threads = 2, .isa = isa });
    sdw_job_hooks hooks = { .after_feed = keep, .ctx = t };
    t->count = 0;
    print_message("%s: %s\n", folder, sdw_engine_info(e)->backend);
    assert_int_equal(sdw_params_resolve(e, p, &resolved, &err), SDW_OK);
    assert_int_equal(sdw_job_create(e, &resolved, &hooks, &job, &err), SDW_OK);
    while (!done)
        if (sdw_job_advance(job, &done, &err) != SDW_OK) fail_msg("%s", err.text);
    sdw_job_free(job);
    sdw_engine_close(e);
}

static double relative(const float *a, const float *b, size_t n)
{
    double error = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(error / size);
}

/* A machine that lacks an instruction set runs the next lower one; the printed lines tell which ran. */
static void instruction_sets_agree_on_the_latents(void **state)
{
    (void)state;
    static track scalar, fast;
    static const char *const sets[] = { "avx2", "avx512" };
    static const char *const folders[] = { "sd15", "sdxl" };
    for (int f = 0; f < 2; f++) {
        sdw_params p = tiny_params("kernels");
        p.width = 72;
        p.height = 200;
        p.steps = 4;
        follow(folders[f], "scalar", &p, &scalar);
        assert_int_equal(scalar.count, 4);
        for (int s = 0; s < 2; s++) {
            follow(folders[f], sets[s], &p, &fast);
            assert_int_equal(fast.count, 4);
            for (int i = 0; i < 4; i++) {
                double error = relative(fast.value[i], scalar.value[i], scalar.elements);
                if (!(error <= 5e-5)) fail_msg("%s %s step %d: relative error %g, want at most 5e-5", folders[f], sets[s], i + 1, error);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_gives_the_same_bytes_twice_and_after_others),
        cmocka_unit_test(the_number_of_threads_changes_nothing),
        cmocka_unit_test(releasing_parts_changes_nothing),
        cmocka_unit_test(each_picture_of_a_count_is_the_single_one_of_its_seed),
        cmocka_unit_test(a_shared_batch_is_one_draw_for_all_its_pictures),
        cmocka_unit_test(both_generators_are_used_when_named),
        cmocka_unit_test(instruction_sets_agree_on_the_latents),
    };
    return cmocka_run_group_tests(tests, write_models, NULL);
}
