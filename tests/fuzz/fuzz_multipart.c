/* multipart/form-data: the first line is the Content-Type, the rest the body. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sdw_multipart m;
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    size_t type_size = line ? (size_t)(line - data) : 0, body_size = line ? size - type_size - 1 : 0;
    char *type = malloc(type_size + 1), *body = malloc(body_size ? body_size : 1);
    sdw_error err = { 0 };
    if (!type || !body || !line) {
        free(type);
        free(body);
        return 0;
    }
    memcpy(type, data, type_size);
    type[type_size] = '\0';
    memcpy(body, line + 1, body_size);
    if (sdw_multipart_parse(type, body, body_size, &m, &err) == SDW_OK) {
        for (int i = 0; i < m.count; i++) {
            const sdw_part *p = &m.parts[i];
            if (!p->name[0] || p->bytes < body || p->bytes + p->size > body + body_size) abort();
        }
    } else if (!err.text[0]) {
        abort();
    }
    free(type);
    free(body);
    return 0;
}
