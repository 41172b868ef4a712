/* dtype.h - element types of tensors on disk and in memory. */
#ifndef SDW_CORE_DTYPE_H
#define SDW_CORE_DTYPE_H

#include <stddef.h>
#include <stdint.h>

/* X(name, name in safetensors, bytes) */
#define SDW_DTYPE_LIST(X) \
    X(F32, "F32", 4)      \
    X(F16, "F16", 2)      \
    X(BF16, "BF16", 2)    \
    X(F8_E4M3, "F8_E4M3", 1) \
    X(F8_E5M2, "F8_E5M2", 1) \
    X(F64, "F64", 8)      \
    X(I64, "I64", 8)      \
    X(I32, "I32", 4)      \
    X(I16, "I16", 2)      \
    X(I8, "I8", 1)        \
    X(U8, "U8", 1)        \
    X(BOOL, "BOOL", 1)

typedef enum sdw_dtype {
#define SDW_DTYPE_ENUM(name, text, bytes) SDW_##name,
    SDW_DTYPE_LIST(SDW_DTYPE_ENUM)
#undef SDW_DTYPE_ENUM
    SDW_DTYPE_COUNT
} sdw_dtype;

size_t sdw_dtype_size(sdw_dtype t);         /* bytes of one element */
const char *sdw_dtype_name(sdw_dtype t);    /* as safetensors writes it */
/* -1 if `name` is no type we know; otherwise the sdw_dtype. */
int sdw_dtype_from_name(const char *name);
/* True for the types a weight may have: F32, F16, BF16, F8_E4M3, F8_E5M2. */
int sdw_dtype_is_weight(sdw_dtype t);
/* Widens n weight elements to f32. src needs no alignment. */
void sdw_to_f32(sdw_dtype t, const void *src, float *dst, size_t n);
/* Rounds n values to a weight type. */
void sdw_from_f32(sdw_dtype t, const float *src, void *dst, size_t n);

#endif
