/* Events as bytes: the three generations, ids, percents, slices. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "server/sse_format.h"
#include "worker/blob.h"

#define ID "job-01234567-89ab-4cde-8f01-23456789abcd"

static sdw_blob *picture, *narration, *message;
static sdw_blob *pictures[2];
static const uint64_t seeds[2] = { UINT64_MAX, 0 };

static int make(void **state)
{
    (void)state;
    pictures[0] = picture = sdw_blob_copy("PNG?", 4);
    pictures[1] = sdw_blob_copy("second", 6);
    static const char told[] = "{\"action\":\"warning\",\"actor\":\"sd-worker\",\"emitted_at_ms\":1763870000000,\"formatted\":\"f\","
                              "\"human\":\"a \\\"b\\\"\",\"target\":\"t\",\"type\":\"narration\"}";
    narration = sdw_blob_copy(told, sizeof told - 1);
    message = sdw_blob_copy("two\r\nlines", 10);
    return picture && narration && message ? 0 : 1;
}

static int drop(void **state)
{
    (void)state;
    sdw_blob_unref(pictures[0]);
    sdw_blob_unref(pictures[1]);
    sdw_blob_unref(narration);
    sdw_blob_unref(message);
    return 0;
}

static sdw_event event(sdw_event_kind kind, uint64_t number)
{
    sdw_event e = { .kind = kind, .number = number, .step = 1, .total = 20 };
    if (kind == SDW_EVENT_PREVIEW) e.picture = picture;
    if (kind == SDW_EVENT_NARRATION) e.text = narration;
    if (kind == SDW_EVENT_ERROR) {
        e.text = message;
        memcpy(e.code, "VRAM_OOM", 9);
    }
    return e;
}

static sdw_sse_job job = { .id = ID, .model = "m\"1", .format = "png", .error_message = "two\r\nlines", .elapsed_ms = 2209.6,
                           .width = 64, .height = 72, .pictures = 1, .picture = pictures, .seeds = seeds };

static void expect(sdw_sse_form form, bool with_id, sdw_event_kind kind, const char *want)
{
    sdw_sse_pieces p = { 0 };
    sdw_buf out = { 0 };
    sdw_event e = event(kind, kind == SDW_EVENT_END_KEPT ? 0 : 7);
    assert_true(sdw_sse_append(&p, form, with_id, &job, &e));
    while (!sdw_sse_empty(&p)) assert_true(sdw_sse_take(&p, 1 << 20, &out));
    assert_string_equal(out.size ? out.data : "", want);
    if (out.size) assert_null(strchr(out.data, '\r'));
    sdw_buf_finish(&out);
    sdw_sse_pieces_finish(&p);
}

static void the_second_generation(void **state)
{
    (void)state;
    expect(SDW_SSE_G2, false, SDW_EVENT_PROGRESS, "event: progress\ndata: {\"percent\":5.0,\"step\":1,\"total\":20,\"type\":\"progress\"}\n\n");
    expect(SDW_SSE_G2, true, SDW_EVENT_PROGRESS, "id: 7\nevent: progress\ndata: {\"percent\":5.0,\"step\":1,\"total\":20,\"type\":\"progress\"}\n\n");
    expect(SDW_SSE_G2, false, SDW_EVENT_PREVIEW, "event: preview\ndata: {\"format\":\"png\",\"image\":\"UE5HPw==\",\"percent\":5.0,\"step\":1,\"total\":20,\"type\":\"preview\"}\n\n");
    expect(SDW_SSE_G2, false, SDW_EVENT_NARRATION, "event: narration\ndata: {\"action\":\"warning\",\"actor\":\"sd-worker\",\"emitted_at_ms\":1763870000000,"
           "\"formatted\":\"f\",\"human\":\"a \\\"b\\\"\",\"job_id\":\"" ID "\",\"target\":\"t\",\"type\":\"narration\"}\n\n");
    expect(SDW_SSE_G2, false, SDW_EVENT_COMPLETE, "event: complete\ndata: {\"elapsed_ms\":2210,\"format\":\"png\",\"height\":72,\"image\":\"UE5HPw==\","
           "\"model\":\"m\\\"1\",\"seed\":18446744073709551615,\"type\":\"complete\",\"width\":64}\n\n");
    expect(SDW_SSE_G2, true, SDW_EVENT_END_DONE, "id: 7\ndata: [DONE]\n\n");
    expect(SDW_SSE_G2, false, SDW_EVENT_ERROR, "event: error\ndata: {\"code\":\"VRAM_OOM\",\"message\":\"two\\r\\nlines\",\"type\":\"error\"}\n\n");
    expect(SDW_SSE_G2, false, SDW_EVENT_END_ERROR, "data: [ERROR] two  lines\n\n");
    expect(SDW_SSE_G2, true, SDW_EVENT_END_CANCELLED, "id: 7\ndata: [CANCELLED]\n\n");
    expect(SDW_SSE_G2, true, SDW_EVENT_END_KEPT, "data: [ERROR] Worker is shutting down, job " ID " is kept\n\n");
}

static void the_first_generation(void **state)
{
    (void)state;
    expect(SDW_SSE_G1, false, SDW_EVENT_PROGRESS, "data: {\"event\":\"progress\",\"step\":1,\"total\":20}\n\n");
    expect(SDW_SSE_G1, true, SDW_EVENT_PREVIEW, "");
    expect(SDW_SSE_G1, true, SDW_EVENT_NARRATION, "");
    expect(SDW_SSE_G1, true, SDW_EVENT_COMPLETE, "id: 7\ndata: {\"event\":\"complete\",\"image_base64\":\"UE5HPw==\"}\n\n");
    expect(SDW_SSE_G1, false, SDW_EVENT_ERROR, "data: {\"event\":\"error\",\"message\":\"two\\r\\nlines\"}\n\n");
    expect(SDW_SSE_G1, false, SDW_EVENT_END_ERROR, "data: [DONE]\n\n");
    expect(SDW_SSE_G1, true, SDW_EVENT_END_CANCELLED, "data: {\"event\":\"error\",\"message\":\"Job was cancelled\"}\n\nid: 7\ndata: [DONE]\n\n");
    expect(SDW_SSE_G1, false, SDW_EVENT_END_DONE, "data: [DONE]\n\n");
}

static void the_oldest_generation(void **state)
{
    (void)state;
    expect(SDW_SSE_G0, true, SDW_EVENT_PROGRESS, "event: progress\ndata: {\"step\":1,\"total_steps\":20,\"percent\":5.0}\n\n");
    expect(SDW_SSE_G0, true, SDW_EVENT_PREVIEW, "");
    expect(SDW_SSE_G0, true, SDW_EVENT_COMPLETE, "event: complete\ndata: {\"image\":\"UE5HPw==\",\"seed\":18446744073709551615,\"elapsed_ms\":2210}\n\n");
    expect(SDW_SSE_G0, true, SDW_EVENT_ERROR, "event: error\ndata: {\"code\":\"VRAM_OOM\",\"message\":\"two\\r\\nlines\"}\n\n");
    expect(SDW_SSE_G0, true, SDW_EVENT_END_DONE, "");
    expect(SDW_SSE_G0, true, SDW_EVENT_END_ERROR, "");
    expect(SDW_SSE_G0, true, SDW_EVENT_END_CANCELLED, "event: error\ndata: {\"code\":\"CANCELLED\",\"message\":\"Job was cancelled\"}\n\n");
}

static void several_pictures_stand_beside_the_first(void **state)
{
    (void)state;
    job.pictures = 2;
    expect(SDW_SSE_G2, false, SDW_EVENT_COMPLETE, "event: complete\ndata: {\"elapsed_ms\":2210,\"format\":\"png\",\"height\":72,\"image\":\"UE5HPw==\","
           "\"images\":[\"UE5HPw==\",\"c2Vjb25k\"],\"model\":\"m\\\"1\",\"seed\":18446744073709551615,\"seeds\":[18446744073709551615,0],"
           "\"type\":\"complete\",\"width\":64}\n\n");
    expect(SDW_SSE_G1, false, SDW_EVENT_COMPLETE, "data: {\"event\":\"complete\",\"image_base64\":\"UE5HPw==\",\"images\":[\"UE5HPw==\",\"c2Vjb25k\"]}\n\n");
    expect(SDW_SSE_G0, false, SDW_EVENT_COMPLETE, "event: complete\ndata: {\"image\":\"UE5HPw==\",\"seed\":18446744073709551615,\"elapsed_ms\":2210,"
           "\"images\":[\"UE5HPw==\",\"c2Vjb25k\"]}\n\n");
    job.pictures = 0; /* deleted meanwhile */
    expect(SDW_SSE_G2, true, SDW_EVENT_COMPLETE, "");
    job.pictures = 1;
}

static void percents_have_one_or_two_decimals(void **state)
{
    (void)state;
    static const struct { int step, total; const char *g2, *g0; } cases[] = {
        { 1, 20, "5.0", "5.0" }, { 1, 30, "3.33", "3.3" }, { 2, 3, "66.67", "66.7" }, { 20, 20, "100.0", "100.0" },
        { 1, 8, "12.5", "12.5" }, { 1, 150, "0.67", "0.7" }, { 0, 20, "0.0", "0.0" }, { 3, 7, "42.86", "42.9" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[16];
        sdw_sse_percent(SDW_SSE_G2, cases[i].step, cases[i].total, text);
        assert_string_equal(text, cases[i].g2);
        sdw_sse_percent(SDW_SSE_G0, cases[i].step, cases[i].total, text);
        assert_string_equal(text, cases[i].g0);
    }
}

static void slices_of_any_size_join_to_the_same_bytes(void **state)
{
    (void)state;
    sdw_event e = event(SDW_EVENT_COMPLETE, 7);
    char whole[1024];
    job.pictures = 2;
    for (size_t slice = 1 << 20; slice > 0; slice = slice > 40 ? 40 : slice - 1) {
        sdw_sse_pieces p = { 0 };
        sdw_buf out = { 0 };
        assert_true(sdw_sse_append(&p, SDW_SSE_G2, true, &job, &e));
        while (!sdw_sse_empty(&p)) {
            size_t before = out.size;
            assert_true(sdw_sse_take(&p, slice, &out));
            assert_true(out.size > before && out.size - before <= slice + 8);
        }
        if (slice == 1 << 20) memcpy(whole, out.data, out.size + 1);
        assert_string_equal(out.data, whole);
        sdw_buf_finish(&out);
    }
    job.pictures = 1;
}

static void last_ids_are_numbers_or_nothing(void **state)
{
    (void)state;
    assert_int_equal(sdw_sse_last_id("5"), 5);
    assert_true(sdw_sse_last_id("1844674407370955161") == 1844674407370955161u);
    assert_int_equal(sdw_sse_last_id(NULL), 0);
    assert_int_equal(sdw_sse_last_id(""), 0);
    assert_int_equal(sdw_sse_last_id("x"), 0);
    assert_int_equal(sdw_sse_last_id("-1"), 0);
    assert_int_equal(sdw_sse_last_id("5 "), 0);
    assert_int_equal(sdw_sse_last_id("99999999999999999999999999"), 0);
}

static void forms_have_names(void **state)
{
    (void)state;
    sdw_sse_form f;
    assert_true(sdw_sse_form_parse(NULL, &f) && f == SDW_SSE_G2);
    assert_true(sdw_sse_form_parse("legacy", &f) && f == SDW_SSE_G1);
    assert_true(sdw_sse_form_parse("g1", &f) && f == SDW_SSE_G1);
    assert_false(sdw_sse_form_parse("xyz", &f));
}

static void every_failing_allocation_is_told(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        sdw_sse_pieces p = { 0 };
        sdw_buf out = { 0 };
        sdw_event e = event(SDW_EVENT_COMPLETE, 7);
        sdw_mem_fail_at(n, true);
        bool ok = sdw_sse_append(&p, SDW_SSE_G2, true, &job, &e);
        while (ok && !sdw_sse_empty(&p)) ok = sdw_sse_take(&p, 16, &out);
        sdw_mem_fail_at(0, false);
        sdw_buf_finish(&out);
        sdw_sse_pieces_finish(&p);
        if (ok) break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_generation),
        cmocka_unit_test(the_first_generation),
        cmocka_unit_test(the_oldest_generation),
        cmocka_unit_test(several_pictures_stand_beside_the_first),
        cmocka_unit_test(percents_have_one_or_two_decimals),
        cmocka_unit_test(slices_of_any_size_join_to_the_same_bytes),
        cmocka_unit_test(last_ids_are_numbers_or_nothing),
        cmocka_unit_test(forms_have_names),
        cmocka_unit_test(every_failing_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
