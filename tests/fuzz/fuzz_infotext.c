/* "parameters" texts of pictures from anywhere, taken apart into JSON that must be valid. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "server/infotext_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sdw_buf out;
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    sdw_buf_init(&out, 0);
    sdw_infotext_to_json(text, &out);
    yyjson_doc *doc = yyjson_read(out.data, out.size, 0);
    if (!doc) abort();
    yyjson_doc_free(doc);
    sdw_buf_finish(&out);
    free(text);
    return 0;
}
