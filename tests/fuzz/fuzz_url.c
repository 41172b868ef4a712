/* Request targets: whatever the bytes, a path that is accepted is clean, and decoding it again changes nothing bad. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sdw_arena arena;
    sdw_target t;
    char *raw = malloc(size + 1);
    if (!raw) return 0;
    memcpy(raw, data, size);
    raw[size] = '\0';
    sdw_arena_init(&arena, 1 << 17);
    if (!sdw_target_parse(raw, &arena, &t)) {
        if (t.path[0] != '/' || strlen(t.path) > size || t.query_count > SDW_QUERY_MAX) abort();
        for (const char *s = t.path; *s; s++)
            if ((unsigned char)*s < 0x20 || *s == 0x7f) abort();
        for (const char *s = strstr(t.path, "/.."); s; s = strstr(s + 1, "/.."))
            if (s[3] == '/' || s[3] == '\0') abort();
        for (int i = 0; i < t.query_count; i++)
            if (!sdw_target_query(&t, t.query[i].name)) abort();
    }
    sdw_arena_finish(&arena);
    free(raw);
    return 0;
}
