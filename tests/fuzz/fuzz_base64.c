/* Any bytes as base64: what decodes encodes back to the same letters; what is refused leaves no trace. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    size_t prefix = 0;
    sdw_buf out, again;
    sdw_error err = { 0 };
    sdw_buf_init(&out, 1 << 16);
    sdw_buf_init(&again, 0);
    if (sdw_data_url_prefix(text, size, "fuzz", &prefix, &err) != SDW_OK) prefix = 0;
    if (prefix > size) abort();
    text += prefix;
    size -= prefix;
    sdw_status s = sdw_base64_decode(text, size, "fuzz", 0, &out, &err);
    if (s == SDW_OK) {
        if (!sdw_base64_encode(out.data, out.size, &again)) abort();
        while (again.size && again.data[again.size - 1] == '=') again.size--;
        while (size && text[size - 1] == '=') size--;
        if (again.size != size || (size && memcmp(again.data, text, size) != 0)) abort();
    } else if (out.size != 0 || !err.text[0]) {
        abort();
    }
    sdw_buf_finish(&out);
    sdw_buf_finish(&again);
    return 0;
}
