/* dtype.c - sizes, names and conversions of element types. */
#include "core/dtype.h"

#include <string.h>

#include "core/half.h"

static const struct { const char *name; size_t bytes; } types[SDW_DTYPE_COUNT] = {
#define SDW_DTYPE_ROW(name, text, bytes) [SDW_##name] = { text, bytes },
    SDW_DTYPE_LIST(SDW_DTYPE_ROW)
#undef SDW_DTYPE_ROW
};

size_t sdw_dtype_size(sdw_dtype t)
{
    return types[t].bytes;
}

const char *sdw_dtype_name(sdw_dtype t)
{
    return types[t].name;
}

int sdw_dtype_from_name(const char *name)
{
    for (int t = 0; t < SDW_DTYPE_COUNT; t++)
        if (strcmp(types[t].name, name) == 0) return t;
    return -1;
}

int sdw_dtype_is_weight(sdw_dtype t)
{
    return t <= SDW_F8_E5M2;
}

static uint16_t load16(const void *src, size_t i)
{
    uint16_t v;
    memcpy(&v, (const char *)src + 2 * i, 2);
    return v;
}

void sdw_to_f32(sdw_dtype t, const void *src, float *dst, size_t n)
{
    const uint8_t *bytes = src;
    switch (t) {
    case SDW_F32: memcpy(dst, src, n * 4); break;
    case SDW_F16: for (size_t i = 0; i < n; i++) dst[i] = sdw_f16_to_f32(load16(src, i)); break;
    case SDW_BF16: for (size_t i = 0; i < n; i++) dst[i] = sdw_bf16_to_f32(load16(src, i)); break;
    case SDW_F8_E4M3: for (size_t i = 0; i < n; i++) dst[i] = sdw_f8e4m3_to_f32(bytes[i]); break;
    case SDW_F8_E5M2: for (size_t i = 0; i < n; i++) dst[i] = sdw_f8e5m2_to_f32(bytes[i]); break;
    default: memset(dst, 0, n * 4); break; /* no weight type: the loader refuses it before */
    }
}

static void store16(void *dst, size_t i, uint16_t v)
{
    memcpy((char *)dst + 2 * i, &v, 2);
}

void sdw_from_f32(sdw_dtype t, const float *src, void *dst, size_t n)
{
    uint8_t *bytes = dst;
    switch (t) {
    case SDW_F32: memcpy(dst, src, n * 4); break;
    case SDW_F16: for (size_t i = 0; i < n; i++) store16(dst, i, sdw_f32_to_f16(src[i])); break;
    case SDW_BF16: for (size_t i = 0; i < n; i++) store16(dst, i, sdw_f32_to_bf16(src[i])); break;
    case SDW_F8_E4M3: for (size_t i = 0; i < n; i++) bytes[i] = sdw_f32_to_f8e4m3(src[i]); break;
    case SDW_F8_E5M2: for (size_t i = 0; i < n; i++) bytes[i] = sdw_f32_to_f8e5m2(src[i]); break;
    default: break;
    }
}
