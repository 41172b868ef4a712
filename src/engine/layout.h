/* layout.h - between the reference's order (lanes, channels, height, width) and ours (lanes, height, width, channels). */
#ifndef SDW_ENGINE_LAYOUT_H
#define SDW_ENGINE_LAYOUT_H

#include <stddef.h>

/* src (n, c, hw) -> dst (n, hw, c). */
static inline void sdw_to_rows(const float *src, float *dst, int n, int c, size_t hw)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < c; k++)
            for (size_t at = 0; at < hw; at++) dst[((size_t)i * hw + at) * (size_t)c + (size_t)k] = src[((size_t)i * (size_t)c + (size_t)k) * hw + at];
}

/* src (n, hw, c) -> dst (n, c, hw). */
static inline void sdw_from_rows(const float *src, float *dst, int n, int c, size_t hw)
{
    for (int i = 0; i < n; i++)
        for (int k = 0; k < c; k++)
            for (size_t at = 0; at < hw; at++) dst[((size_t)i * (size_t)c + (size_t)k) * hw + at] = src[((size_t)i * hw + at) * (size_t)c + (size_t)k];
}

#endif
