/* A picture has the bytes that it has alone, whoever shares its model evaluations: different prompts, seeds, samplers, steps
 * and guidance, joining late, neighbours that leave; and a decoding cut into slices changes nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/batch.h"
#include "engine/inside.h"
#include "engine/pipeline_impl.h"
#include "engine/tiny.h"

static int write_models(void **state)
{
    (void)state;
    tiny_write("sd15", &(tiny_options){ .kind = TINY_SD15 });
    tiny_write("inpaint", &(tiny_options){ .kind = TINY_INPAINT });
    tiny_write("sdxl", &(tiny_options){ .kind = TINY_SDXL });
    return 0;
}

/* Under a sanitizer the widest alone: it takes minutes there, and the others differ in kernels that have tests of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const char *const sets[] = { "avx512" };
#else
static const char *const sets[] = { "scalar", "avx2", "avx512" };
#endif
enum { SETS = sizeof sets / sizeof *sets };
enum { JOBS = 5 };

/* Requests that have nothing in common but their size. */
static sdw_params request(int i)
{
    static const char *const prompts[JOBS] = { "a lighthouse", "two boats at sea", "nothing", "a dog", "rain" };
    static const char *const samplers[JOBS] = { "euler", "heun", "dpmpp-2m", "euler_a", "ddim" };
    sdw_params p = tiny_params(prompts[i]);
    p.width = 72;
    p.height = 104;
    p.seed = 100 + (uint64_t)i;
    p.sampler = samplers[i];
    p.steps = 2 + i % 3;
    p.guidance = i % 2 ? 1.0 : 2.5 + i;
    return p;
}

typedef struct run {
    sdw_params resolved;
    sdw_job *job;
    bool done;
} run;

static void create(sdw_engine *e, const sdw_params *p, const sdw_job_hooks *hooks, run *r)
{
    sdw_error err = { 0 };
    *r = (run){ 0 };
    if (sdw_params_resolve(e, p, &r->resolved, &err) != SDW_OK) fail_msg("%s", err.text);
    if (sdw_job_create(e, &r->resolved, hooks, &r->job, &err) != SDW_OK) fail_msg("%s", err.text);
}

static sdw_phase phase(const run *r)
{
    sdw_progress p = { 0 };
    sdw_job_progress(r->job, &p);
    return p.phase;
}

static void advance(run *r)
{
    sdw_error err = { 0 };
    if (sdw_job_advance(r->job, &r->done, &err) != SDW_OK) fail_msg("%s", err.text);
}

static sdw_result *finish(run *r)
{
    sdw_result *result;
    sdw_error err = { 0 };
    while (!r->done) advance(r);
    assert_int_equal(sdw_job_take(r->job, &result, &err), SDW_OK);
    sdw_job_free(r->job);
    r->job = NULL;
    return result;
}

static void step_together(sdw_engine *e, run *runs, int count)
{
    sdw_batch_turn turns[SDW_BATCH_TURNS_MAX];
    sdw_error err = { 0 };
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (!runs[i].job || phase(&runs[i]) != SDW_PHASE_STEP) continue;
        for (int lane = 0; lane < sdw_job_lanes(runs[i].job); lane++) turns[n++] = (sdw_batch_turn){ .job = runs[i].job, .lane = lane };
    }
    if (!n) return;
    if (sdw_batch_step(e, turns, n, &err) != SDW_OK) fail_msg("%s", err.text);
    for (int i = 0; i < n; i++)
        if (turns[i].status != SDW_OK) fail_msg("%s", turns[i].error.text);
}

/* Up to the steps. */
static void begin(run *r)
{
    while (phase(r) < SDW_PHASE_STEP) advance(r);
}

static void company_changes_nothing(const char *folder, const char *isa)
{
    sdw_engine *e = tiny_open(folder, &(sdw_engine_options){ .threads = 2, .isa = isa });
    sdw_result *alone[JOBS];
    run runs[JOBS];
    for (int i = 0; i < JOBS; i++) {
        sdw_params p = request(i);
        alone[i] = tiny_generate(e, &p);
    }
    for (int i = 0; i < JOBS; i++) {
        sdw_params p = request(i);
        create(e, &p, &(sdw_job_hooks){ .slices = 1 }, &runs[i]);
        if (i != 3) begin(&runs[i]); /* number 3 joins late */
    }
    step_together(e, runs, 3);
    sdw_job_free(runs[1].job); /* a neighbour leaves in the middle */
    runs[1].job = NULL;
    begin(&runs[3]);
    for (int i = 0; i < 12; i++) {
        step_together(e, runs, JOBS);
        for (int k = 0; k < JOBS; k++) /* decodings lie between others' steps */
            if (runs[k].job && phase(&runs[k]) == SDW_PHASE_DECODE) {
                advance(&runs[k]);
                break;
            }
    }
    for (int i = 0; i < JOBS; i++) {
        if (!runs[i].job) continue;
        sdw_result *r = finish(&runs[i]);
        if (!tiny_same(&r->images[0], &alone[i]->images[0])) fail_msg("%s, %s: job %d differs in company in %d pixels", folder, isa, i, tiny_differing(&r->images[0], &alone[i]->images[0]));
        sdw_result_free(r);
    }
    for (int i = 0; i < JOBS; i++) sdw_result_free(alone[i]);
    sdw_engine_close(e);
}

static void a_job_has_its_bytes_in_any_company(void **state)
{
    (void)state;
    for (int s = 0; s < SETS; s++) company_changes_nothing("sd15", sets[s]);
    company_changes_nothing("sdxl", sets[SETS - 1]); /* slower, and sd15 has shown the kernels */
}

/* Latents after the last step, for every number of companions. */
static void every_width_of_a_batch_gives_the_same_bytes(void **state)
{
    (void)state;
    for (int s = 0; s < SETS; s++) {
        sdw_engine *e = tiny_open("sd15", &(sdw_engine_options){ .threads = 2, .isa = sets[s] });
        sdw_params p = request(0);
        p.steps = 2;
        sdw_result *alone = tiny_generate(e, &p);
        for (int count = 2; count <= 8; count += count < 4 ? 1 : 4) {
            p.count = count;
            run r;
            create(e, &p, &(sdw_job_hooks){ .together = true }, &r);
            assert_int_equal(sdw_job_lanes(r.job), count);
            begin(&r);
            while (phase(&r) == SDW_PHASE_STEP) step_together(e, &r, 1);
            sdw_result *all = finish(&r);
            if (!tiny_same(&all->images[0], &alone->images[0])) fail_msg("%s: a batch of %d pictures changes the first", sets[s], count);
            if (count == 8) /* and the others are those of their seeds */
                for (int i = 1; i < count; i += 5) {
                    sdw_params q = p;
                    q.count = 1;
                    q.seed += (uint64_t)i;
                    sdw_result *other = tiny_generate(e, &q);
                    assert_true(tiny_same(&other->images[0], &all->images[i]));
                    sdw_result_free(other);
                }
            sdw_result_free(all);
        }
        sdw_result_free(alone);
        sdw_engine_close(e);
    }
}

/* Two pictures from one generator beside a stranger: draws are made for the whole request, in the order of its pictures. */
static void a_shared_generator_stays_in_order_in_company(void **state)
{
    (void)state;
    sdw_engine *e = tiny_open("sd15", NULL);
    sdw_params p = request(3), stranger = request(0);
    p.count = 3;
    p.rng_batch = "shared";
    sdw_result *alone = tiny_generate(e, &p);
    run runs[2];
    create(e, &stranger, &(sdw_job_hooks){ .slices = 1 }, &runs[0]);
    create(e, &p, &(sdw_job_hooks){ .slices = 1 }, &runs[1]);
    begin(&runs[0]);
    begin(&runs[1]);
    while (phase(&runs[1]) == SDW_PHASE_STEP) step_together(e, runs, 2);
    sdw_result *r = finish(&runs[1]);
    for (int i = 0; i < 3; i++) assert_true(tiny_same(&r->images[i], &alone->images[i]));
    sdw_result_free(finish(&runs[0]));
    sdw_result_free(r);
    sdw_result_free(alone);
    sdw_engine_close(e);
}

/* Inpainting with 9 channels: encodings in slices too, mask and masked picture in every row. */
static void pictures_with_a_mask_share_evaluations(void **state)
{
    (void)state;
    sdw_engine *e = tiny_open("inpaint", NULL);
    sdw_picture init = tiny_picture(72, 104), mask = tiny_mask(72, 104, 10, 20, 50, 80), other_mask = tiny_mask(72, 104, 0, 0, 30, 30);
    sdw_result *alone[2];
    run runs[2];
    for (int i = 0; i < 2; i++) {
        sdw_params p = request(i);
        p.width = p.height = 0;
        p.init_image = &init;
        p.mask = i ? &other_mask : &mask;
        p.strength = i ? 1.0 : 0.7;
        p.steps = 4;
        alone[i] = tiny_generate(e, &p);
        create(e, &p, &(sdw_job_hooks){ .slices = 2 }, &runs[i]);
    }
    for (bool more = true; more;) { /* encodings of both in turn */
        more = false;
        for (int i = 0; i < 2; i++)
            if (phase(&runs[i]) < SDW_PHASE_STEP) {
                advance(&runs[i]);
                more = true;
            }
    }
    while (phase(&runs[0]) == SDW_PHASE_STEP || phase(&runs[1]) == SDW_PHASE_STEP) step_together(e, runs, 2);
    for (bool more = true; more;) { /* decodings of both in turn: two unfinished runs of one plan */
        more = false;
        for (int i = 0; i < 2; i++)
            if (!runs[i].done) {
                advance(&runs[i]);
                more = true;
            }
    }
    for (int i = 0; i < 2; i++) {
        sdw_result *r = finish(&runs[i]);
        assert_true(tiny_has_content(&r->images[0]));
        assert_true(tiny_same(&r->images[0], &alone[i]->images[0]));
        sdw_result_free(r);
        sdw_result_free(alone[i]);
    }
    tiny_picture_free(&init);
    tiny_picture_free(&mask);
    tiny_picture_free(&other_mask);
    sdw_engine_close(e);
}

static void a_job_may_end_its_steps_early(void **state)
{
    (void)state;
    sdw_engine *e = tiny_open("sd15", NULL);
    sdw_params p = request(0);
    p.steps = 20;
    run r;
    create(e, &p, &(sdw_job_hooks){ .together = true }, &r);
    sdw_job_finish_early(r.job); /* before there is anything to see: one evaluation is made */
    begin(&r);
    assert_int_equal(phase(&r), SDW_PHASE_STEP);
    step_together(e, &r, 1);
    assert_int_equal(phase(&r), SDW_PHASE_DECODE);
    sdw_result *early = finish(&r);
    assert_int_equal(early->steps_run, 1);
    assert_true(tiny_has_content(&early->images[0]));
    sdw_result_free(early);
    sdw_engine_close(e);
}

static void a_look_at_the_unfinished_picture_changes_nothing(void **state)
{
    (void)state;
    sdw_engine *e = tiny_open("sd15", NULL);
    sdw_params p = request(1);
    sdw_error err = { 0 };
    sdw_result *alone = tiny_generate(e, &p);
    sdw_picture look;
    run r;
    bool done = false;
    create(e, &p, NULL, &r);
    begin(&r);
    step_together(e, &r, 1);
    assert_int_equal(sdw_job_look_begin(r.job, &err), SDW_OK);
    while (!done) {
        assert_int_equal(sdw_job_look_go(r.job, 8, &done, &look, &err), SDW_OK);
        if (phase(&r) == SDW_PHASE_STEP) step_together(e, &r, 1);
    }
    assert_int_equal(look.width, 72);
    assert_true(tiny_has_content(&look));
    sdw_free(look.pixels);
    sdw_result *seen = finish(&r);
    assert_true(tiny_same(&alone->images[0], &seen->images[0]));
    sdw_result_free(seen);
    sdw_result_free(alone);
    sdw_engine_close(e);
}

static void kept_prompts_change_nothing(void **state)
{
    (void)state;
    static const char *const folders[] = { "sd15", "sdxl" };
    for (int f = 0; f < 2; f++) {
        sdw_error err = { 0 };
        sdw_engine *e = tiny_open(folders[f], NULL), *plain = tiny_open(folders[f], NULL);
        assert_int_equal(sdw_engine_cache_prompts(e, (size_t)64 << 10, &err), SDW_OK); /* room for two or so */
        unsigned long hits = 0;
        for (int i = 0; i < (f ? 4 : 12); i++) { /* what XL adds is seen soon */
            static const int order[12] = { 0, 0, 1, 0, 2, 3, 4, 0, 2, 2, 1, 1 };
            sdw_params p = request(order[i]);
            p.steps = 1;
            p.sampler = "euler";
            p.negative_prompt = p.guidance > 1 ? (i == 9 ? "ugly" : "") : NULL;
            if (i == 10) p.width = 64;
            sdw_result *a = tiny_generate(e, &p), *b = tiny_generate(plain, &p);
            assert_true(tiny_same(&a->images[0], &b->images[0]));
            sdw_result_free(a);
            sdw_result_free(b);
            if (i == 1) assert_int_equal(sdw_engine_prompt_hits(e), 1);
            if (i == 9) assert_int_equal(sdw_engine_prompt_hits(e), hits); /* another negative prompt */
            if (i == 10) assert_int_equal(sdw_engine_prompt_hits(e), hits); /* another size */
            hits = sdw_engine_prompt_hits(e);
            assert_true(sdw_engine_prompt_bytes(e) <= (size_t)64 << 10);
        }
        sdw_engine_close(e);
        sdw_engine_close(plain);
    }
}

static bool encoder_in_use(sdw_engine *e)
{
    const sdw_pipeline *p = sdw_engine_pipeline(e);
    return p->part[SDW_PART_TEXT_ENCODER].packed || p->part[SDW_PART_TEXT_ENCODER_2].packed;
}

static void generate_and_drop(sdw_engine *e, const sdw_params *p)
{
    sdw_result_free(tiny_generate(e, p));
}

/* The encoders' weights are taken away after the first job: running one would bring them back. */
static void a_second_job_with_the_same_prompt_runs_no_text_encoder(void **state)
{
    (void)state;
    static const char *const folders[] = { "sd15", "sdxl" };
    for (int f = 0; f < 2; f++) {
        sdw_error err = { 0 };
        sdw_engine *e = tiny_open(folders[f], NULL);
        assert_int_equal(sdw_engine_cache_prompts(e, (size_t)1 << 20, &err), SDW_OK);
        sdw_params p = request(0);
        p.steps = 1;
        p.sampler = "euler";
        generate_and_drop(e, &p);
        assert_true(encoder_in_use(e));
        sdw_pipeline_unload(sdw_engine_pipeline(e), SDW_PART_TEXT_ENCODER);
        sdw_pipeline_unload(sdw_engine_pipeline(e), SDW_PART_TEXT_ENCODER_2);
        p.seed++;
        p.steps = 2;
        generate_and_drop(e, &p);
        assert_false(encoder_in_use(e));
        p.prompt = "something else";
        generate_and_drop(e, &p);
        assert_true(encoder_in_use(e));
        sdw_engine_close(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_has_its_bytes_in_any_company),
        cmocka_unit_test(every_width_of_a_batch_gives_the_same_bytes),
        cmocka_unit_test(a_shared_generator_stays_in_order_in_company),
        cmocka_unit_test(pictures_with_a_mask_share_evaluations),
        cmocka_unit_test(a_job_may_end_its_steps_early),
        cmocka_unit_test(a_look_at_the_unfinished_picture_changes_nothing),
        cmocka_unit_test(kept_prompts_change_nothing),
        cmocka_unit_test(a_second_job_with_the_same_prompt_runs_no_text_encoder),
    };
    return cmocka_run_group_tests(tests, write_models, NULL);
}
