/* params_copy.c - see params_copy.h. */
#include "worker/params_copy.h"

#include <string.h>

#include "core/mem.h"

static void *member(const sdw_field *f, const sdw_params *p)
{
    void *value;
    memcpy(&value, (const char *)p + f->offset, sizeof value);
    return value;
}

static void set_member(const sdw_field *f, sdw_params *p, const void *value)
{
    memcpy((char *)p + f->offset, &value, sizeof value);
}

static bool is_text(const sdw_field *f)
{
    return f->type == SDW_FIELD_TEXT || f->type == SDW_FIELD_CHOICE;
}

static bool makes_sense(const sdw_picture *p)
{
    return p->width > 0 && p->height > 0 && (p->channels == 1 || p->channels == 3) && p->pixels;
}

/* One allocation: the head, then the pixels. NULL without memory. */
static sdw_picture *copy_picture(const sdw_picture *p, size_t *bytes)
{
    size_t pixels, all;
    if (!sdw_size_mul((size_t)p->width, (size_t)p->height, &pixels) || !sdw_size_mul(pixels, (size_t)p->channels, &pixels) ||
        !sdw_size_add(pixels, sizeof *p, &all))
        return NULL;
    sdw_picture *copy = sdw_malloc(all);
    if (!copy) return NULL;
    *copy = *p;
    copy->pixels = (uint8_t *)(copy + 1);
    memcpy(copy->pixels, p->pixels, pixels);
    *bytes += all;
    return copy;
}

static void *copy_member(const sdw_field *f, void *value, size_t *bytes)
{
    if (f->type == SDW_FIELD_PICTURE) return copy_picture(value, bytes);
    *bytes += strlen(value) + 1;
    return sdw_strdup(value);
}

sdw_status sdw_params_copy(const sdw_params *p, sdw_params *ret, size_t *ret_bytes, sdw_error *err)
{
    size_t count, bytes = 0;
    const sdw_field *f = sdw_fields(&count);
    sdw_status status = SDW_OK;
    *ret = *p;
    for (size_t i = 0; i < count; i++) {
        if (!is_text(&f[i]) && f[i].type != SDW_FIELD_PICTURE) continue;
        void *from = member(&f[i], p), *copy = NULL;
        if (from && f[i].type == SDW_FIELD_PICTURE && !makes_sense(from) && status == SDW_OK) {
            const sdw_picture *bad = from;
            status = sdw_fail_field(err, SDW_INVALID, f[i].name, "%s is %d x %d with %d channels, want pixels with 1 or 3 channels", f[i].name, bad->width,
                                    bad->height, bad->channels);
        } else if (from && status == SDW_OK) {
            copy = copy_member(&f[i], from, &bytes);
            if (!copy) status = sdw_fail_memory(err, f[i].name, 0);
        }
        set_member(&f[i], ret, copy);
    }
    *ret_bytes = bytes;
    return status;
}

void sdw_params_finish(sdw_params *p)
{
    size_t count;
    const sdw_field *f = sdw_fields(&count);
    for (size_t i = 0; i < count; i++) {
        if (!is_text(&f[i]) && f[i].type != SDW_FIELD_PICTURE) continue;
        sdw_free(member(&f[i], p));
        set_member(&f[i], p, NULL);
    }
}
