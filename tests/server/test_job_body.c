/* Bodies of the native API: every shape, every type rule, every message, all violations at once and in order. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base64.h"
#include "core/mem.h"
#include "server/job_body.h"
#include "server/native_fields.h"

static char picture[4096], grey[4096]; /* 64 x 64 and 32 x 32 in base64 */

static void encode(int side, const char *format, char *to, size_t size)
{
    sdw_image *image;
    sdw_buf file = { 0 }, text = { 0 };
    assert_int_equal(sdw_image_create(side, side, 3, &image, NULL), SDW_OK);
    assert_int_equal(sdw_image_encode(image, format, NULL, &file, NULL), SDW_OK);
    assert_true(sdw_base64_encode(file.data, file.size, &text));
    assert_true(text.size < size);
    memcpy(to, text.data, text.size + 1);
    sdw_image_free(image);
    sdw_buf_finish(&file);
    sdw_buf_finish(&text);
}

static int make_pictures(void **state)
{
    (void)state;
    encode(64, "png", picture, sizeof picture);
    encode(32, "png", grey, sizeof grey);
    return 0;
}

static bool switch_target(void *ctx, const char *name)
{
    (void)ctx;
    return !strcmp(name, "other");
}

static sdw_job_body body;
static sdw_error err;
static sdw_body_context context = { .model_id = "loaded", .default_width = 256, .default_height = 256 };

static sdw_status read_as(sdw_body_shape shape, const char *text)
{
    context.shape = shape;
    err = (sdw_error){ 0 };
    return sdw_job_body_read(text, strlen(text), &context, &body, &err);
}

static void accept_as(sdw_body_shape shape, const char *text)
{
    sdw_status s = read_as(shape, text);
    if (s != SDW_OK) print_message("refused: %s\n  %s\n", text, err.text);
    assert_int_equal(s, SDW_OK);
}

#define ACCEPT(text) accept_as(SDW_BODY_NATIVE, text)
#define DONE() sdw_job_body_finish(&body)

/* `fields` stand beside a prompt; the message must begin with `message`. */
static void refuse(const char *fields, const char *message)
{
    char text[600];
    snprintf(text, sizeof text, "{\"operation\":\"image_generation\",\"prompt\":\"x\"%s%s}", *fields ? "," : "", fields);
    assert_int_equal(read_as(SDW_BODY_NATIVE, text), SDW_INVALID);
    if (strncmp(err.text, message, strlen(message)) != 0) print_message("%s\n  got  %s\n  want %s\n", text, err.text, message);
    assert_memory_equal(err.text, message, strlen(message));
    assert_true(body.violation_count >= 1);
    DONE();
}

static void an_orchestrators_bytes_are_read(void **state)
{
    (void)state;
    ACCEPT("{\"guidance_scale\":7.5,\"height\":512,\"hive_id\":\"localhost\",\"loras\":[],\"model\":\"loaded\","
           "\"negative_prompt\":null,\"operation\":\"image_generation\",\"prompt\":\"a photo of a cat\",\"seed\":42,"
           "\"steps\":4,\"width\":512}");
    const sdw_params *p = &body.request.params;
    assert_string_equal(p->prompt, "a photo of a cat");
    assert_null(p->negative_prompt);
    assert_int_equal(p->steps, 4);
    assert_true(p->guidance == 7.5);
    assert_int_equal(p->width, 512);
    assert_int_equal(p->height, 512);
    assert_true(p->has_seed && p->seed == 42);
    assert_int_equal(body.note_count, 0);
    assert_int_equal(body.request.preview_every, -1);
    DONE();
}

static void absent_fields_are_left_to_the_model(void **state)
{
    (void)state;
    ACCEPT("{\"operation\":\"ImageGeneration\",\"prompt\":\"x\"}");
    assert_int_equal(body.request.params.steps, 0);
    assert_int_equal(body.request.params.width, 0);
    assert_true(isnan(body.request.params.guidance));
    assert_false(body.request.params.has_seed);
    DONE();
}

static void steps_follow_their_rules(void **state)
{
    (void)state;
    refuse("\"steps\":0", "Invalid input: Steps must be between 1 and 150, got 0");
    refuse("\"steps\":151", "Invalid input: Steps must be between 1 and 150, got 151");
    refuse("\"steps\":18446744073709551615", "Invalid input: Steps must be between 1 and 150, got 18446744073709551615");
    refuse("\"steps\":20.0", "Failed to parse operation: `steps`: 20 given");
    refuse("\"steps\":20.5", "Failed to parse operation: `steps`: 20.5 given");
    refuse("\"steps\":\"20\"", "Failed to parse operation: `steps`: a string given");
    refuse("\"steps\":null", "Failed to parse operation: `steps`: null given");
    refuse("\"steps\":-1", "Failed to parse operation: `steps`: -1 given");
    refuse("\"steps\":[1]", "Failed to parse operation: `steps`: an array given");
}

static void other_fields_follow_theirs(void **state)
{
    (void)state;
    refuse("\"width\":65,\"height\":64", "Invalid input: Width and height must be multiples of 8, got 65x64");
    refuse("\"height\":65", "Invalid input: Width and height must be multiples of 8, got 256x65");
    refuse("\"width\":4096", "Invalid input: Width must be between 64 and 2048, got 4096");
    refuse("\"height\":8", "Invalid input: Height must be between 64 and 2048, got 8");
    refuse("\"guidance_scale\":21", "Invalid input: Guidance scale must be between 0 and 20, got 21");
    refuse("\"guidance_scale\":-0.5", "Invalid input: Guidance scale must be between 0 and 20, got -0.5");
    refuse("\"guidance_scale\":\"7\"", "Failed to parse operation: `guidance_scale`");
    refuse("\"strength\":1.5", "Invalid input: Strength must be between 0.0 and 1.0, got 1.5");
    refuse("\"seed\":-1", "Failed to parse operation: `seed`: -1 given");
    refuse("\"seed\":1.0", "Failed to parse operation: `seed`");
    refuse("\"loras\":null", "Failed to parse operation: `loras`: null given");
    refuse("\"loras\":[{\"path\":\"a\",\"strength\":11}]", "Invalid input: LoRA strength must be between -10.0 and 10.0, got 11");
    refuse("\"hive_id\":null", "Failed to parse operation: `hive_id`: null given");
    refuse("\"model\":7", "Failed to parse operation: `model`: 7 given");
    refuse("\"num_samples\":9", "Invalid input: Number of samples must be between 1 and 8, got 9");
    refuse("\"sampler\":\"nonsense\"", "Invalid input: ");
    refuse("\"preview\":\"big\"", "Invalid input: preview must be one of latent, vae, none, got big");
    refuse("\"preview_every\":151", "Invalid input: preview_every must be between 0 and 150, got 151");
    refuse("\"format\":\"gif\"", "Invalid input: format must be one of png, jpeg, webp, got gif");
    refuse("\"prompt_syntax\":7", "Failed to parse operation: `prompt_syntax`");
}

static void prompts_are_counted_in_characters(void **state)
{
    (void)state;
    enum { CHARACTERS = SDW_NATIVE_PROMPT_CHARACTERS };
    static char text[3 * CHARACTERS + 100];
    for (int extra = 0; extra < 2; extra++) {
        size_t n = (size_t)sprintf(text, "{\"prompt\":\"");
        for (int i = 0; i < CHARACTERS + extra; i++) n += (size_t)sprintf(text + n, "\xC3\xA9");
        sprintf(text + n, "\"}");
        assert_int_equal(read_as(SDW_BODY_NATIVE, text), extra ? SDW_INVALID : SDW_OK);
        if (extra) assert_string_equal(err.text, "Invalid input: Prompt must be at most 32000 characters, got 32001");
        if (extra) assert_string_equal(body.violations[0].constraint, "max_length(32000)");
        DONE();
    }
    assert_int_equal(read_as(SDW_BODY_NATIVE, "{\"prompt\":\"\"}"), SDW_INVALID);
    assert_string_equal(err.text, "Invalid input: Prompt cannot be empty");
    assert_string_equal(body.violations[0].constraint, "non_empty");
    DONE();
    assert_int_equal(read_as(SDW_BODY_NATIVE, "{\"prompt\":\"a\\u0000b\"}"), SDW_INVALID);
    DONE();
}

static void numbers_keep_their_digits(void **state)
{
    (void)state;
    ACCEPT("{\"prompt\":\"x\",\"seed\":18446744073709551615,\"guidance_scale\":7}");
    assert_true(body.request.params.seed == UINT64_MAX);
    assert_true(body.request.params.guidance == 7.0);
    DONE();
}

static void every_violation_is_listed_in_the_order_of_the_protocol(void **state)
{
    (void)state;
    static const char *const want[] = { "prompt", "steps", "guidance_scale", "height", "width", "loras", "strength", "seed" };
    assert_int_equal(read_as(SDW_BODY_NATIVE, "{\"seed\":-1,\"strength\":2,\"loras\":7,\"width\":4096,\"height\":65,"
                             "\"guidance_scale\":99,\"steps\":0,\"prompt\":\"\"}"), SDW_INVALID);
    assert_int_equal(body.violation_count, 8);
    for (int i = 0; i < 8; i++) assert_string_equal(body.violations[i].field, want[i]);
    assert_string_equal(err.text, "Invalid input: Prompt cannot be empty");
    DONE();
}

static void the_error_object_has_the_protocols_bytes(void **state)
{
    (void)state;
    sdw_buf out = { 0 };
    assert_int_equal(read_as(SDW_BODY_NATIVE, "{\"prompt\":\"x\",\"steps\":0}"), SDW_INVALID);
    assert_true(sdw_job_body_write_error(&body, "INVALID_REQUEST", err.text, &out));
    assert_string_equal(out.data, "{\"error\":{\"code\":\"INVALID_REQUEST\",\"message\":\"Invalid input: Steps must be between"
                        " 1 and 150, got 0\"},\"errors\":[{\"field\":\"steps\",\"constraint\":\"range(1..=150)\",\"message\":"
                        "\"Steps must be between 1 and 150, got 0\",\"value\":\"0\"}]}");
    sdw_buf_finish(&out);
    DONE();
}

static void operations_are_known_unsupported_or_wrong(void **state)
{
    (void)state;
    static const struct { const char *text, *message; } cases[] = {
        { "{\"operation\":\"infer\",\"prompt\":\"x\"}", "Unsupported operation for SD worker: infer" },
        { "{\"operation\":\"model_load\"}", "Unsupported operation for SD worker: model_load" },
        { "{\"operation\":\"paint\",\"prompt\":\"x\"}", "Failed to parse operation: `operation`: paint given" },
        { "{\"operation\":null,\"prompt\":\"x\"}", "Failed to parse operation: `operation`: null given" },
        { "null", "Failed to parse operation: " },
        { "[]", "Failed to parse operation: " },
        { "3", "Failed to parse operation: " },
        { "{", "Failed to parse the request body as JSON: " },
        { "", "Failed to parse the request body as JSON: " },
        { "{\"prompt\":\"a\",\"prompt\":\"b\"}", "Failed to parse the request body as JSON: " },
        { "{\"operation\":\"image_generation\"}", "Failed to parse operation: missing field `prompt`" },
        { "{\"operation\":\"image_transform\",\"prompt\":\"x\"}", "Failed to parse operation: missing field `input_image`" },
        { "{\"operation\":\"image_inpaint\",\"prompt\":\"x\"}", "Failed to parse operation: missing field `init_image`" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(read_as(SDW_BODY_NATIVE, cases[i].text), SDW_INVALID);
        if (strncmp(err.text, cases[i].message, strlen(cases[i].message)) != 0) print_message("%s: %s\n", cases[i].text, err.text);
        assert_memory_equal(err.text, cases[i].message, strlen(cases[i].message));
        DONE();
    }
}

static void pictures_decide_the_operation_of_a_flat_body(void **state)
{
    (void)state;
    static char text[12000];
    snprintf(text, sizeof text, "{\"prompt\":\"x\",\"image\":\"%s\",\"mask\":\"%s\"}", picture, grey);
    ACCEPT(text);
    assert_non_null(body.request.params.init_image);
    assert_non_null(body.request.params.mask);
    assert_int_equal(body.request.params.mask->width, 64); /* scaled to its picture */
    assert_int_equal(body.request.params.mask->channels, 1);
    DONE();
    snprintf(text, sizeof text, "{\"prompt\":\"x\",\"init_image\":\"data:image/png;base64,%s\",\"mask\":null}", picture);
    ACCEPT(text);
    assert_non_null(body.request.params.init_image);
    assert_null(body.request.params.mask);
    DONE();
    snprintf(text, sizeof text, "{\"operation\":\"image_generation\",\"prompt\":\"x\",\"image\":\"%s\"}", picture);
    ACCEPT(text);
    assert_null(body.request.params.init_image);
    assert_string_equal(body.notes[0], "Unknown fields were ignored: image");
    DONE();
}

static void base64_comes_padded_and_unpadded(void **state)
{
    (void)state;
    static char text[12000], bare[4096];
    snprintf(bare, sizeof bare, "%s", picture);
    bare[strcspn(bare, "=")] = '\0';
    snprintf(text, sizeof text, "{\"operation\":\"image_transform\",\"prompt\":\"x\",\"input_image\":\"%s\"}", bare);
    ACCEPT(text);
    DONE();
}

static void bad_pictures_say_which_and_why(void **state)
{
    (void)state;
    static char text[12000];
    assert_int_equal(read_as(SDW_BODY_NATIVE, "{\"operation\":\"image_transform\",\"prompt\":\"x\",\"input_image\":\"!!\"}"), SDW_INVALID);
    assert_non_null(strstr(err.text, "Failed to decode base64 input image"));
    assert_string_equal(body.violations[0].constraint, "base64");
    assert_null(body.violations[0].value);
    DONE();
    snprintf(text, sizeof text, "{\"operation\":\"image_inpaint\",\"prompt\":\"x\",\"init_image\":\"%s\",\"mask_image\":\"aGVsbG8=\"}", picture);
    assert_int_equal(read_as(SDW_BODY_NATIVE, text), SDW_INVALID);
    assert_non_null(strstr(err.text, "Failed to decode mask image"));
    assert_string_equal(body.violations[0].constraint, "image");
    DONE();
    snprintf(text, sizeof text, "{\"prompt\":\"x\",\"image\":\"%s\"}", grey); /* 32 x 32 is too small */
    assert_int_equal(read_as(SDW_BODY_NATIVE, text), SDW_INVALID);
    assert_string_equal(err.text, "Invalid input: Width must be between 64 and 2048, got 32");
    DONE();
    snprintf(text, sizeof text, "{\"prompt\":\"x\",\"image\":\"%s\",\"input_image\":\"%s\"}", picture, picture);
    assert_int_equal(read_as(SDW_BODY_NATIVE, text), SDW_INVALID);
    assert_non_null(strstr(err.text, "are the same field"));
    DONE();
}

static void a_size_that_is_floored_is_told(void **state)
{
    (void)state;
    static char odd[4096], text[12000];
    encode(71, "jpeg", odd, sizeof odd);
    snprintf(text, sizeof text, "{\"prompt\":\"x\",\"image\":\"%s\"}", odd);
    ACCEPT(text);
    assert_non_null(strstr(body.notes[0], "71x71"));
    assert_non_null(strstr(body.notes[0], "64x64"));
    DONE();
    snprintf(text, sizeof text, "{\"prompt\":\"x\",\"image\":\"%s\",\"width\":128,\"height\":128}", odd);
    ACCEPT(text);
    assert_int_equal(body.note_count, 0);
    DONE();
}

static void unknown_fields_and_models_are_told(void **state)
{
    (void)state;
    ACCEPT("{\"prompt\":\"x\",\"max_tokens\":5,\"temperature\":1,\"model\":\"elsewhere\",\"worker_id\":null}");
    assert_int_equal(body.note_count, 2);
    assert_non_null(strstr(body.notes[0], "'elsewhere'"));
    assert_string_equal(body.notes[1], "Unknown fields were ignored: max_tokens, temperature");
    assert_null(body.request.model);
    assert_ptr_equal(body.request.notes, body.notes);
    DONE();
    context.is_model = switch_target;
    ACCEPT("{\"prompt\":\"x\",\"model\":\"other\"}");
    assert_string_equal(body.request.model, "other");
    assert_int_equal(body.note_count, 0);
    DONE();
    context.is_model = NULL;
}

static void extensions_reach_the_job(void **state)
{
    (void)state;
    context.job_timeout_s = 60;
    ACCEPT("{\"prompt\":\"x\",\"num_samples\":3,\"preview_every\":0,\"preview\":\"vae\",\"format\":\"webp\",\"quality\":80,"
           "\"timeout_s\":2.5,\"sampler\":\"dpm++\",\"schedule\":\"karras\",\"prompt_syntax\":\"weighted\",\"clip_skip\":1,"
           "\"paste_back\":false}");
    assert_int_equal(body.request.params.count, 3);
    assert_int_equal(body.request.preview_every, 0);
    assert_int_equal(body.request.preview, SDW_PREVIEW_VAE);
    assert_string_equal(body.request.format, "webp");
    assert_int_equal(body.request.quality, 80);
    assert_true(body.request.timeout_s == 2.5);
    assert_string_equal(body.request.params.prompt_syntax, "weighted");
    assert_int_equal(body.request.params.clip_skip, 1);
    assert_int_equal(body.request.params.paste_back, 0);
    DONE();
    refuse("\"timeout_s\":61", "Invalid input: timeout_s must be between 0 and 60, got 61");
    context.job_timeout_s = 0;
}

static void the_first_generation_has_its_own_defaults(void **state)
{
    (void)state;
    static char text[12000];
    accept_as(SDW_BODY_EXECUTE, "{\"prompt\":\"x\",\"seed\":null}");
    assert_int_equal(body.request.params.steps, 30);
    assert_true(body.request.params.guidance == 7.5);
    assert_int_equal(body.request.params.width, 512);
    assert_string_equal(body.request.face, "g0");
    DONE();
    snprintf(text, sizeof text, "{\"prompt\":\"x\",\"image\":\"%s\"}", picture);
    accept_as(SDW_BODY_IMG2IMG, text);
    assert_true(body.request.params.strength == 0.8);
    assert_int_equal(body.request.params.width, 0);
    DONE();
    assert_int_equal(read_as(SDW_BODY_INPAINT, text), SDW_INVALID);
    assert_string_equal(err.text, "Failed to parse operation: missing field `mask`");
    DONE();
}

static void every_failing_allocation_is_survived(void **state)
{
    (void)state;
    static char text[12000];
    snprintf(text, sizeof text, "{\"prompt\":\"x\",\"image\":\"%s\",\"mask\":\"%s\",\"steps\":0,\"what\":1}", picture, grey);
    sdw_mem_fail_at(0, false);
    read_as(SDW_BODY_NATIVE, text);
    size_t count = sdw_mem_count();
    DONE();
    for (size_t i = 1; i <= count; i++) {
        sdw_mem_fail_at(i, true);
        sdw_status s = read_as(SDW_BODY_NATIVE, text);
        sdw_mem_fail_at(0, false);
        assert_true(s == SDW_NO_MEMORY || s == SDW_INVALID);
        DONE();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_orchestrators_bytes_are_read),
        cmocka_unit_test(absent_fields_are_left_to_the_model),
        cmocka_unit_test(steps_follow_their_rules),
        cmocka_unit_test(other_fields_follow_theirs),
        cmocka_unit_test(prompts_are_counted_in_characters),
        cmocka_unit_test(numbers_keep_their_digits),
        cmocka_unit_test(every_violation_is_listed_in_the_order_of_the_protocol),
        cmocka_unit_test(the_error_object_has_the_protocols_bytes),
        cmocka_unit_test(operations_are_known_unsupported_or_wrong),
        cmocka_unit_test(pictures_decide_the_operation_of_a_flat_body),
        cmocka_unit_test(base64_comes_padded_and_unpadded),
        cmocka_unit_test(bad_pictures_say_which_and_why),
        cmocka_unit_test(a_size_that_is_floored_is_told),
        cmocka_unit_test(unknown_fields_and_models_are_told),
        cmocka_unit_test(extensions_reach_the_job),
        cmocka_unit_test(the_first_generation_has_its_own_defaults),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, make_pictures, NULL);
}
