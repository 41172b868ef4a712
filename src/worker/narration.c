/* narration.c - see narration.h. Keys are written in alphabetical order. */
#include "worker/narration.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/mem.h"
#include "worker/blob.h"

/* Bytes of the character at s, 0 if there is no whole one. */
static int character(const unsigned char *s)
{
    int n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0;
    return n;
}

/* A sentence may quote what is no UTF-8, or be cut inside a character: such bytes become '?'. */
static void repair(char *text)
{
    for (char *at = text; *at;) {
        int n = character((const unsigned char *)at);
        if (!n) *at = '?';
        at += n ? n : 1;
    }
}

sdw_blob *sdw_narration(const char *action, const char *target, const char *sentence)
{
    char human[SDW_ERROR_TEXT_MAX], line[SDW_ERROR_TEXT_MAX + 64];
    size_t size;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(&sdw_json_memory);
    if (!doc) return NULL;
    snprintf(human, sizeof human, "%s", sentence);
    repair(human);
    snprintf(line, sizeof line, "[sd-worker] %s: %s", action, human);
    yyjson_mut_val *root = yyjson_mut_obj(doc);
    yyjson_mut_doc_set_root(doc, root);
    yyjson_mut_obj_add_str(doc, root, "action", action);
    yyjson_mut_obj_add_str(doc, root, "actor", "sd-worker");
    yyjson_mut_obj_add_uint(doc, root, "emitted_at_ms", (uint64_t)(sdw_clock_wall_s() * 1e3));
    yyjson_mut_obj_add_str(doc, root, "formatted", line);
    yyjson_mut_obj_add_str(doc, root, "human", human);
    yyjson_mut_obj_add_str(doc, root, "target", target);
    yyjson_mut_obj_add_str(doc, root, "type", "narration");
    char *text = yyjson_mut_write_opts(doc, YYJSON_WRITE_NOFLAG, &sdw_json_memory, &size, NULL);
    yyjson_mut_doc_free(doc);
    return text ? sdw_blob_take(text, size) : NULL;
}
