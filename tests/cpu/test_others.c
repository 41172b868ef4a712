/* test_others.c - attention, norms, embeddings and element-wise ops of every instruction set against their definitions. */
#include "cpu/attention_cases.h"

static const char *const levels[] = { "scalar", "avx2", "avx512" };
enum { LEVELS = sizeof levels / sizeof *levels };

static const double tolerance = 6e-7;

/* ---- attention ---- */

static void attention_equals_its_definition(void **state)
{
    (void)state;
    for (int l = 0; l < LEVELS; l++)
        for (int i = 0; i < ATTENTION_CASES; i++) {
            attention_run r;
            run_attention(&r, &attention_cases[i], &(sdw_backend_options){ .isa = levels[l], .threads = 2 });
            double d = check_attention(&r, &attention_cases[i]), most = tolerance * (1 + attention_cases[i].size / 4); /* large scores: their rounding counts */
            if (!(d < most)) fail_msg("%s: case %d is off by %g, want below %g", levels[l], i, d, most);
            bed_close(&r.b);
        }
}

static void attention_does_not_depend_on_threads(void **state)
{
    (void)state;
    for (int l = 0; l < LEVELS; l++)
        for (int i = 0; i < ATTENTION_CASES; i++) {
            attention_run first, r;
            run_attention(&first, &attention_cases[i], &(sdw_backend_options){ .isa = levels[l], .threads = 1 });
            for (int threads = 2; threads <= 4; threads++) {
                run_attention(&r, &attention_cases[i], &(sdw_backend_options){ .isa = levels[l], .threads = threads });
                assert_memory_equal(r.out, first.out, first.b.bound_floats[0] * 4);
                bed_close(&r.b);
            }
            bed_close(&first.b);
        }
}

static void a_key_count_outside_the_keys_is_refused(void **state)
{
    (void)state;
    static const int32_t wrong[] = { 0, -1, 9, INT32_MAX };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bed b;
        sdw_error err = { 0 };
        bed_open(&b, NULL, 1);
        sdw_tensor *q = bed_input(&b, 1, 8, 1, 8), *length = bed_input(&b, 1, 1, 1, 1);
        memcpy(b.bound[1], &wrong[i], 4);
        sdw_attention(b.graph, q, &(sdw_attention_args){ .k = q, .v = q, .kv_len = length, .heads = 1, .scale = 1 }, NULL);
        assert_int_equal(bed_run_status(&b, &err), SDW_INVALID);
        bed_close(&b);
    }
}

/* ---- norms ---- */

static void group_norm_coefficients_equal_their_definition(void **state)
{
    (void)state;
    static const struct { int n, h, w, c, groups; float mean; } cases[] = { { 1, 1, 1, 4, 2, 0 }, { 2, 5, 7, 32, 4, 1 }, { 2, 40, 30, 96, 32, 100 }, { 1, 130, 70, 33, 11, -3 } };
    for (int l = 0; l < LEVELS; l++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            int n = cases[i].n, rows = cases[i].h * cases[i].w, c = cases[i].c, width = c / cases[i].groups;
            bed b;
            bed_open(&b, levels[l], 3);
            sdw_tensor *x = bed_input(&b, n, cases[i].h, cases[i].w, c), *out = bed_input(&b, n, 1, 1, 2 * c);
            for (size_t j = 0; j < b.bound_floats[0]; j++) b.bound[0][j] += cases[i].mean;
            sdw_weight *gamma = bed_weight(&b, SDW_ROLE_VECTOR, c, 1, 1, SDW_F32, 1), *beta = bed_weight(&b, SDW_ROLE_VECTOR, c, 1, 1, SDW_F32, 1);
            const sdw_tensor *coeffs = sdw_group_norm(b.graph, x, &(sdw_norm_args){ .gamma = gamma, .beta = beta, .groups = cases[i].groups, .eps = 1e-5f });
            sdw_copy(b.graph, coeffs, out);
            bed_run(&b);
            for (int lane = 0; lane < n; lane++)
                for (int k = 0; k < c; k++) {
                    double sum = 0, square = 0, count = (double)rows * width;
                    for (int r = 0; r < rows; r++)
                        for (int j = k / width * width; j < (k / width + 1) * width; j++) sum += b.bound[0][((size_t)lane * (size_t)rows + (size_t)r) * (size_t)c + (size_t)j];
                    for (int r = 0; r < rows; r++)
                        for (int j = k / width * width; j < (k / width + 1) * width; j++) {
                            double d = b.bound[0][((size_t)lane * (size_t)rows + (size_t)r) * (size_t)c + (size_t)j] - sum / count;
                            square += d * d;
                        }
                    double scale = bed_exact(&b, gamma)[k] / sqrt(square / count + 1e-5f), shift = bed_exact(&b, beta)[k] - sum / count * scale;
                    assert_true(fabs(b.bound[1][lane * 2 * c + k] - scale) <= 2e-7 * fabs(scale));
                    assert_true(fabs(b.bound[1][lane * 2 * c + c + k] - shift) <= 2e-7 * (fabs(shift) + 1));
                }
            bed_close(&b);
        }
}

static void layer_norm_equals_its_definition(void **state)
{
    (void)state;
    static const int widths[] = { 1, 5, 16, 33, 320, 1280 };
    for (int l = 0; l < LEVELS; l++)
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
            for (int affine = 0; affine < 2; affine++) {
                int c = widths[i], rows = 50;
                bed b;
                bed_open(&b, levels[l], 2);
                sdw_tensor *x = bed_input(&b, 2, rows / 2, 1, c), *out = bed_input(&b, 2, rows / 2, 1, c);
                sdw_weight *gamma = bed_weight(&b, SDW_ROLE_VECTOR, c, 1, 1, SDW_F32, 1), *beta = bed_weight(&b, SDW_ROLE_VECTOR, c, 1, 1, SDW_BF16, 1);
                sdw_layer_norm(b.graph, x, &(sdw_norm_args){ .gamma = affine ? gamma : NULL, .beta = affine ? beta : NULL, .eps = 1e-5f }, out);
                bed_run(&b);
                double error = 0, norm = 0;
                for (int r = 0; r < rows; r++) {
                    const float *v = b.bound[0] + r * c;
                    double mean = 0, square = 0;
                    for (int j = 0; j < c; j++) mean += v[j] / (double)c;
                    for (int j = 0; j < c; j++) square += (v[j] - mean) * (v[j] - mean);
                    for (int j = 0; j < c; j++) {
                        double want = (v[j] - mean) / sqrt(square / c + 1e-5f);
                        if (affine) want = want * bed_exact(&b, gamma)[j] + bed_exact(&b, beta)[j];
                        double d = b.bound[1][r * c + j] - want;
                        error += d * d;
                        norm += want * want + 1e-12;
                    }
                }
                assert_true(sqrt(error / norm) < tolerance);
                bed_close(&b);
            }
}

/* ---- the rest ---- */

static void embed_adds_positions_and_refuses_foreign_ids(void **state)
{
    (void)state;
    for (int l = 0; l < LEVELS; l++)
        for (int32_t last = -1; last <= 20; last += 7) { /* ids -1 and 20 are outside */
            bed b;
            sdw_error err = { 0 };
            bed_open(&b, levels[l], 2);
            sdw_tensor *ids = bed_input(&b, 2, 3, 1, 1), *out = bed_input(&b, 2, 3, 1, 300);
            sdw_weight *table = bed_weight(&b, SDW_ROLE_TABLE, 20, 300, 1, SDW_F16, 1), *positions = bed_weight(&b, SDW_ROLE_TABLE, 5, 300, 1, SDW_F32, 1);
            int32_t id[6] = { 0, 19, 7, 7, 1, last };
            memcpy(b.bound[0], id, sizeof id);
            sdw_embed(b.graph, ids, &(sdw_embed_args){ .table = table, .positions = positions }, out);
            sdw_status status = bed_run_status(&b, &err);
            if (last < 0 || last >= 20) {
                assert_int_equal(status, SDW_INVALID);
                assert_non_null(strstr(err.text, last < 0 ? "-1" : "20"));
            } else {
                assert_int_equal(status, SDW_OK);
                for (int t = 0; t < 6; t++)
                    for (int j = 0; j < 300; j++)
                        assert_true(b.bound[1][t * 300 + j] == bed_exact(&b, table)[id[t] * 300 + j] + bed_exact(&b, positions)[t % 3 * 300 + j]);
            }
            bed_close(&b);
        }
}

static void time_embedding_has_cosines_first(void **state)
{
    (void)state;
    bed b;
    bed_open(&b, NULL, 1);
    sdw_tensor *t = bed_input(&b, 2, 1, 1, 2), *out = bed_input(&b, 2, 1, 1, 2 * 320);
    const float times[] = { 999, 0, 1, 501.5f };
    memcpy(b.bound[0], times, sizeof times);
    sdw_time_embed(b.graph, t, 320, out);
    bed_run(&b);
    for (int v = 0; v < 4; v++)
        for (int i = 0; i < 160; i++) {
            double angle = times[v] * exp(-log(10000) * i / 160);
            assert_true(fabs(b.bound[1][v * 320 + i] - cos(angle)) < 2e-4); /* the f32 frequency is that far off at 999 */
            assert_true(fabs(b.bound[1][v * 320 + 160 + i] - sin(angle)) < 2e-4);
        }
    assert_true(b.bound[1][0] == (float)cos(999.0)); /* frequency 1 is exact */
    bed_close(&b);
}

static void gather_takes_one_row_per_lane_and_refuses_foreign_ones(void **state)
{
    (void)state;
    for (int32_t row = -1; row <= 6; row++) {
        bed b;
        sdw_error err = { 0 };
        bed_open(&b, NULL, 1);
        sdw_tensor *x = bed_input(&b, 2, 6, 1, 5), *index = bed_input(&b, 2, 1, 1, 1), *out = bed_input(&b, 2, 1, 1, 5);
        int32_t rows[2] = { 5, row };
        memcpy(b.bound[1], rows, sizeof rows);
        sdw_gather_rows(b.graph, x, index, out);
        sdw_status status = bed_run_status(&b, &err);
        assert_int_equal(status, row < 0 || row > 5 ? SDW_INVALID : SDW_OK);
        if (status == SDW_OK) {
            assert_memory_equal(b.bound[2], b.bound[0] + 25, 20);
            assert_memory_equal(b.bound[2] + 5, b.bound[0] + 30 + row * 5, 20);
        }
        bed_close(&b);
    }
}

static void add_copy_and_activations_work_on_columns(void **state)
{
    (void)state;
    for (int l = 0; l < LEVELS; l++) {
        bed b;
        bed_open(&b, levels[l], 2);
        sdw_tensor *x = bed_input(&b, 2, 9, 5, 37), *y = bed_input(&b, 2, 9, 5, 37), *out = bed_input(&b, 2, 9, 5, 80);
        sdw_tensor *left = sdw_columns(b.graph, out, 1, 37), *right = sdw_columns(b.graph, out, 40, 37);
        float *before = sdw_malloc(b.bound_floats[2] * 4);
        memcpy(before, b.bound[2], b.bound_floats[2] * 4);
        sdw_copy(b.graph, x, left);
        sdw_add(b.graph, left, y, right);
        sdw_activate(b.graph, left, SDW_ACT_SILU, left);
        bed_run(&b);
        for (int r = 0; r < 90; r++)
            for (int j = 0; j < 80; j++) {
                float got = b.bound[2][r * 80 + j];
                if (j >= 1 && j < 38) {
                    double v = b.bound[0][r * 37 + j - 1], want = v / (1 + exp(-v));
                    assert_true(fabs(got - want) <= 3e-7 * fabs(want));
                } else if (j >= 40 && j < 77) {
                    assert_true(got == b.bound[0][r * 37 + j - 40] + b.bound[1][r * 37 + j - 40]);
                } else {
                    assert_true(got == before[r * 80 + j]);
                }
            }
        sdw_free(before);
        bed_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_equals_its_definition),
        cmocka_unit_test(attention_does_not_depend_on_threads),
        cmocka_unit_test(a_key_count_outside_the_keys_is_refused),
        cmocka_unit_test(group_norm_coefficients_equal_their_definition),
        cmocka_unit_test(layer_norm_equals_its_definition),
        cmocka_unit_test(embed_adds_positions_and_refuses_foreign_ids),
        cmocka_unit_test(time_embedding_has_cosines_first),
        cmocka_unit_test(gather_takes_one_row_per_lane_and_refuses_foreign_ones),
        cmocka_unit_test(add_copy_and_activations_work_on_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
