/* Any bytes as a .safetensors file: what passes has ranges inside the file that match their shapes. */
#include <stdint.h>
#include <stdlib.h>

#include "io/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sdw_safetensors h = { 0 };
    sdw_error err = { 0 };
    sdw_status s = sdw_safetensors_parse(data, size, "fuzz", &h, &err);
    if (s != SDW_OK) {
        if (!err.text[0] || h.doc || h.entries) abort();
        return 0;
    }
    volatile uint8_t sink = 0;
    size_t covered = 0;
    for (size_t i = 0; i < h.count; i++) {
        const sdw_safetensors_entry *e = &h.entries[i];
        uint64_t n = sdw_dtype_size(e->dtype);
        for (int k = 0; k < e->rank; k++) n *= (uint64_t)e->shape[k];
        if (n != e->bytes || e->begin > size || e->bytes > size - e->begin) abort();
        for (size_t k = 0; k < e->bytes; k++) sink ^= data[e->begin + k];
        covered += e->bytes;
    }
    (void)sink;
    if (covered > size) abort();
    sdw_safetensors_finish(&h);
    return 0;
}
