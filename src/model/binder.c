/* binder.c - binding weights to the bytes of a checkpoint, with every shape checked. */
#include "model/binder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sdw_binder_enter(sdw_binder *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(b->prefix, sizeof b->prefix, format, args);
    va_end(args);
}

static bool failed(const sdw_binder *b)
{
    return b->error.status != SDW_OK;
}

static void *from_arena(sdw_binder *b, size_t size)
{
    void *p = sdw_arena_alloc(b->arena, size);
    if (!p && !failed(b)) sdw_fail(&b->error, SDW_NO_MEMORY, "%s: out of memory for the table of weights", b->part);
    return p;
}

static bool append(sdw_binder *b, sdw_weight *w)
{
    if (b->count == b->capacity) {
        int capacity = b->capacity ? b->capacity * 2 : 256;
        sdw_weight **list = from_arena(b, (size_t)capacity * sizeof *list);
        if (!list) return false;
        if (b->count) memcpy(list, b->list, (size_t)b->count * sizeof *list);
        b->list = list;
        b->capacity = capacity;
    }
    b->list[b->count++] = w;
    return true;
}

static void describe_shape(int rank, const int64_t *shape, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%lld", i ? ", " : "", (long long)shape[i]);
    if (at < size) snprintf(text + at, size - at, "]");
}

/* Trailing sides of 1 carry no information: (o, i, 1, 1) is a matrix and a matrix is a 1x1 convolution. */
static bool fits(const sdw_file_tensor *t, int rank, const int64_t *shape)
{
    int most = t->rank > rank ? t->rank : rank;
    for (int i = 0; i < most; i++) {
        int64_t have = i < t->rank ? t->shape[i] : 1, want = i < rank ? shape[i] : 1;
        if (have != want) return false;
    }
    return true;
}

static void note_missing(sdw_binder *b, const char *name)
{
    if (b->missing_count < SDW_BINDER_MISSING_MAX)
        snprintf(b->missing[b->missing_count], sizeof b->missing[0], "%.*s", (int)sizeof b->missing[0] - 1, name);
    b->missing_count++;
}

/* One tensor of the file: listed, and bound when there is a checkpoint. */
static void bind_piece(sdw_binder *b, sdw_weight *w, const char *name, int rank, const int64_t *shape)
{
    char full[320];
    snprintf(full, sizeof full, "%s%s", b->prefix, name);
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= shape[i];
    b->parameters += n;
    b->tensors++;
    if (b->item) b->item(b->item_ctx, full, rank, shape);
    if (!b->weights) return;
    sdw_file_tensor *t = sdw_checkpoint_find(b->weights, full);
    if (!t) {
        note_missing(b, full);
        return;
    }
    t->used = true;
    char have[96], want[96];
    describe_shape(t->rank, t->shape, have, sizeof have);
    describe_shape(rank, shape, want, sizeof want);
    if (!fits(t, rank, shape)) {
        if (!failed(b))
            sdw_fail(&b->error, SDW_FORMAT, "%s: tensor %s has shape %s, the configuration wants %s", sdw_checkpoint_path(b->weights),
                     t->source_name, have, want);
        return;
    }
    if (!sdw_dtype_is_weight(t->dtype)) {
        if (!failed(b))
            sdw_fail(&b->error, SDW_UNSUPPORTED, "%s: tensor %s is %s, want F32, F16, BF16, F8_E4M3 or F8_E5M2",
                     sdw_checkpoint_path(b->weights), t->source_name, sdw_dtype_name(t->dtype));
        return;
    }
    w->source[w->source_count++] = (sdw_weight_source){ .data = t->data, .dtype = t->dtype, .transposed = t->transposed, .rows = shape[0] };
}

static sdw_weight *start(sdw_binder *b, const char *name, sdw_role role, int64_t out, int64_t in, int k)
{
    if (failed(b)) return NULL;
    sdw_weight *w = from_arena(b, sizeof *w);
    char *full = w ? sdw_arena_printf(b->arena, "%s.%s%s", b->part, b->prefix, name) : NULL;
    if (!full || !append(b, w)) {
        if (!failed(b)) sdw_fail(&b->error, SDW_NO_MEMORY, "%s: out of memory for the table of weights", b->part);
        return NULL;
    }
    *w = (sdw_weight){ .name = full, .role = role, .out = out, .in = in, .k = k, .narrowest = b->narrowest, .skip = b->skip };
    return w;
}

sdw_weight *sdw_bind_fused(sdw_binder *b, const char *const *names, int count, int64_t out, int64_t in, bool conv)
{
    sdw_weight *w = start(b, names[0], SDW_ROLE_MATRIX, out * count, in, 1);
    for (int i = 0; w && i < count; i++) bind_piece(b, w, names[i], conv ? 4 : 2, (int64_t[]){ out, in, 1, 1 });
    return w;
}

sdw_weight *sdw_bind_fused_vector(sdw_binder *b, const char *const *names, int count, int64_t n)
{
    sdw_weight *w = start(b, names[0], SDW_ROLE_VECTOR, n * count, 1, 1);
    for (int i = 0; w && i < count; i++) bind_piece(b, w, names[i], 1, &n);
    return w;
}

sdw_weight *sdw_bind_matrix(sdw_binder *b, const char *name, int64_t out, int64_t in, bool conv)
{
    return sdw_bind_fused(b, &name, 1, out, in, conv);
}

sdw_weight *sdw_bind_vector(sdw_binder *b, const char *name, int64_t n)
{
    return sdw_bind_fused_vector(b, &name, 1, n);
}

sdw_weight *sdw_bind_glu(sdw_binder *b, const char *name, int64_t out, int64_t in)
{
    sdw_weight *w = start(b, name, SDW_ROLE_GLU, out, in, 1);
    if (w) bind_piece(b, w, name, 2, (int64_t[]){ out, in });
    return w;
}

sdw_weight *sdw_bind_conv(sdw_binder *b, const char *name, int64_t out, int64_t in, int k)
{
    sdw_weight *w = start(b, name, SDW_ROLE_CONV, out, in, k);
    if (w) bind_piece(b, w, name, 4, (int64_t[]){ out, in, k, k });
    return w;
}

sdw_weight *sdw_bind_table(sdw_binder *b, const char *name, int64_t rows, int64_t width)
{
    sdw_weight *w = start(b, name, SDW_ROLE_TABLE, rows, width, 1);
    if (w) bind_piece(b, w, name, 2, (int64_t[]){ rows, width });
    return w;
}

sdw_status sdw_binder_finish(const sdw_binder *b, sdw_error *err)
{
    if (failed(b)) {
        if (err) *err = b->error;
        return b->error.status;
    }
    if (!b->missing_count) return SDW_OK;
    char names[480] = "";
    size_t at = 0;
    for (int i = 0; i < b->missing_count && i < SDW_BINDER_MISSING_MAX && at < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", b->missing[i]);
    return sdw_fail(err, SDW_FORMAT, "%s: %d of %d weights of the %s are missing: %s%s", sdw_checkpoint_path(b->weights),
                    b->missing_count, b->tensors, b->part, names, b->missing_count > SDW_BINDER_MISSING_MAX ? ", ..." : "");
}
