/* infotext.c - the `parameters` text of AUTOMATIC1111's web UI: what galleries, managers and other programs read.
 * Layout: prompt; a line "Negative prompt: ..." unless it is empty; one line of "Key: value" pairs joined by ", ". A
 * value that holds ',', ':' or a line break is written as a JSON string. Numbers print as Python prints them. */
#include "sdw/request.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "diffusion/names.h"

/* The shortest decimal form that reads back as v, with ".0" when it would look like a whole number. */
static void print_real(char text[40], double v)
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, 40, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    size_t n = strlen(text);
    if (!strpbrk(text, ".en")) snprintf(text + n, 40 - n, ".0");
}

static void put_quoted(sdw_buf *out, const char *value)
{
    sdw_buf_puts(out, "\"");
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\') sdw_buf_printf(out, "\\%c", *c);
        else if (*c == '\n') sdw_buf_puts(out, "\\n");
        else if ((unsigned char)*c < 0x20) sdw_buf_printf(out, "\\u%04x", *c);
        else sdw_buf_append(out, c, 1);
    }
    sdw_buf_puts(out, "\"");
}

static void pair(sdw_buf *out, const char *key, const char *value)
{
    if (!value || !*value) return;
    sdw_buf_printf(out, "%s%s: ", out->size && out->data[out->size - 1] != '\n' ? ", " : "", key);
    if (strpbrk(value, ",:\n")) put_quoted(out, value);
    else sdw_buf_puts(out, value);
}

static void pair_int(sdw_buf *out, const char *key, long long value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", value);
    pair(out, key, text);
}

static void pair_real(sdw_buf *out, const char *key, double value)
{
    char text[40];
    if (isnan(value)) return;
    print_real(text, value);
    pair(out, key, text);
}

/* "b" for "a/b/" and "c" for "a/c.safetensors". */
static void model_name(const char *path, char name[128])
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t start = end;
    while (start && path[start - 1] != '/') start--;
    static const char suffix[] = ".safetensors";
    size_t length = end - start, n = sizeof suffix - 1;
    if (length > n && !strncmp(path + end - n, suffix, n)) length -= n;
    snprintf(name, 128, "%.*s", (int)(length < 127 ? length : 127), path + start);
}

static void put_sampling(sdw_buf *out, const sdw_params *p)
{
    pair_int(out, "Steps", p->steps);
    pair(out, "Sampler", sdw_sampler_label(p->sampler));
    pair(out, "Schedule type", sdw_schedule_label(p->schedule));
    pair_real(out, "CFG scale", p->guidance);
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)p->seed);
    pair(out, "Seed", seed);
}

static void put_pairs(sdw_buf *out, const sdw_request_record *r)
{
    const sdw_params *p = &r->params;
    char text[128];
    put_sampling(out, p);
    snprintf(text, sizeof text, "%dx%d", p->width, p->height);
    pair(out, "Size", text);
    if (r->model) {
        model_name(r->model, text);
        pair(out, "Model", text);
    }
    if (r->init_image_sha256) pair_real(out, "Denoising strength", p->strength);
    if (p->clip_skip > 0) pair_int(out, "Clip skip", p->clip_skip + 1); /* the web UI counts the last layer too */
    if (r->init_image_sha256) {
        snprintf(text, sizeof text, "%.10s", r->init_image_sha256);
        pair(out, "Init image hash", text);
    }
    pair(out, "RNG", p->rng && !strcmp(p->rng, "torch-cuda") ? "Philox" : "CPU");
    if (p->eta > 0) pair_real(out, "Eta", p->eta);
    if (r->mask_sha256 && p->mask_blur > 0) pair_real(out, "Mask blur", p->mask_blur);
    if (r->mask_sha256 && p->inpaint_full_res == 1) {
        pair(out, "Inpaint area", "Only masked");
        pair_int(out, "Masked area padding", p->inpaint_full_res_padding);
    }
    snprintf(text, sizeof text, "sdw %s", r->version ? r->version : SDW_VERSION);
    pair(out, "Version", text);
}

static void put_stripped(sdw_buf *out, const char *text)
{
    static const char blank[] = " \t\r\n";
    text += strspn(text, blank);
    size_t n = strlen(text);
    while (n && strchr(blank, text[n - 1])) n--;
    sdw_buf_append(out, text, n);
}

sdw_status sdw_request_write_infotext(const sdw_request_record *r, char **ret_text, sdw_error *err)
{
    sdw_buf text;
    sdw_buf_init(&text, 0);
    const sdw_params *p = &r->params;
    if (p->prompt && *p->prompt) {
        put_stripped(&text, p->prompt);
        sdw_buf_puts(&text, "\n");
    }
    if (p->negative_prompt && *p->negative_prompt) {
        sdw_buf_puts(&text, "Negative prompt: ");
        put_stripped(&text, p->negative_prompt);
        sdw_buf_puts(&text, "\n");
    }
    put_pairs(&text, r);
    char *taken = sdw_buf_take(&text, NULL);
    sdw_buf_finish(&text);
    if (!taken) return sdw_fail_memory(err, "parameters text", text.size);
    *ret_text = taken;
    return SDW_OK;
}
