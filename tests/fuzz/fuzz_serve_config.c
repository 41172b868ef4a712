/* fuzz_serve_config.c - the --config file of sdw serve: read, or refused with its line. */
#include <stdlib.h>
#include <string.h>

#include "cli/serve_options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 16) return 0;
    char *text = malloc(size + 1);
    sdw_cli_options *o = calloc(1, sizeof *o);
    sdw_arena names = { 0 };
    sdw_error err = { 0 };
    if (!text || !o) abort();
    memcpy(text, data, size);
    text[size] = '\0';
    o->command = "serve";
    sdw_serve_options(o);
    sdw_status s = sdw_serve_parse_config(o, text, "fuzz", &names, &err);
    if (s != SDW_OK && strncmp(err.text, "fuzz:", 5) != 0) abort();
    for (int i = 0; s == SDW_OK && i < o->count; i++) {
        const char *v = o->given[i];
        if (v && !o->option[i].value && strcmp(v, "on") != 0 && strcmp(v, "off") != 0) abort();
        if (v && !o->origin[i]) abort();
    }
    sdw_arena_finish(&names);
    free(o);
    free(text);
    return 0;
}
