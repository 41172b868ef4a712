/* The weight walk meets the published totals of tensors and values. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "model/walk.h"

static sdw_walk_totals totals_of(sdw_part_id part, const char *json)
{
    sdw_walk_totals t = { 0 };
    sdw_error err = { 0 };
    yyjson_doc *doc = yyjson_read(json, strlen(json), 0);
    assert_non_null(doc);
    sdw_status status = sdw_model_walk(part, yyjson_doc_get_root(doc), "config.json", NULL, NULL, &t, &err);
    if (status != SDW_OK) print_message("%s\n", err.text);
    assert_int_equal(status, SDW_OK);
    yyjson_doc_free(doc);
    return t;
}

static void unets_have_the_published_totals(void **state)
{
    (void)state;
    sdw_walk_totals t = totals_of(SDW_PART_UNET, "{\"cross_attention_dim\":768,\"attention_head_dim\":8}");
    assert_int_equal(t.tensors, 686);
    assert_int_equal(t.parameters, 859520964);
    t = totals_of(SDW_PART_UNET, "{\"cross_attention_dim\":1024,\"attention_head_dim\":[5,10,20,20],\"use_linear_projection\":true}");
    assert_int_equal(t.tensors, 686);
    assert_int_equal(t.parameters, 865910724);
    t = totals_of(SDW_PART_UNET,
        "{\"cross_attention_dim\":2048,\"attention_head_dim\":[5,10,20],\"use_linear_projection\":true,"
        "\"block_out_channels\":[320,640,1280],\"transformer_layers_per_block\":[1,2,10],\"addition_embed_type\":\"text_time\","
        "\"addition_time_embed_dim\":256,\"projection_class_embeddings_input_dim\":2816,"
        "\"down_block_types\":[\"DownBlock2D\",\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\"],"
        "\"up_block_types\":[\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\",\"UpBlock2D\"]}");
    assert_int_equal(t.tensors, 1680);
    assert_int_equal(t.parameters, 2567463684);
}

static void text_encoder_and_vae_have_the_published_totals(void **state)
{
    (void)state;
    sdw_walk_totals t = totals_of(SDW_PART_TEXT_ENCODER, "{\"hidden_size\":768,\"intermediate_size\":3072,\"num_attention_heads\":12}");
    assert_int_equal(t.tensors, 196);
    assert_int_equal(t.parameters, 123060480);
    t = totals_of(SDW_PART_VAE, "{\"block_out_channels\":[128,256,512,512],\"layers_per_block\":2}");
    assert_int_equal(t.tensors, 248);
    assert_int_equal(t.parameters, 83653863);
}

static void a_topology_that_is_not_built_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        { "{\"class_embed_type\":\"timestep\"}", "class_embed_type" },
        { "{\"down_block_types\":[\"KDownBlock2D\",\"DownBlock2D\",\"DownBlock2D\",\"DownBlock2D\"]}", "KDownBlock2D" },
        { "{\"block_out_channels\":[33,64]}", "" },
        { "{\"block_out_channels\":[]}", "block_out_channels" },
        { "{\"in_channels\":\"four\"}", "in_channels" },
        { "{\"attention_head_dim\":[8,8]}", "attention_head_dim" },
        { "{\"norm_num_groups\":0}", "norm_num_groups" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sdw_error err = { 0 };
        yyjson_doc *doc = yyjson_read(bad[i][0], strlen(bad[i][0]), 0);
        assert_int_not_equal(sdw_model_walk(SDW_PART_UNET, yyjson_doc_get_root(doc), "unet/config.json", NULL, NULL, NULL, &err), SDW_OK);
        assert_non_null(strstr(err.text, "unet/config.json"));
        assert_non_null(strstr(err.text, bad[i][1]));
        yyjson_doc_free(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unets_have_the_published_totals),
        cmocka_unit_test(text_encoder_and_vae_have_the_published_totals),
        cmocka_unit_test(a_topology_that_is_not_built_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
