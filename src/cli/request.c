/* request.c - fields from options, prompts from files, pictures by name, all of it from --from. */
#include "cli/request.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/mem.h"
#include "image/file.h"
#include "sdw/fields.h"

void sdw_cli_request_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "from", .value = "FILE", .group = "prompt",
          .help = "repeat the picture FILE by what is stored in it; options given beside it win" },
        { .name = "prompt-file", .value = "FILE", .group = "prompt",
          .help = "read the prompt from a file; - is standard input" },
    };
    sdw_cli_add(o, rows, 2);
    sdw_cli_add_fields(o);
}

/* ---- prompt files ---- */

static sdw_status read_stream(FILE *from, const char *what, sdw_buf *out, sdw_error *err)
{
    for (;;) {
        char *to = sdw_buf_reserve(out, 4096);
        if (!to) return sdw_fail_field(err, SDW_LIMIT, "prompt", "%s: more than %zu bytes, want a prompt of at most that",
                                       what, (size_t)SDW_LIMIT_PROMPT_BYTES);
        size_t n = fread(to, 1, 4096, from);
        out->size += n;
        if (ferror(from)) return sdw_fail(err, SDW_IO, "%s: cannot be read", what);
        if (n == 0) return SDW_OK;
    }
}

static sdw_status read_prompt_file(const char *path, char **ret, sdw_error *err)
{
    bool standard_input = !strcmp(path, "-");
    FILE *from = standard_input ? stdin : fopen(path, "rb");
    if (!from) return sdw_fail(err, SDW_NOT_FOUND, "--prompt-file: %.300s cannot be opened, want a text file", path);
    sdw_buf text;
    sdw_buf_init(&text, SDW_LIMIT_PROMPT_BYTES + 4096);
    sdw_status s = read_stream(from, standard_input ? "standard input" : path, &text, err);
    if (!standard_input) fclose(from);
    if (s == SDW_OK) {
        while (text.size && strchr("\r\n", text.data[text.size - 1])) text.size--; /* editors end files with a line break */
        if (text.size && memchr(text.data, '\0', text.size))
            s = sdw_fail_field(err, SDW_INVALID, "prompt", "%.300s: holds a NUL byte, want UTF-8 text", path);
    }
    if (s == SDW_OK && !(*ret = sdw_strndup(text.size ? text.data : "", text.size)))
        s = sdw_fail_memory(err, "prompt", text.size);
    sdw_buf_finish(&text);
    return s;
}

/* ---- pictures ---- */

/* Files are read once: the hash is of the very bytes that are decoded. */
static sdw_status load_picture(const char *path, int channels, sdw_picture *ret, char hash[SDW_SHA256_HEX_SIZE],
                               sdw_error *err)
{
    sdw_buf bytes;
    sdw_image *image = NULL;
    const sdw_image_decode_options options = { .what = path, .channels = channels };
    sdw_buf_init(&bytes, 0);
    sdw_status s = sdw_image_read_file(path, 0, &bytes, err);
    if (s == SDW_OK) s = sdw_sha256_bytes(bytes.data, bytes.size, hash, err);
    if (s == SDW_OK) s = sdw_image_decode(bytes.data, bytes.size, &options, &image, err);
    sdw_buf_finish(&bytes);
    if (s != SDW_OK) return s;
    *ret = (sdw_picture){ image->width, image->height, image->channels, image->pixels };
    image->pixels = NULL; /* now ret's */
    sdw_image_free(image);
    return SDW_OK;
}

/* What --from says about a picture against what was named: the picture is asked for by its hash. */
static sdw_status compare_hash(const char *flag, const char *wanted, const char *found, sdw_warn_fn *warn, void *ctx,
                               sdw_error *err)
{
    char text[240];
    if (!wanted) return SDW_OK;
    if (!found)
        return sdw_fail(err, SDW_INVALID, "--from: the picture was made from a file with SHA-256 %s; name it with %s FILE",
                        wanted, flag);
    if (!strcmp(wanted, found)) return SDW_OK;
    snprintf(text, sizeof text, "%s: SHA-256 is %.12s..., the picture of --from was made with %.12s...", flag, found, wanted);
    warn(ctx, text);
    return SDW_OK;
}

static sdw_status read_pictures(const sdw_cli_options *o, sdw_cli_request *r, sdw_warn_fn *warn, void *ctx, sdw_error *err)
{
    sdw_request_record *record = &r->record;
    const char *init = sdw_cli_value(o, "init_image"), *mask = sdw_cli_value(o, "mask");
    const char *init_wanted = record->init_image_sha256, *mask_wanted = record->mask_sha256;
    record->init_image_sha256 = record->mask_sha256 = NULL;
    if (init) {
        sdw_status s = load_picture(init, 3, &r->init_image, r->init_hash, err);
        if (s != SDW_OK) return s;
        record->params.init_image = &r->init_image;
        record->init_image_sha256 = r->init_hash;
    }
    if (mask) {
        sdw_status s = load_picture(mask, 1, &r->mask, r->mask_hash, err);
        if (s != SDW_OK) return s;
        record->params.mask = &r->mask;
        record->mask_sha256 = r->mask_hash;
    }
    sdw_status s = compare_hash("--init-image", init_wanted, record->init_image_sha256, warn, ctx, err);
    return s == SDW_OK ? compare_hash("--mask", mask_wanted, record->mask_sha256, warn, ctx, err) : s;
}

/* ---- --from ---- */

static sdw_status read_from(const char *path, sdw_request_record *ret, sdw_warn_fn *warn, void *ctx, sdw_error *err)
{
    sdw_buf bytes;
    char *text = NULL;
    sdw_buf_init(&bytes, 0);
    sdw_status s = sdw_image_read_file(path, 0, &bytes, err);
    if (s == SDW_OK) s = sdw_image_read_text(bytes.data, bytes.size, path, "sdw", &text, err);
    if (s == SDW_OK) s = sdw_request_read_json(text, strlen(text), path, ret, warn, ctx, err);
    else if (s == SDW_NOT_FOUND && bytes.size)
        sdw_fail(err, SDW_NOT_FOUND, "--from: %.300s holds no request, want a picture that sdw generate wrote", path);
    sdw_free(text);
    sdw_buf_finish(&bytes);
    return s;
}

/* A stored request is resolved: these fields may be answers to the sampler that is now replaced. */
static void forget_sampler_answers(sdw_params *p)
{
    sdw_params none;
    sdw_params_init(&none);
    p->schedule = p->spacing = p->final_sigma = NULL;
    p->eta = none.eta;
}

/* ---- all together ---- */

static sdw_status read_fields(const sdw_cli_options *o, sdw_params *p, sdw_error *err)
{
    size_t count;
    const sdw_field *fields = sdw_fields(&count);
    for (size_t i = 0; i < count; i++) {
        const char *value = sdw_cli_value(o, fields[i].name);
        if (!value || fields[i].type == SDW_FIELD_PICTURE) continue;
        sdw_status s = sdw_field_parse(&fields[i], value, p, err);
        if (s != SDW_OK) return s;
    }
    return SDW_OK;
}

static sdw_status fill(const sdw_cli_options *o, sdw_cli_request *r, sdw_warn_fn *warn, void *ctx, sdw_error *err)
{
    const char *from = sdw_cli_value(o, "from"), *file = sdw_cli_value(o, "prompt-file");
    sdw_params *p = &r->record.params;
    sdw_status s;
    sdw_params_init(p);
    if (file && sdw_cli_value(o, "prompt"))
        return sdw_fail(err, SDW_INVALID, "--prompt-file: given beside --prompt, want one of the two");
    if (from) {
        s = read_from(from, &r->from, warn, ctx, err);
        if (s != SDW_OK) return s;
        r->record = r->from;
        r->record.owner = NULL;
        r->record.version = r->record.family = r->record.backend = NULL;
        if (sdw_cli_value(o, "sampler")) forget_sampler_answers(p);
    }
    if (file) {
        s = read_prompt_file(file, &r->prompt, err);
        if (s != SDW_OK) return s;
        p->prompt = r->prompt;
    }
    s = read_fields(o, p, err);
    if (s == SDW_OK && !p->prompt)
        s = sdw_fail_field(err, SDW_INVALID, "prompt", "--prompt: not given, want a prompt (\"\" draws without one)");
    return s == SDW_OK ? read_pictures(o, r, warn, ctx, err) : s;
}

sdw_status sdw_cli_request_read(const sdw_cli_options *o, sdw_cli_request *ret, sdw_warn_fn *warn, void *warn_ctx,
                                sdw_error *err)
{
    *ret = (sdw_cli_request){ 0 };
    sdw_status s = fill(o, ret, warn, warn_ctx, err);
    if (s != SDW_OK) sdw_cli_request_finish(ret);
    return s;
}

void sdw_cli_request_finish(sdw_cli_request *r)
{
    sdw_request_finish(&r->from);
    sdw_free(r->prompt);
    sdw_free(r->init_image.pixels);
    sdw_free(r->mask.pixels);
    *r = (sdw_cli_request){ 0 };
}
