/* Status, memory, arena, buffer and narrow floats. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/half.h"
#include "core/mem.h"
#include "core/status.h"

static void error_keeps_code_field_and_text(void **state)
{
    (void)state;
    sdw_error err = { 0 };
    assert_int_equal(sdw_fail_field(&err, SDW_INVALID, "steps", "steps %d: want 1..%d", 0, 150), SDW_INVALID);
    assert_string_equal(err.field, "steps");
    assert_string_equal(err.text, "steps 0: want 1..150");
    assert_string_equal(sdw_status_name(err.status), "INVALID");
    assert_int_equal(sdw_fail(NULL, SDW_IO, "x"), SDW_IO);
}

static void sizes_that_wrap_are_refused(void **state)
{
    (void)state;
    size_t n = 7;
    assert_false(sdw_size_mul(SIZE_MAX / 2, 3, &n));
    assert_false(sdw_size_add(SIZE_MAX, 1, &n));
    assert_int_equal(n, 7);
    assert_true(sdw_size_mul(6, 7, &n));
    assert_int_equal(n, 42);
}

static void the_nth_allocation_can_fail(void **state)
{
    (void)state;
    sdw_mem_fail_at(2, false);
    void *a = sdw_malloc(8), *b = sdw_malloc(8), *c = sdw_malloc(8);
    sdw_mem_fail_at(0, false);
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    sdw_free(a);
    sdw_free(c);
}

static void arena_is_zeroed_aligned_and_bounded(void **state)
{
    (void)state;
    sdw_arena a;
    sdw_arena_init(&a, 100000);
    for (size_t i = 1; i < 300; i++) {
        unsigned char *p = sdw_arena_alloc(&a, i);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t j = 0; j < i; j++) assert_int_equal(p[j], 0);
        memset(p, 0xff, i);
    }
    assert_null(sdw_arena_alloc(&a, 100000));
    assert_string_equal(sdw_arena_printf(&a, "%s.%d", "block", 3), "block.3");
    sdw_arena_finish(&a);
    assert_int_equal(a.used, 0);
}

static void buffer_grows_to_its_maximum_and_failure_sticks(void **state)
{
    (void)state;
    sdw_buf b;
    sdw_buf_init(&b, 10);
    assert_true(sdw_buf_puts(&b, "12345"));
    assert_true(sdw_buf_printf(&b, "%d", 67890));
    assert_string_equal(b.data, "1234567890");
    assert_false(sdw_buf_puts(&b, "x"));
    assert_false(sdw_buf_puts(&b, ""));
    assert_null(sdw_buf_take(&b, NULL));
}

static void every_half_survives_the_way_to_float_and_back(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = sdw_f16_to_f32((uint16_t)h), g = sdw_bf16_to_f32((uint16_t)h);
        if (!isnan(f)) assert_int_equal(sdw_f32_to_f16(f), h);
        if (!isnan(g)) assert_int_equal(sdw_f32_to_bf16(g), h);
    }
    for (uint32_t h = 0; h < 256; h++) {
        float f = sdw_f8e4m3_to_f32((uint8_t)h), g = sdw_f8e5m2_to_f32((uint8_t)h);
        if (!isnan(f)) assert_int_equal(sdw_f32_to_f8e4m3(f), h);
        if (!isnan(g)) assert_int_equal(sdw_f32_to_f8e5m2(g), h);
    }
}

static void narrowing_rounds_half_to_even(void **state)
{
    (void)state;
    assert_int_equal(sdw_f32_to_f16(1.0f + 1.0f / 2048), 0x3c00);
    assert_int_equal(sdw_f32_to_f16(1.0f + 3.0f / 2048), 0x3c02);
    assert_int_equal(sdw_f32_to_f16(65519.0f), 0x7bff);
    assert_int_equal(sdw_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(sdw_f32_to_f16(2.98023223876953125e-8f), 0);      /* half of the least subnormal */
    assert_int_equal(sdw_f32_to_f16(2.9802326e-8f), 1);
    assert_int_equal(sdw_f32_to_f8e4m3(448.0f), 0x7e);
    assert_int_equal(sdw_f32_to_f8e4m3(464.0f), 0x7e);
    assert_int_equal(sdw_f32_to_f8e4m3(481.0f), 0x7f);
    assert_true(sdw_f8e4m3_to_f32(0x7e) == 448.0f);
    assert_true(sdw_f8e4m3_to_f32(0x01) == 0.001953125f);
    assert_true(isnan(sdw_f16_to_f32(sdw_f32_to_f16(NAN))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_keeps_code_field_and_text),
        cmocka_unit_test(sizes_that_wrap_are_refused),
        cmocka_unit_test(the_nth_allocation_can_fail),
        cmocka_unit_test(arena_is_zeroed_aligned_and_bounded),
        cmocka_unit_test(buffer_grows_to_its_maximum_and_failure_sticks),
        cmocka_unit_test(every_half_survives_the_way_to_float_and_back),
        cmocka_unit_test(narrowing_rounds_half_to_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
