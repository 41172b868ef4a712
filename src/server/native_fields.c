/* native_fields.c - see native_fields.h. */
#include "server/native_fields.h"

#include <string.h>

/* What the protocol says otherwise than the engine's row. min = max = 0: the engine's range. */
typedef struct override {
    const char *engine, *name, *title, *between;
    const char *synonyms[SDW_NATIVE_SYNONYMS_MAX];
    double min, max;
    int characters_max;
    bool nullable;
} override;

static const override overrides[] = {
    { .engine = "prompt", .name = "prompt", .title = "Prompt", .characters_max = SDW_NATIVE_PROMPT_CHARACTERS },
    { .engine = "negative_prompt", .name = "negative_prompt", .title = "Negative prompt",
      .characters_max = SDW_NATIVE_PROMPT_CHARACTERS, .nullable = true },
    { .engine = "steps", .name = "steps", .title = "Steps", .min = 1, .max = SDW_NATIVE_STEPS_MAX },
    { .engine = "guidance", .name = "guidance_scale", .title = "Guidance scale", .synonyms = { "guidance" },
      .max = SDW_NATIVE_GUIDANCE_MAX },
    { .engine = "width", .name = "width", .title = "Width" },
    { .engine = "height", .name = "height", .title = "Height" },
    { .engine = "strength", .name = "strength", .title = "Strength", .between = "0.0 and 1.0" },
    { .engine = "seed", .name = "seed", .title = "Seed", .nullable = true },
    { .engine = "init_image", .name = "init_image", .title = "Input image", .synonyms = { "input_image", "image" } },
    { .engine = "mask", .name = "mask_image", .title = "Mask image", .synonyms = { "mask" } },
    { .engine = "count", .name = "num_samples", .title = "Number of samples", .synonyms = { "count" }, .min = 1,
      .max = SDW_NATIVE_PICTURES_MAX },
};
#define OVERRIDE_COUNT (sizeof overrides / sizeof overrides[0])

static const char *const previews[] = { "latent", "vae", "none", NULL };
static const char *const formats[] = { "png", "jpeg", "webp", NULL };

#define AT(member) .offset = offsetof(sdw_job_request, member)
/* Fields of the job. "preview" is an enumeration in sdw_job_request: whoever sets it goes by the index of the choice. */
static const sdw_field job_fields[] = {
    { .name = "preview_every", .type = SDW_FIELD_INT, AT(preview_every), .min = 0, .max = SDW_NATIVE_STEPS_MAX,
      .default_text = "--preview-every", .unit = "steps", .group = "job",
      .help = "a preview at the first step, every so many steps, and the last; 0 = never" },
    { .name = "preview", .type = SDW_FIELD_CHOICE, AT(preview), .choices = previews, .default_text = "latent",
      .group = "job", .help = "how previews are made: from the latent's colours, or decoded in full" },
    { .name = "format", .type = SDW_FIELD_CHOICE, AT(format), .choices = formats, .default_text = "png",
      .group = "job", .help = "file format of the pictures" },
    { .name = "quality", .type = SDW_FIELD_INT, AT(quality), .min = 1, .max = 100, .default_text = "",
      .group = "job", .help = "quality of JPEG and WebP" },
    { .name = "timeout_s", .type = SDW_FIELD_REAL, AT(timeout_s), .min = 0, .max = 86400, .default_text = "--job-timeout",
      .unit = "seconds", .group = "job", .help = "time limit from the job's start, at most --job-timeout; 0 = that one" },
};
#define JOB_FIELD_COUNT (sizeof job_fields / sizeof job_fields[0])

static void fill(const override *o, const sdw_field *engine, sdw_native_field *ret)
{
    *ret = (sdw_native_field){ .row = *engine, .engine = engine, .title = engine->name };
    if (!o) return;
    ret->row.name = o->name;
    if (o->min != 0 || o->max != 0) ret->row.min = o->min, ret->row.max = o->max;
    ret->title = o->title;
    ret->between = o->between;
    memcpy(ret->synonyms, o->synonyms, sizeof ret->synonyms);
    ret->characters_max = o->characters_max;
    ret->nullable = o->nullable;
}

static bool is_overridden(const char *engine)
{
    for (size_t i = 0; i < OVERRIDE_COUNT; i++)
        if (!strcmp(overrides[i].engine, engine)) return true;
    return false;
}

bool sdw_native_field_at(size_t index, sdw_native_field *ret)
{
    if (index < OVERRIDE_COUNT) {
        fill(&overrides[index], sdw_field_find(overrides[index].engine), ret);
        return true;
    }
    size_t count, left = index - OVERRIDE_COUNT;
    const sdw_field *fields = sdw_fields(&count);
    for (size_t i = 0; i < count; i++) {
        if (is_overridden(fields[i].name) || left-- > 0) continue;
        fill(NULL, &fields[i], ret);
        return true;
    }
    if (left >= JOB_FIELD_COUNT) return false;
    *ret = (sdw_native_field){ .row = job_fields[left], .title = job_fields[left].name };
    return true;
}
