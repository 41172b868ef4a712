/* Checkpoints: shards, views with other names, slices, transposes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "io/clip_names.h"
#include "io/ldm_names.h"
#include "io/safetensors_write.h"

/* One F32 tensor of a test file: element i has the value start + i. */
typedef struct tensor {
    const char *name;
    int rank;
    int64_t shape[4];
    float start;
} tensor;

static size_t elements(const tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->shape[i];
    return n;
}

static void write_tensors(const char *path, const tensor *list, size_t count)
{
    sdw_safetensors_writer *w = NULL;
    sdw_error err = { 0 };
    if (sdw_safetensors_writer_open(path, true, &w, &err) != SDW_OK) fail_msg("%s", err.text);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(sdw_safetensors_writer_declare(w, list[i].name, SDW_F32, list[i].rank, list[i].shape, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_begin(w, &err), SDW_OK);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < elements(&list[i]); k++) {
            float v = list[i].start + (float)k;
            assert_int_equal(sdw_safetensors_writer_write(w, &v, sizeof v, &err), SDW_OK);
        }
    assert_int_equal(sdw_safetensors_writer_commit(w, &err), SDW_OK);
    sdw_safetensors_writer_close(w);
}

#define WRITE(path, list) write_tensors(path, list, sizeof(list) / sizeof(list)[0])

static sdw_checkpoint *open_file(const char *path)
{
    sdw_checkpoint *c = NULL;
    sdw_error err = { 0 };
    if (sdw_checkpoint_open(path, &c, &err) != SDW_OK) fail_msg("%s", err.text);
    return c;
}

static float first_value(const sdw_file_tensor *t)
{
    float v[64];
    assert_non_null(t);
    assert_true(t->bytes <= sizeof v);
    sdw_file_tensor_read_f32(t, v);
    return v[0];
}

static void put_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void shards_are_one_checkpoint(void **state)
{
    (void)state;
    const tensor one[] = { { "b", 1, { 2 }, 10 }, { "d", 1, { 1 }, 20 } }, two[] = { { "a", 1, { 1 }, 30 }, { "c", 0, { 0 }, 40 } };
    WRITE("m-00001-of-00002.safetensors", one);
    WRITE("m-00002-of-00002.safetensors", two);
    put_text("m.safetensors.index.json",
             "{\"metadata\":{\"total_size\":20},\"weight_map\":{\"a\":\"m-00002-of-00002.safetensors\","
             "\"b\":\"m-00001-of-00002.safetensors\",\"c\":\"m-00002-of-00002.safetensors\",\"d\":\"m-00001-of-00002.safetensors\"}}");
    sdw_checkpoint *c = open_file("m.safetensors.index.json");
    assert_int_equal(sdw_checkpoint_count(c), 4);
    const float want[] = { 30, 10, 40, 20 };
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(sdw_checkpoint_at(c, i)->name[0], "abcd"[i]);
        assert_true(first_value(sdw_checkpoint_at(c, i)) == want[i]);
    }
    sdw_checkpoint_close(c);
}

static void refuse_index(const char *map, sdw_status status, const char *words)
{
    char text[512];
    sdw_checkpoint *c = NULL;
    sdw_error err = { 0 };
    snprintf(text, sizeof text, "{\"weight_map\":%s}", map);
    put_text("bad.index.json", text);
    assert_int_equal(sdw_checkpoint_open("bad.index.json", &c, &err), status);
    if (!strstr(err.text, words)) fail_msg("\"%s\" does not hold \"%s\"", err.text, words);
    unlink("bad.index.json");
}

static void an_index_cannot_point_outside_its_folder(void **state)
{
    (void)state;
    refuse_index("{\"a\":\"../m-00001-of-00002.safetensors\"}", SDW_FORMAT, "no name of a file in the same folder");
    refuse_index("{\"a\":\"/etc/x.safetensors\"}", SDW_FORMAT, "no name of a file in the same folder");
    refuse_index("{\"a\":\"..\\\\x.safetensors\"}", SDW_FORMAT, "no name of a file in the same folder");
    refuse_index("{\"a\":7}", SDW_FORMAT, "no text");
    refuse_index("{\"a\":\"pytorch_model.bin\"}", SDW_UNSUPPORTED, "convert the model");
    refuse_index("{\"a\":\"absent.safetensors\"}", SDW_NOT_FOUND, "absent.safetensors");
    refuse_index("{}", SDW_FORMAT, "weight_map");
    refuse_index("[]", SDW_FORMAT, "weight_map");
    refuse_index("{\"zz\":\"m-00001-of-00002.safetensors\"}", SDW_FORMAT, "tensor zz is in none of its shards");
}

static void a_tensor_in_two_shards_is_refused(void **state)
{
    (void)state;
    const tensor same[] = { { "b", 1, { 2 }, 10 } };
    WRITE("n-1.safetensors", same);
    WRITE("n-2.safetensors", same);
    refuse_index("{\"b\":\"n-1.safetensors\",\"c\":\"n-2.safetensors\"}", SDW_FORMAT, "b stands in two shards");
    unlink("n-1.safetensors");
    unlink("n-2.safetensors");
    unlink("m-00001-of-00002.safetensors");
    unlink("m-00002-of-00002.safetensors");
    unlink("m.safetensors.index.json");
}

static void openclip_matrices_are_cut_and_turned_without_copying(void **state)
{
    (void)state;
    const tensor list[] = {
        { "te.transformer.resblocks.0.attn.in_proj_weight", 2, { 6, 2 }, 0 },
        { "te.transformer.resblocks.0.attn.in_proj_bias", 1, { 6 }, 100 },
        { "te.transformer.resblocks.0.mlp.c_fc.weight", 2, { 3, 2 }, 200 },
        { "te.transformer.resblocks.1.ln_1.bias", 1, { 2 }, 250 },
        { "te.text_projection", 2, { 2, 3 }, 300 },
        { "te.logit_scale", 0, { 0 }, 7 },
        { "te.positional_embedding", 2, { 2, 2 }, 400 },
        { "other.weight", 1, { 1 }, 9 },
    };
    WRITE("openclip.safetensors", list);
    sdw_checkpoint *c = open_file("openclip.safetensors"), *v = NULL;
    const sdw_openclip_layout layout = { "te.", 1, true };
    sdw_error err = { 0 };
    assert_int_equal(sdw_openclip_view(c, &layout, &v, &err), SDW_OK);
    assert_int_equal(sdw_checkpoint_count(v), 9);
    assert_true(first_value(sdw_checkpoint_find(v, "encoder.layers.0.self_attn.q_proj.weight")) == 0);
    assert_true(first_value(sdw_checkpoint_find(v, "encoder.layers.0.self_attn.k_proj.weight")) == 4);
    assert_true(first_value(sdw_checkpoint_find(v, "encoder.layers.0.self_attn.v_proj.weight")) == 8);
    assert_true(first_value(sdw_checkpoint_find(v, "encoder.layers.0.self_attn.v_proj.bias")) == 104);
    assert_int_equal(sdw_checkpoint_find(v, "encoder.layers.0.self_attn.k_proj.weight")->shape[0], 2);
    assert_true(first_value(sdw_checkpoint_find(v, "encoder.layers.0.mlp.fc1.weight")) == 200);
    assert_true(first_value(sdw_checkpoint_find(v, "embeddings.position_embedding.weight")) == 400);
    const sdw_file_tensor *p = sdw_checkpoint_find(v, "text_projection.weight");
    const float want[] = { 300, 303, 301, 304, 302, 305 };
    float got[6];
    assert_int_equal(p->shape[0], 3);
    assert_int_equal(p->shape[1], 2);
    sdw_file_tensor_read_f32(p, got);
    assert_memory_equal(got, want, sizeof want);
    assert_ptr_equal(p->data, sdw_checkpoint_find(c, "te.text_projection")->data);
    /* One layer more than the configuration has, and logit_scale, are known; the foreign tensor belongs to nobody. */
    for (size_t i = 0; i < sdw_checkpoint_count(c); i++)
        assert_int_equal(sdw_checkpoint_at(c, i)->used, strcmp(sdw_checkpoint_at(c, i)->name, "other.weight") != 0);
    sdw_checkpoint_close(v);
    sdw_checkpoint_close(c);
    unlink("openclip.safetensors");
}

static void a_fused_matrix_that_cannot_be_cut_is_refused(void **state)
{
    (void)state;
    const tensor list[] = { { "te.transformer.resblocks.0.attn.in_proj_weight", 2, { 4, 2 }, 0 } };
    const tensor turned[] = { { "te.text_projection", 1, { 4 }, 0 } };
    const sdw_openclip_layout layout = { "te.", 1, true };
    sdw_checkpoint *v = NULL;
    sdw_error err = { 0 };
    WRITE("cut.safetensors", list);
    sdw_checkpoint *c = open_file("cut.safetensors");
    assert_int_equal(sdw_openclip_view(c, &layout, &v, &err), SDW_FORMAT);
    assert_non_null(strstr(err.text, "in_proj_weight has rank 2 and 4 rows, want a multiple of 3"));
    sdw_checkpoint_close(c);
    WRITE("cut.safetensors", turned);
    c = open_file("cut.safetensors");
    assert_int_equal(sdw_openclip_view(c, &layout, &v, &err), SDW_FORMAT);
    assert_non_null(strstr(err.text, "want a matrix"));
    sdw_checkpoint_close(c);
    unlink("cut.safetensors");
}

static void clip_names_lose_their_prefix_and_clashes_are_refused(void **state)
{
    (void)state;
    const tensor list[] = {
        { "text_model.final_layer_norm.bias", 1, { 1 }, 1 },
        { "encoder.layers.0.mlp.fc1.bias", 1, { 1 }, 2 },
        { "text_model.embeddings.position_ids", 1, { 1 }, 3 },
        { "text_projection.weight", 2, { 1, 1 }, 4 },
    };
    const tensor clash[] = { { "text_model.a", 1, { 1 }, 1 }, { "a", 1, { 1 }, 2 } };
    sdw_checkpoint *v = NULL;
    sdw_error err = { 0 };
    WRITE("clip.safetensors", list);
    sdw_checkpoint *c = open_file("clip.safetensors");
    assert_int_equal(sdw_clip_view(c, "", &v, &err), SDW_OK);
    assert_int_equal(sdw_checkpoint_count(v), 3);
    assert_true(first_value(sdw_checkpoint_find(v, "final_layer_norm.bias")) == 1);
    assert_true(first_value(sdw_checkpoint_find(v, "encoder.layers.0.mlp.fc1.bias")) == 2);
    assert_false(sdw_checkpoint_find(v, "text_projection.weight")->transposed);
    assert_true(sdw_checkpoint_find(c, "text_model.embeddings.position_ids")->used);
    sdw_checkpoint_close(v);
    sdw_checkpoint_close(c);
    WRITE("clip.safetensors", clash);
    c = open_file("clip.safetensors");
    assert_int_equal(sdw_clip_view(c, "", &v, &err), SDW_FORMAT);
    assert_non_null(strstr(err.text, "are both a"));
    sdw_checkpoint_close(c);
    unlink("clip.safetensors");
}

static void old_attention_names_of_the_vae_are_todays(void **state)
{
    (void)state;
    const tensor list[] = {
        { "decoder.mid_block.attentions.0.query.weight", 1, { 1 }, 1 },
        { "decoder.mid_block.attentions.0.key.bias", 1, { 1 }, 2 },
        { "encoder.mid_block.attentions.0.value.weight", 1, { 1 }, 3 },
        { "encoder.mid_block.attentions.0.proj_attn.weight", 1, { 1 }, 4 },
        { "encoder.mid_block.attentions.0.group_norm.weight", 1, { 1 }, 5 },
        { "decoder.conv_in.weight", 1, { 1 }, 6 },
    };
    static const char *const want[] = {
        "decoder.mid_block.attentions.0.to_q.weight",     "decoder.mid_block.attentions.0.to_k.bias",
        "encoder.mid_block.attentions.0.to_v.weight",     "encoder.mid_block.attentions.0.to_out.0.weight",
        "encoder.mid_block.attentions.0.group_norm.weight", "decoder.conv_in.weight",
    };
    sdw_checkpoint *v = NULL;
    sdw_error err = { 0 };
    WRITE("vae.safetensors", list);
    sdw_checkpoint *c = open_file("vae.safetensors");
    assert_int_equal(sdw_diffusers_vae_view(c, "", &v, &err), SDW_OK);
    for (size_t i = 0; i < 6; i++) assert_true(first_value(sdw_checkpoint_find(v, want[i])) == (float)(i + 1));
    sdw_checkpoint_close(v);
    sdw_checkpoint_close(c);
    unlink("vae.safetensors");
}

static void released_bytes_stay_readable(void **state)
{
    (void)state;
    const tensor list[] = { { "t", 2, { 64, 64 }, 5 }, { "u", 1, { 3 }, 9 } };
    float got[64 * 64];
    WRITE("release.safetensors", list);
    sdw_checkpoint *c = open_file("release.safetensors");
    const sdw_file_tensor *t = sdw_checkpoint_find(c, "t");
    assert_true(first_value(sdw_checkpoint_find(c, "u")) == 9);
    sdw_file_tensor_release(t);
    sdw_file_tensor_read_f32(t, got);
    for (int i = 0; i < 64 * 64; i++) assert_true(got[i] == 5 + (float)i);
    assert_true(first_value(sdw_checkpoint_find(c, "u")) == 9);
    sdw_checkpoint_close(c);
    unlink("release.safetensors");
}

/* Pages of files in this process's memory, in bytes; 0 where the system does not say. */
static size_t resident_file_bytes(void)
{
    size_t kib = 0;
    char line[128];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "RssFile: %zu kB", &kib) == 1) break;
    if (f) fclose(f);
    return kib * 1024;
}

static void released_bytes_leave_memory(void **state)
{
    (void)state;
    enum { MIB = 1 << 20, ELEMENTS = 4 * MIB };
    const int64_t shape[] = { ELEMENTS };
    static float block[MIB / sizeof(float)];
    sdw_safetensors_writer *w = NULL;
    if (resident_file_bytes() == 0) skip();
    assert_int_equal(sdw_safetensors_writer_open("large.safetensors", true, &w, NULL), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_declare(w, "t", SDW_F32, 1, shape, NULL), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_begin(w, NULL), SDW_OK);
    for (int i = 0; i < 16; i++) assert_int_equal(sdw_safetensors_writer_write(w, block, sizeof block, NULL), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_commit(w, NULL), SDW_OK);
    sdw_safetensors_writer_close(w);
    sdw_checkpoint *c = open_file("large.safetensors");
    const sdw_file_tensor *t = sdw_checkpoint_find(c, "t");
    size_t before = resident_file_bytes();
    volatile unsigned sum = 0;
    for (size_t i = 0; i < t->bytes; i += 512) sum += ((const unsigned char *)t->data)[i];
    assert_int_equal(sum, 0);
    assert_true(resident_file_bytes() > before + 14 * (size_t)MIB);
    sdw_file_tensor_release(t);
    assert_true(resident_file_bytes() < before + 2 * (size_t)MIB);
    sdw_checkpoint_close(c);
    unlink("large.safetensors");
}

/* Wider than the pieces that the transpose works in. */
static void a_wide_transposed_matrix_is_read_whole(void **state)
{
    (void)state;
    const tensor list[] = { { "te.text_projection", 2, { 3, 700 }, 0 } };
    const sdw_openclip_layout layout = { "te.", 1, true };
    static float got[2100];
    sdw_checkpoint *v = NULL;
    WRITE("wide.safetensors", list);
    sdw_checkpoint *c = open_file("wide.safetensors");
    assert_int_equal(sdw_openclip_view(c, &layout, &v, NULL), SDW_OK);
    sdw_file_tensor_read_f32(sdw_checkpoint_find(v, "text_projection.weight"), got);
    for (int i = 0; i < 700; i++)
        for (int k = 0; k < 3; k++) assert_true(got[i * 3 + k] == (float)(k * 700 + i));
    sdw_checkpoint_close(v);
    sdw_checkpoint_close(c);
    unlink("wide.safetensors");
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    const tensor list[] = { { "text_model.a", 1, { 1 }, 1 }, { "text_model.b", 1, { 1 }, 1 } };
    size_t failures = 0;
    WRITE("alloc.safetensors", list);
    put_text("alloc.index.json", "{\"weight_map\":{\"text_model.a\":\"alloc.safetensors\"}}");
    for (size_t nth = 1;; nth++, failures++) {
        sdw_checkpoint *c = NULL, *v = NULL;
        sdw_mem_fail_at(nth, false);
        sdw_status s = sdw_checkpoint_open("alloc.index.json", &c, NULL);
        if (s == SDW_OK) s = sdw_clip_view(c, "", &v, NULL);
        sdw_mem_fail_at(0, false);
        sdw_checkpoint_close(v);
        sdw_checkpoint_close(c);
        if (s == SDW_OK) break;
        assert_int_equal(s, SDW_NO_MEMORY);
    }
    assert_true(failures > 8);
    unlink("alloc.safetensors");
    unlink("alloc.index.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_are_one_checkpoint),
        cmocka_unit_test(an_index_cannot_point_outside_its_folder),
        cmocka_unit_test(a_tensor_in_two_shards_is_refused),
        cmocka_unit_test(openclip_matrices_are_cut_and_turned_without_copying),
        cmocka_unit_test(a_fused_matrix_that_cannot_be_cut_is_refused),
        cmocka_unit_test(clip_names_lose_their_prefix_and_clashes_are_refused),
        cmocka_unit_test(old_attention_names_of_the_vae_are_todays),
        cmocka_unit_test(released_bytes_stay_readable),
        cmocka_unit_test(released_bytes_leave_memory),
        cmocka_unit_test(a_wide_transposed_matrix_is_read_whole),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
