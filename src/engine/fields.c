/* fields.c - the request, one row per field, and the checks that need no more than a row.
 * New field? A row here and a member of sdw_params: command line, JSON, help and documents follow. */
#include "sdw/fields.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "core/status.h"
#include "diffusion/names.h"

/* Steps beyond the training steps of a model cannot exist; every published model has 1000. */
#define STEPS_MAX 1000
/* Results of one request are held in memory until it is finished: 64 pictures of 2048 x 2048 are 0.8 GB. */
#define COUNT_MAX 64

static const char *const spacings[] = { "leading", "linspace", "trailing", NULL };
static const char *const final_sigmas[] = { "zero", "min", NULL };
static const char *const syntaxes[] = { "plain", "weighted", NULL };
static const char *const generators[] = { "torch-cpu", "torch-cuda", NULL };
static const char *const batches[] = { "per-picture", "shared", NULL };
static const char *const resizes[] = { "stretch", "crop", "pad", NULL };

#define AT(member) .offset = offsetof(sdw_params, member)
#define TEXT(member) .name = #member, .type = SDW_FIELD_TEXT, AT(member)
#define INT(member) .name = #member, .type = SDW_FIELD_INT, AT(member)
#define REAL(member) .name = #member, .type = SDW_FIELD_REAL, AT(member)
#define SWITCH(member) .name = #member, .type = SDW_FIELD_SWITCH, AT(member), .max = 1
#define CHOICE(member, list) .name = #member, .type = SDW_FIELD_CHOICE, AT(member), .choices = (list)
#define PICTURE(member) .name = #member, .type = SDW_FIELD_PICTURE, AT(member)

static const sdw_field fields[] = {
    { TEXT(prompt), .max = SDW_LIMIT_PROMPT_BYTES, .default_text = "", .unit = "bytes", .group = "prompt",
      .help = "what the picture shows" },
    { TEXT(negative_prompt), .max = SDW_LIMIT_PROMPT_BYTES, .default_text = "", .unit = "bytes", .group = "prompt",
      .help = "what it should not show; absent and empty differ for SDXL" },
    { CHOICE(prompt_syntax, syntaxes), .default_text = "plain", .group = "prompt",
      .help = "plain text, or weighted: (x:1.2), [x], BREAK" },
    { SWITCH(truncate), .default_text = "off", .group = "prompt",
      .help = "cut a prompt at 75 tokens instead of going on in further chunks" },
    { INT(clip_skip), .min = 0, .max = 31, .default_text = "0", .unit = "layers", .group = "prompt",
      .help = "layers of the text encoder to leave out at its end" },

    { INT(width), .min = SDW_LIMIT_SIZE_MIN, .max = SDW_LIMIT_SIZE_MAX, .multiple = 8, .default_text = "",
      .unit = "pixels", .group = "picture", .help = "width of the result" },
    { INT(height), .min = SDW_LIMIT_SIZE_MIN, .max = SDW_LIMIT_SIZE_MAX, .multiple = 8, .default_text = "",
      .unit = "pixels", .group = "picture", .help = "height of the result" },
    { INT(count), .min = 1, .max = COUNT_MAX, .default_text = "1", .unit = "pictures", .group = "picture",
      .help = "pictures to make, with the seeds that follow each other" },

    { INT(steps), .min = 1, .max = STEPS_MAX, .default_text = "", .unit = "steps", .group = "sampling",
      .help = "denoising steps" },
    { REAL(guidance), .min = 0, .max = 100, .default_text = "", .group = "sampling",
      .help = "how strongly the prompt pulls; at 1 or below the negative prompt is not used" },
    { REAL(guidance_rescale), .min = 0, .max = 1, .default_text = "0", .group = "sampling",
      .help = "share of the correction against overexposed guidance" },
    { CHOICE(sampler, NULL), .default_text = "", .group = "sampling",
      .help = "sampler; --list-samplers shows all names" },
    { CHOICE(schedule, NULL), .default_text = "", .group = "sampling",
      .help = "noise schedule; --list-samplers shows all names" },
    { CHOICE(spacing, spacings), .default_text = "", .group = "sampling", .help = "how the timesteps are laid out" },
    { REAL(eta), .min = 0, .max = 1, .default_text = "", .group = "sampling",
      .help = "share of fresh noise (ddim), or gamma (tcd)" },
    { CHOICE(final_sigma, final_sigmas), .default_text = "", .group = "sampling",
      .help = "where the last step ends: at no noise or at the smallest trained noise" },

    { .name = "seed", .type = SDW_FIELD_SEED, AT(seed), .min = 0, .max = 18446744073709551615.0,
      .default_text = "random", .group = "randomness", .help = "start of the random numbers; the same seed, the same picture" },
    { CHOICE(rng, generators), .default_text = "torch-cpu", .group = "randomness",
      .help = "whose random numbers a seed means" },
    { CHOICE(rng_batch, batches), .default_text = "per-picture", .group = "randomness",
      .help = "with count: seed+1, seed+2 ... for each picture, or one generator for all" },

    { PICTURE(init_image), .default_text = "", .group = "input picture", .help = "picture to start from" },
    { REAL(strength), .min = 0, .max = 1, .default_text = "", .group = "input picture",
      .help = "how much of the picture is made anew: the share of the steps that run" },
    { CHOICE(resize, resizes), .default_text = "stretch", .group = "input picture",
      .help = "how a picture of another shape is fitted to width and height" },
    { PICTURE(mask), .default_text = "", .group = "input picture", .help = "white is painted anew, black is kept" },
    { SWITCH(invert_mask), .default_text = "off", .group = "input picture", .help = "black is painted anew instead" },
    { REAL(mask_blur), .min = 0, .max = 64, .default_text = "0", .unit = "pixels", .group = "input picture",
      .help = "radius of a soft edge of the mask" },
    { SWITCH(inpaint_full_res), .default_text = "off", .group = "input picture",
      .help = "work on the masked part alone, enlarged to width and height" },
    { INT(inpaint_full_res_padding), .min = 0, .max = 256, .default_text = "32", .unit = "pixels",
      .group = "input picture", .help = "surroundings that the masked part takes along" },
    { SWITCH(paste_back), .default_text = "on", .group = "input picture",
      .help = "give pixels outside the mask their original values back" },
};

#define FIELD_COUNT (sizeof fields / sizeof fields[0])

const sdw_field *sdw_fields(size_t *ret_count)
{
    if (ret_count) *ret_count = FIELD_COUNT;
    return fields;
}

void sdw_params_init(sdw_params *p)
{
    *p = (sdw_params){
        .guidance = NAN, .guidance_rescale = NAN, .eta = NAN, .strength = NAN, .mask_blur = NAN,
        .truncate = -1, .invert_mask = -1, .inpaint_full_res = -1, .paste_back = -1,
        .inpaint_full_res_padding = -1, /* the one count of which 0 is a value */
    };
}

static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        int x = *a == '_' ? '-' : tolower((unsigned char)*a), y = *b == '_' ? '-' : tolower((unsigned char)*b);
        if (x != y) return false;
    }
    return *a == *b;
}

const sdw_field *sdw_field_find(const char *name)
{
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (same_name(fields[i].name, name)) return &fields[i];
    return NULL;
}

/* ---- a field inside its struct ---- */

static const void *place(const sdw_field *f, const sdw_params *p)
{
    return (const char *)p + f->offset;
}

static int get_int(const sdw_field *f, const sdw_params *p)
{
    int v;
    memcpy(&v, place(f, p), sizeof v);
    return v;
}

static double get_real(const sdw_field *f, const sdw_params *p)
{
    double v;
    memcpy(&v, place(f, p), sizeof v);
    return v;
}

static const char *get_text(const sdw_field *f, const sdw_params *p)
{
    const char *v;
    memcpy(&v, place(f, p), sizeof v);
    return v;
}

static void put(const sdw_field *f, sdw_params *p, const void *value, size_t size)
{
    memcpy((char *)p + f->offset, value, size);
}

bool sdw_field_given(const sdw_field *f, const sdw_params *p)
{
    sdw_params none;
    sdw_params_init(&none);
    switch (f->type) {
    case SDW_FIELD_SEED: return p->has_seed != 0;
    case SDW_FIELD_INT:
    case SDW_FIELD_SWITCH: return get_int(f, p) != get_int(f, &none);
    case SDW_FIELD_REAL: return !isnan(get_real(f, p));
    case SDW_FIELD_TEXT:
    case SDW_FIELD_CHOICE:
    case SDW_FIELD_PICTURE: return get_text(f, p) != NULL;
    }
    return false;
}

/* ---- what a row allows ---- */

static void describe_choices(const sdw_field *f, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "one of ");
    for (const char *const *c = f->choices; *c && n < size; c++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", c == f->choices ? "" : ", ", *c);
}

void sdw_field_describe(const sdw_field *f, char *text, size_t size)
{
    switch (f->type) {
    case SDW_FIELD_TEXT: snprintf(text, size, "text of at most %.0f bytes", f->max); break;
    case SDW_FIELD_INT:
        if (f->multiple > 1)
            snprintf(text, size, "a whole number from %.0f to %.0f, a multiple of %d", f->min, f->max, f->multiple);
        else snprintf(text, size, "a whole number from %.0f to %.0f", f->min, f->max);
        break;
    case SDW_FIELD_REAL: snprintf(text, size, "a number from %g to %g", f->min, f->max); break;
    case SDW_FIELD_SEED: snprintf(text, size, "a whole number from 0 to 18446744073709551615, or random"); break;
    case SDW_FIELD_SWITCH: snprintf(text, size, "on or off"); break;
    case SDW_FIELD_CHOICE:
        if (f->choices) describe_choices(f, text, size);
        else snprintf(text, size, "the name of a %s", f->name);
        break;
    case SDW_FIELD_PICTURE: snprintf(text, size, "a PNG, JPEG or WebP file"); break;
    }
}

bool sdw_field_choice(const sdw_field *f, size_t index, sdw_choice *ret_choice)
{
    if (f->type != SDW_FIELD_CHOICE) return false;
    if (f->choices) {
        for (size_t i = 0; i <= index; i++)
            if (!f->choices[i]) return false;
        *ret_choice = (sdw_choice){ .name = f->choices[index] };
        return true;
    }
    sdw_sampling_name list[SDW_NAMES_MAX];
    bool schedules = !strcmp(f->name, "schedule");
    size_t count = schedules ? sdw_schedule_list(list, SDW_NAMES_MAX) : sdw_sampler_list(list, SDW_NAMES_MAX);
    if (index >= count || index >= SDW_NAMES_MAX) return false;
    const sdw_sampling_name *n = &list[index];
    *ret_choice = (sdw_choice){ n->name, n->summary, n->label, n->class_name };
    return true;
}

/* Long values are cut, so that the sentence stays one line. */
static sdw_status refuse(const sdw_field *f, const char *value, sdw_error *err)
{
    char line[64], want[200];
    size_t n = 0;
    for (; value[n] && n < sizeof line - 4; n++) line[n] = iscntrl((unsigned char)value[n]) ? ' ' : value[n];
    snprintf(line + n, sizeof line - n, "%s", value[n] ? "..." : "");
    sdw_field_describe(f, want, sizeof want);
    return sdw_fail_field(err, SDW_INVALID, f->name, "%s: '%s' given, want %s", f->name, line, want);
}

static sdw_status check_int(const sdw_field *f, int v, sdw_error *err)
{
    char text[24];
    if (v >= f->min && v <= f->max && (f->multiple < 2 || v % f->multiple == 0)) return SDW_OK;
    snprintf(text, sizeof text, "%d", v);
    return refuse(f, text, err);
}

static sdw_status check_real(const sdw_field *f, double v, sdw_error *err)
{
    char text[40];
    if (v >= f->min && v <= f->max) return SDW_OK; /* false for NaN */
    snprintf(text, sizeof text, "%g", v);
    return refuse(f, text, err);
}

static const char *find_choice(const sdw_field *f, const char *text)
{
    if (!f->choices) return text;
    for (const char *const *c = f->choices; *c; c++)
        if (same_name(*c, text)) return *c;
    return NULL;
}

/* Canonical names: a sampler's alias may imply a schedule, so registry names stay as typed and are only looked up. */
static sdw_status check_choice(const sdw_field *f, const char *v, const char **ret_name, sdw_error *err)
{
    const char *ignored, *name = find_choice(f, v);
    if (!name) return refuse(f, v, err);
    *ret_name = name;
    if (f->choices) return SDW_OK;
    if (!strcmp(f->name, "schedule")) return sdw_schedule_resolve(v, &ignored, err);
    return sdw_sampler_resolve(v, &ignored, &(const char *){ NULL }, err);
}

static sdw_status check_text(const sdw_field *f, const char *v, sdw_error *err)
{
    size_t bytes = strlen(v);
    if ((double)bytes <= f->max) return SDW_OK;
    return sdw_fail_field(err, SDW_LIMIT, f->name, "%s: text of %zu bytes given, want at most %.0f", f->name, bytes,
                          f->max);
}

static sdw_status check(const sdw_field *f, const sdw_params *p, sdw_error *err)
{
    switch (f->type) {
    case SDW_FIELD_INT: return check_int(f, get_int(f, p), err);
    case SDW_FIELD_SWITCH: return check_int(f, get_int(f, p), err);
    case SDW_FIELD_REAL: return check_real(f, get_real(f, p), err);
    case SDW_FIELD_TEXT: return check_text(f, get_text(f, p), err);
    case SDW_FIELD_CHOICE: return check_choice(f, get_text(f, p), &(const char *){ NULL }, err);
    case SDW_FIELD_SEED:
    case SDW_FIELD_PICTURE: return SDW_OK;
    }
    return SDW_OK;
}

sdw_status sdw_params_check_fields(const sdw_params *p, sdw_error *err)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (!sdw_field_given(&fields[i], p)) continue;
        sdw_status s = check(&fields[i], p, err);
        if (s != SDW_OK) return s;
    }
    return SDW_OK;
}

/* ---- from text ---- */

/* Decimal digits with an optional sign and nothing else. */
static bool read_whole(const char *text, long long *ret)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (!*digits || digits[strspn(digits, "0123456789")]) return false;
    errno = 0;
    *ret = strtoll(text, NULL, 10);
    return errno == 0;
}

/* Decimal notation alone: strtod would take "nan", "inf" and hexadecimal too. */
static bool read_real(const char *text, double *ret)
{
    char *end;
    if (!*text || text[strspn(text, "0123456789.eE+-")]) return false;
    *ret = strtod(text, &end);
    return end != text && !*end && isfinite(*ret);
}

static sdw_status parse_seed(const sdw_field *f, const char *text, sdw_params *p, sdw_error *err)
{
    if (!strcmp(text, "-1") || same_name(text, "random")) {
        p->has_seed = 0;
        return SDW_OK;
    }
    if (!*text || text[strspn(text, "0123456789")]) return refuse(f, text, err);
    errno = 0;
    unsigned long long v = strtoull(text, NULL, 10);
    if (errno) return refuse(f, text, err);
    p->seed = v;
    p->has_seed = 1;
    return SDW_OK;
}

static bool read_switch(const char *text, int *ret)
{
    static const char *const on[] = { "on", "true", "yes", "1" }, *const off[] = { "off", "false", "no", "0" };
    for (size_t i = 0; i < 4; i++) {
        if (same_name(text, on[i])) return *ret = 1, true;
        if (same_name(text, off[i])) return *ret = 0, true;
    }
    return false;
}

static sdw_status parse_int(const sdw_field *f, const char *text, sdw_params *p, sdw_error *err)
{
    long long v;
    if (!read_whole(text, &v) || v < f->min || v > f->max || (f->multiple > 1 && v % f->multiple))
        return refuse(f, text, err);
    int narrow = (int)v;
    put(f, p, &narrow, sizeof narrow);
    return SDW_OK;
}

sdw_status sdw_field_parse(const sdw_field *f, const char *text, sdw_params *p, sdw_error *err)
{
    double real;
    int on;
    switch (f->type) {
    case SDW_FIELD_INT: return parse_int(f, text, p, err);
    case SDW_FIELD_SEED: return parse_seed(f, text, p, err);
    case SDW_FIELD_REAL:
        if (!read_real(text, &real) || real < f->min || real > f->max) return refuse(f, text, err);
        put(f, p, &real, sizeof real);
        return SDW_OK;
    case SDW_FIELD_SWITCH:
        if (!read_switch(text, &on)) return refuse(f, text, err);
        put(f, p, &on, sizeof on);
        return SDW_OK;
    case SDW_FIELD_TEXT: {
        sdw_status s = check_text(f, text, err);
        if (s == SDW_OK) put(f, p, &text, sizeof text);
        return s;
    }
    case SDW_FIELD_CHOICE: {
        const char *name;
        sdw_status s = check_choice(f, text, &name, err);
        if (s == SDW_OK) put(f, p, &name, sizeof name);
        return s;
    }
    case SDW_FIELD_PICTURE: break;
    }
    return sdw_fail_field(err, SDW_INVALID, f->name, "%s: a picture cannot be given as text", f->name);
}

sdw_status sdw_field_set_number(const sdw_field *f, double number, sdw_params *p, sdw_error *err)
{
    char text[40];
    snprintf(text, sizeof text, "%.17g", number);
    if (f->type == SDW_FIELD_INT || f->type == SDW_FIELD_REAL) return sdw_field_parse(f, text, p, err);
    if (f->type != SDW_FIELD_SWITCH) return refuse(f, text, err);
    int on = number != 0;
    put(f, p, &on, sizeof on);
    return SDW_OK;
}
