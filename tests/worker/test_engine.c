/* The real engine under the worker, on the small models of tests/engine: bytes in company, masks, previews, failures. */
#include "worker/bed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/tiny.h"
#include "image/image.h"

enum { JOBS = 4 };

static int write_models(void **state)
{
    (void)state;
    tiny_write("sd15", &(tiny_options){ .kind = TINY_SD15 });
    tiny_write("nan_unet", &(tiny_options){ .kind = TINY_SD15, .nan_tensor = "conv_out.bias" });
    tiny_write("sdxl", &(tiny_options){ .kind = TINY_SDXL });
    return 0;
}

static void open_engine(bed *b, const char *model, int batch)
{
    bed_open(b, &(sdw_worker_options){ .executor = &sdw_executor_engine, .engine = { .model = model, .threads = 2 }, .batch_max = batch });
}

static sdw_job_request request(int i)
{
    static const char *const samplers[JOBS] = { "euler", "heun", "euler_a", "ddim" };
    sdw_job_request r = { .params = tiny_params(i % 2 ? "a lighthouse" : "a boat, far away") };
    r.params.seed = 20 + (uint64_t)i;
    r.params.sampler = samplers[i];
    r.params.steps = 3 + i % 2;
    r.params.guidance = i == 3 ? 1.0 : 3.0 + i;
    r.params.count = i == 2 ? 2 : 1;
    return r;
}

static void expect_bytes(bed *b, const sdw_job_id *id, const sdw_result *alone, int job)
{
    size_t size;
    for (int i = 0; i < alone->count; i++) {
        uint8_t *pixels = bed_pixels(b, id, i, &size);
        if (size != 64 * 64 * 3 || memcmp(pixels, alone->images[i].pixels, size) != 0) fail_msg("job %d, picture %d differs from the one made alone", job, i);
        sdw_free(pixels);
    }
}

static void a_job_has_the_bytes_of_sdw_generate_in_any_company(void **state)
{
    (void)state;
    sdw_result *alone[JOBS];
    sdw_engine *e = tiny_open("sd15", NULL);
    for (int i = 0; i < JOBS; i++) {
        sdw_job_request r = request(i);
        alone[i] = tiny_generate(e, &r.params);
    }
    sdw_engine_close(e);
    for (int batch = 1; batch <= 5; batch += 2) {
        bed b;
        sdw_job_id id[JOBS], gone;
        open_engine(&b, "sd15", batch);
        for (int i = 0; i < JOBS; i++) {
            sdw_job_request r = request(i);
            id[i] = bed_submit(&b, &r);
            if (i != 1) continue;
            r.params.steps = 150; /* a neighbour that will be cancelled */
            gone = bed_submit(&b, &r);
        }
        bed_wait_status(&b, &gone, SDW_JOB_RUNNING);
        sdw_event first = bed_event(&b, &gone, 0);
        sdw_event_finish(&first);
        assert_int_equal(sdw_worker_cancel(b.w, &gone, NULL), SDW_OK);
        for (int i = 0; i < JOBS; i++) {
            assert_int_equal(bed_wait_end(&b, &id[i]), SDW_JOB_COMPLETED);
            expect_bytes(&b, &id[i], alone[i], i);
        }
        assert_int_equal(bed_wait_end(&b, &gone), SDW_JOB_WAS_CANCELLED);
        bed_close(&b);
    }
    for (int i = 0; i < JOBS; i++) sdw_result_free(alone[i]);
}

static void a_prompt_is_encoded_once_for_all_who_repeat_it(void **state)
{
    (void)state;
    bed b;
    sdw_worker_stats stats;
    open_engine(&b, "sd15", 1);
    for (int i = 0; i < 3; i++) {
        sdw_job_request r = request(0);
        r.params.seed = (uint64_t)i;
        if (i == 2) r.params.prompt = "another one";
        sdw_job_id id = bed_submit(&b, &r);
        assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_COMPLETED);
    }
    sdw_worker_stats_of(b.w, &stats);
    assert_int_equal(stats.cache_hits[SDW_CACHE_TEXT_EMBED], 1);
    assert_int_equal(stats.cache_hits[SDW_CACHE_MODEL], 3); /* which was loaded before them */
    bed_close(&b);
}

static void steps_that_evaluate_twice_are_told_once(void **state)
{
    (void)state;
    bed b;
    char story[64];
    open_engine(&b, "sd15", 2);
    sdw_job_request r = request(1); /* Heun, 4 steps */
    r.preview_every = 2;
    sdw_job_id id = bed_submit(&b, &r);
    bed_story(&b, &id, false, story, sizeof story);
    int progress = 0, previews = 0;
    for (const char *s = story; *s; s++) {
        progress += *s == 'p';
        previews += *s == 'v';
    }
    assert_int_equal(progress, 4);
    assert_int_equal(previews, 3);
    bed_close(&b);
}

static void values_that_are_not_finite_fail_the_job_alone(void **state)
{
    (void)state;
    bed b;
    open_engine(&b, "nan_unet", 2);
    sdw_job_request r = request(0);
    sdw_job_id id = bed_submit(&b, &r);
    assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_FAILED);
    sdw_job_view v = bed_view(&b, &id);
    assert_string_equal(v.error.code, "NON_FINITE");
    sdw_job_view_finish(&v);
    bed_close(&b);
}

static void a_job_too_large_for_the_memory_is_refused_with_both_numbers(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, &(sdw_worker_options){ .executor = &sdw_executor_engine, .engine = { .model = "sd15", .threads = 1, .memory_limit = (uint64_t)48 << 20 } });
    sdw_job_request r = request(0);
    r.params.width = r.params.height = 2048;
    bed_wait_phase(&b, SDW_WORKER_IDLE);
    assert_int_equal(bed_refused(&b, &r, "", "the limit is 50331648"), SDW_NO_MEMORY);
    bed_close(&b);
}

static void a_model_is_switched_at_run_time(void **state)
{
    (void)state;
    bed b;
    sdw_engine *e = tiny_open("sdxl", NULL);
    sdw_job_request r = request(0);
    sdw_result *alone = tiny_generate(e, &r.params);
    sdw_engine_close(e);
    open_engine(&b, "sd15", 2);
    sdw_job_id first = bed_submit(&b, &r);
    assert_int_equal(sdw_worker_load(b.w, "other", &(sdw_engine_options){ .model = "sdxl", .threads = 2 }, NULL), SDW_OK);
    sdw_job_id second = bed_submit(&b, &r);
    assert_int_equal(bed_wait_end(&b, &first), SDW_JOB_COMPLETED);
    assert_int_equal(bed_wait_end(&b, &second), SDW_JOB_COMPLETED);
    expect_bytes(&b, &second, alone, 1);
    sdw_result_free(alone);
    bed_close(&b);
}

/* Mean colour of each cell of 8 x 8 pixels. */
static void cell_means(const uint8_t *pixels, int width, int height, double *ret)
{
    int cells = width / 8;
    for (int i = 0; i < cells * (height / 8) * 3; i++) ret[i] = 0;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++) ret[(y / 8 * cells + x / 8) * 3 + c] += pixels[(y * width + x) * 3 + c] / 64.0;
}

static double correlation(const double *a, const double *b, int n)
{
    double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < n; i++) ma += a[i] / n, mb += b[i] / n;
    for (int i = 0; i < n; i++) ab += (a[i] - ma) * (b[i] - mb), aa += (a[i] - ma) * (a[i] - ma), bb += (b[i] - mb) * (b[i] - mb);
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

/* The trained demo model: the projected preview of the last step has the colours of the picture, cell by cell. */
static void a_projected_preview_looks_like_the_picture(void **state)
{
    (void)state;
    enum { SIDE = 128, VALUES = SIDE / 8 * (SIDE / 8) * 3 };
    static double seen[VALUES], drawn[VALUES];
    const char *model = getenv("SDW_DEMO_MODEL");
    static const char *const prompts[] = { "a red circle on a white background", "a blue square on yellow", "a green triangle" };
    bed b;
#if defined(__SANITIZE_THREAD__)
    skip(); /* minutes of arithmetic, and no thread that the other tests lack */
#endif
    if (!model) skip();
    open_engine(&b, model, 2);
    for (int i = 0; i < 3; i++) {
        sdw_job_request r = { .preview_every = 100 };
        sdw_params_init(&r.params);
        r.params.prompt = prompts[i];
        r.params.width = r.params.height = SIDE;
        r.params.steps = 12;
        r.params.seed = 5;
        r.params.has_seed = 1;
        sdw_job_id id = bed_submit(&b, &r);
        assert_int_equal(bed_wait_end(&b, &id), SDW_JOB_COMPLETED);
        size_t size;
        uint8_t *pixels = bed_pixels(&b, &id, 0, &size);
        cell_means(pixels, SIDE, SIDE, drawn);
        sdw_free(pixels);
        sdw_event e = { .number = 0 };
        int found = 0;
        for (uint64_t after = 0; sdw_worker_event(b.w, &id, after, &e, NULL) == SDW_OK; after = e.number) {
            if (e.kind == SDW_EVENT_PREVIEW && e.step == 12) {
                sdw_image *image;
                const void *png = sdw_blob_bytes(e.picture, &size);
                assert_int_equal(sdw_image_decode(png, size, NULL, &image, NULL), SDW_OK);
                assert_int_equal(image->width, SIDE);
                cell_means(image->pixels, SIDE, SIDE, seen);
                sdw_image_free(image);
                found = 1;
            }
            sdw_event_finish(&e);
        }
        assert_true(found);
        double r2 = correlation(seen, drawn, VALUES);
        print_message("%s: correlation %.3f\n", prompts[i], r2);
        assert_true(r2 > 0.8);
    }
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_has_the_bytes_of_sdw_generate_in_any_company),
        cmocka_unit_test(a_prompt_is_encoded_once_for_all_who_repeat_it),
        cmocka_unit_test(steps_that_evaluate_twice_are_told_once),
        cmocka_unit_test(values_that_are_not_finite_fail_the_job_alone),
        cmocka_unit_test(a_job_too_large_for_the_memory_is_refused_with_both_numbers),
        cmocka_unit_test(a_model_is_switched_at_run_time),
        cmocka_unit_test(a_projected_preview_looks_like_the_picture),
    };
    return cmocka_run_group_tests(tests, write_models, NULL);
}
