/* tiny.c - see tiny.h. */
#include "engine/tiny.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/half.h"
#include "core/rng.h"
#include "io/safetensors_write.h"
#include "model/walk.h"
#include "text/clip_vocab.h"
#include "text/unicode.h"

#define CLIP_HEAD "{\"architectures\":[\"CLIPTextModel%s\"],\"hidden_act\":\"%s\",\"hidden_size\":%d,\"intermediate_size\":%d,"
#define CLIP_TAIL "\"num_attention_heads\":4,\"num_hidden_layers\":%d,\"projection_dim\":%d,\"vocab_size\":%d}"

static const char unet_plain[] =
    "{\"_class_name\":\"UNet2DConditionModel\",\"attention_head_dim\":4,\"block_out_channels\":[32,32,32,64],"
    "\"cross_attention_dim\":32,\"in_channels\":%d,\"layers_per_block\":1,\"sample_size\":8}";
static const char unet_xl[] =
    "{\"_class_name\":\"UNet2DConditionModel\",\"attention_head_dim\":[2,2,4],\"block_out_channels\":[32,32,64],"
    "\"cross_attention_dim\":96,\"in_channels\":%d,\"layers_per_block\":1,\"sample_size\":8,\"use_linear_projection\":true,"
    "\"transformer_layers_per_block\":[1,1,2],\"addition_embed_type\":\"text_time\",\"addition_time_embed_dim\":32,"
    "\"projection_class_embeddings_input_dim\":256,"
    "\"down_block_types\":[\"DownBlock2D\",\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\"],"
    "\"up_block_types\":[\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\",\"UpBlock2D\"]}";
static const char vae_config[] =
    "{\"_class_name\":\"AutoencoderKL\",\"block_out_channels\":[32,32,32,64],\"layers_per_block\":1,\"scaling_factor\":0.18215}";
static const char euler[] =
    "{\"_class_name\":\"EulerDiscreteScheduler\",\"beta_end\":0.012,\"beta_schedule\":\"scaled_linear\","
    "\"beta_start\":0.00085,\"prediction_type\":\"epsilon\",\"steps_offset\":1,\"timestep_spacing\":\"leading\"}";

static void put(const char *folder, const char *name, const char *text)
{
    char path[320];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f) fail_msg("%s: cannot be written", path);
    fputs(text, f);
    fclose(f);
}

/* ---- weights ---- */

typedef struct writing {
    sdw_safetensors_writer *w;
    sdw_dtype dtype;
    const char *nan_tensor;
    sdw_rng rng;
    sdw_error err;
} writing;

static void declare(void *ctx, const char *name, int rank, const int64_t *shape)
{
    writing *x = ctx;
    if (sdw_safetensors_writer_declare(x->w, name, x->dtype, rank, shape, &x->err) != SDW_OK) fail_msg("%s", x->err.text);
}

/* Matrices and convolutions keep the size of what they are applied to; gains lie around 1, biases near 0. */
static void fill(writing *x, const char *name, int rank, const int64_t *shape, float *v, size_t n)
{
    int64_t fan_in = 1;
    for (int i = 1; i < rank; i++) fan_in *= shape[i];
    bool gain = rank == 1 && strstr(name, "weight"), bias = rank == 1 && !gain;
    float scale = gain || bias ? 0.1f : 1.0f / sqrtf((float)fan_in), centre = gain ? 1.0f : 0.0f;
    sdw_rng_normal(&x->rng, v, n);
    for (size_t i = 0; i < n; i++) v[i] = centre + scale * v[i];
    if (x->nan_tensor && strcmp(name, x->nan_tensor) == 0) v[0] = NAN;
}

static void write_tensor(void *ctx, const char *name, int rank, const int64_t *shape)
{
    writing *x = ctx;
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= (size_t)shape[i];
    float *v = malloc(n * sizeof *v);
    assert_non_null(v);
    fill(x, name, rank, shape, v, n);
    size_t bytes = n * sizeof *v;
    if (x->dtype == SDW_F16) {
        uint16_t *half = (uint16_t *)(void *)v; /* each value is read before its place is written */
        for (size_t i = 0; i < n; i++) {
            uint16_t h = sdw_f32_to_f16(v[i]);
            memcpy(&half[i], &h, sizeof h);
        }
        bytes = n * sizeof *half;
    }
    if (sdw_safetensors_writer_write(x->w, v, bytes, &x->err) != SDW_OK) fail_msg("%s", x->err.text);
    free(v);
}

static void write_part(const char *folder, sdw_part_id id, const char *name, const char *file, const char *config, const tiny_options *o)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    mkdir(path, 0777);
    put(path, "config.json", config);
    snprintf(path, sizeof path, "%s/%s/%s", folder, name, file);
    yyjson_doc *doc = yyjson_read(config, strlen(config), 0);
    assert_non_null(doc);
    writing x = { .dtype = o->kind == TINY_SDXL ? SDW_F16 : SDW_F32, .nan_tensor = o->nan_tensor };
    sdw_rng_init(&x.rng, SDW_RNG_TORCH_CUDA, 1000u + (uint64_t)id);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool ok = sdw_safetensors_writer_open(path, true, &x.w, &x.err) == SDW_OK &&
              sdw_model_walk(id, root, name, declare, &x, NULL, &x.err) == SDW_OK &&
              sdw_safetensors_writer_begin(x.w, &x.err) == SDW_OK &&
              sdw_model_walk(id, root, name, write_tensor, &x, NULL, &x.err) == SDW_OK &&
              sdw_safetensors_writer_commit(x.w, &x.err) == SDW_OK;
    if (!ok) fail_msg("%s", x.err.text);
    sdw_safetensors_writer_close(x.w);
    yyjson_doc_free(doc);
}

/* ---- the rest of the folder ---- */

enum { SMALL_VOCABULARY = 514 };

/* A vocabulary without merges: bytes, bytes that end a word, two specials. */
static void write_tokenizer(const char *folder)
{
    char path[256], text[512 * 24], *at = text;
    snprintf(path, sizeof path, "%s/tokenizer", folder);
    mkdir(path, 0777);
    *at++ = '{';
    for (int i = 0; i < 512; i++) {
        char code[5] = "";
        code[sdw_utf8_put(sdw_clip_byte_code(i % 256), code)] = '\0';
        const char *escape = code[0] == '"' || code[0] == '\\' ? "\\" : "";
        at += sprintf(at, "\"%s%s%s\":%d,", escape, code, i < 256 ? "" : "</w>", i);
    }
    sprintf(at, "\"<|startoftext|>\":512,\"<|endoftext|>\":513}");
    put(path, "vocab.json", text);
    put(path, "merges.txt", "#version: 0.2\n");
    put(path, "tokenizer_config.json", "{\"model_max_length\":77}");
}

static void write_index(const char *folder, tiny_kind kind)
{
    static const char *const name[] = { "StableDiffusion", "StableDiffusionInpaint", "StableDiffusionXL" };
    char text[1024];
    snprintf(text, sizeof text,
             "{\"_class_name\":\"%sPipeline\",%s\"text_encoder\":[\"transformers\",\"CLIPTextModel\"],"
             "\"unet\":[\"diffusers\",\"UNet2DConditionModel\"],\"vae\":[\"diffusers\",\"AutoencoderKL\"],"
             "\"scheduler\":[\"diffusers\",\"EulerDiscreteScheduler\"]}",
             name[kind],
             kind == TINY_SDXL ? "\"force_zeros_for_empty_prompt\":true,\"text_encoder_2\":[\"transformers\",\"CLIPTextModelWithProjection\"],"
                               : "\"tokenizer\":[\"transformers\",\"CLIPTokenizer\"],");
    put(folder, "model_index.json", text);
}

void tiny_write(const char *folder, const tiny_options *o)
{
    struct stat st;
    char path[256], text[1024];
    bool xl = o->kind == TINY_SDXL;
    snprintf(path, sizeof path, "%s/model_index.json", folder);
    if (stat(path, &st) == 0) return;
    mkdir(folder, 0777);
    int vocabulary = xl ? 49408 : SMALL_VOCABULARY;
    snprintf(text, sizeof text, CLIP_HEAD CLIP_TAIL, "", "quick_gelu", 32, 64, 3, 32, vocabulary);
    write_part(folder, SDW_PART_TEXT_ENCODER, "text_encoder", "model.safetensors", text, o);
    snprintf(text, sizeof text, CLIP_HEAD CLIP_TAIL, "WithProjection", "gelu", 64, 128, 4, 64, vocabulary);
    if (xl) write_part(folder, SDW_PART_TEXT_ENCODER_2, "text_encoder_2", "model.safetensors", text, o);
    else write_tokenizer(folder);
    snprintf(text, sizeof text, xl ? unet_xl : unet_plain, o->kind == TINY_INPAINT ? 9 : 4);
    write_part(folder, SDW_PART_UNET, "unet", "diffusion_pytorch_model.safetensors", text, o);
    write_part(folder, SDW_PART_VAE, "vae", "diffusion_pytorch_model.safetensors", vae_config, o);
    snprintf(path, sizeof path, "%s/scheduler", folder);
    mkdir(path, 0777);
    put(path, "scheduler_config.json", o->scheduler ? o->scheduler : euler);
    write_index(folder, o->kind); /* last: it says that the folder is complete */
}

/* ---- engines, requests, pictures ---- */

void tiny_warn(void *warnings, const char *sentence)
{
    tiny_warnings *w = warnings;
    if (w->count < 16) snprintf(w->text[w->count++], sizeof w->text[0], "%s", sentence);
}

bool tiny_warned(const tiny_warnings *w, const char *words)
{
    for (int i = 0; i < w->count; i++)
        if (strstr(w->text[i], words)) return true;
    return false;
}

sdw_engine *tiny_open(const char *folder, const sdw_engine_options *o)
{
    sdw_engine_options options = o ? *o : (sdw_engine_options){ .threads = 2 };
    sdw_engine *e = NULL;
    sdw_error err = { 0 };
    options.model = folder;
    if (sdw_engine_open(&options, &e, &err) != SDW_OK) fail_msg("%s", err.text);
    return e;
}

sdw_params tiny_params(const char *prompt)
{
    sdw_params p;
    sdw_params_init(&p);
    p.prompt = prompt;
    p.width = p.height = 64;
    p.steps = 2;
    p.guidance = 3;
    p.seed = 7;
    p.has_seed = 1;
    p.sampler = "euler";
    return p;
}

sdw_result *tiny_generate(sdw_engine *e, const sdw_params *p)
{
    sdw_result *r = NULL;
    sdw_error err = { 0 };
    if (sdw_generate(e, p, NULL, NULL, &r, &err) != SDW_OK) fail_msg("%s", err.text);
    return r;
}

void tiny_refuse(sdw_engine *e, const sdw_params *p, sdw_status status, const char *field, const char *words)
{
    sdw_result *r = NULL;
    sdw_error err = { 0 };
    sdw_status s = sdw_generate(e, p, NULL, NULL, &r, &err);
    if (s != status || err.status != status)
        fail_msg("%s \"%s\", want %s for %s", sdw_status_name(s), err.text, sdw_status_name(status), words);
    assert_null(r);
    if (strcmp(err.field, field) != 0) fail_msg("field \"%s\", want \"%s\": %s", err.field, field, err.text);
    if (!strstr(err.text, words)) fail_msg("\"%s\" does not hold \"%s\"", err.text, words);
}

bool tiny_same(const sdw_picture *a, const sdw_picture *b)
{
    return a->width == b->width && a->height == b->height && a->channels == b->channels &&
           memcmp(a->pixels, b->pixels, (size_t)a->width * (size_t)a->height * (size_t)a->channels) == 0;
}

int tiny_differing(const sdw_picture *a, const sdw_picture *b)
{
    int n = 0;
    assert_true(a->width == b->width && a->height == b->height && a->channels == 3 && b->channels == 3);
    for (int i = 0; i < a->width * a->height; i++) n += memcmp(a->pixels + 3 * i, b->pixels + 3 * i, 3) != 0;
    return n;
}

bool tiny_has_content(const sdw_picture *p)
{
    for (int i = 1; i < p->width * p->height; i++)
        if (memcmp(p->pixels, p->pixels + p->channels * i, (size_t)p->channels) != 0) return true;
    return false;
}

sdw_picture tiny_picture(int width, int height)
{
    sdw_picture p = { width, height, 3, malloc((size_t)width * (size_t)height * 3) };
    assert_non_null(p.pixels);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *at = p.pixels + 3 * (y * width + x);
            at[0] = (uint8_t)(255 * x / width);
            at[1] = (uint8_t)(255 * y / height);
            at[2] = (uint8_t)(128 + 100 * sin(0.2 * x) * cos(0.15 * y));
        }
    return p;
}

sdw_picture tiny_mask(int width, int height, int x0, int y0, int x1, int y1)
{
    sdw_picture p = { width, height, 1, calloc((size_t)width, (size_t)height) };
    assert_non_null(p.pixels);
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) p.pixels[y * width + x] = 255;
    return p;
}

void tiny_picture_free(sdw_picture *p)
{
    free(p->pixels);
    p->pixels = NULL;
}
