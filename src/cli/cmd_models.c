/* cmd_models.c - sdw models: what lies on this machine. */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/download.h"
#include "cli/events.h"
#include "cli/places.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "json", .group = "output", .help = "print one JSON object" },
    };
    sdw_cli_add(o, rows, 1);
}

static int width_of(const sdw_catalog *c)
{
    enum { LEAST = 24, MOST = 60 };
    size_t n = LEAST;
    for (size_t i = 0; i < c->count; i++)
        if (strlen(c->entries[i].name) > n) n = strlen(c->entries[i].name);
    return n > MOST ? MOST : (int)n;
}

static void print_table(const sdw_catalog *c)
{
    int width = width_of(c);
    if (!c->count) {
        puts("no models on this machine");
        return;
    }
    printf("%-*s  %-13s %-10s %10s  %-12s %s\n", width, "model", "family", "dtype", "size", "state", "place");
    for (size_t i = 0; i < c->count; i++) {
        const sdw_catalog_entry *e = &c->entries[i];
        char size[24];
        sdw_cli_size_text(e->bytes, size);
        printf("%-*s  %-13s %-10s %10s  %-12s %s\n", width, e->name, e->family ? e->family : "-", e->dtypes[0] ? e->dtypes : "-", size,
               sdw_catalog_state_name(e->state), sdw_catalog_place_name(e->place));
        if (e->problem) printf("    %s\n", e->problem);
    }
}

static void put_member(const char *key, const char *text)
{
    printf(",\"%s\":", key);
    if (text && *text) sdw_cli_put_json_text(stdout, text);
    else fputs("null", stdout);
}

static void print_json(const sdw_catalog *c)
{
    fputs("{\"models\":[", stdout);
    for (size_t i = 0; i < c->count; i++) {
        const sdw_catalog_entry *e = &c->entries[i];
        printf("%s{\"name\":", i ? "," : "");
        sdw_cli_put_json_text(stdout, e->name);
        put_member("path", e->path);
        put_member("place", sdw_catalog_place_name(e->place));
        put_member("repository", e->id);
        put_member("commit", e->commit);
        put_member("revision", e->revision);
        put_member("family", e->family);
        put_member("dtype", e->dtypes);
        printf(",\"bytes\":%" PRIu64, e->bytes);
        put_member("state", sdw_catalog_state_name(e->state));
        put_member("problem", e->problem);
        putchar('}');
    }
    puts("]}");
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    sdw_cli_places p;
    sdw_catalog c = { 0 };
    sdw_status s = sdw_cli_places_read(&p, &err);
    p.places.given = o->words;
    p.places.given_count = (size_t)o->word_count;
    if (s == SDW_OK) s = sdw_catalog_read(&p.places, &c, &err);
    if (s == SDW_OK && sdw_cli_on(o, "json")) print_json(&c);
    else if (s == SDW_OK) print_table(&c);
    sdw_catalog_finish(&c);
    sdw_cli_places_finish(&p);
    return s == SDW_OK ? SDW_EXIT_OK : sdw_cli_fail(&err);
}

const sdw_command sdw_command_models = {
    .name = "models", .summary = "what models are on this machine", .words = "[PATH]...", .words_max = SDW_CLI_WORDS_MAX,
    .intro = "Lists the models in the hub's cache, in ~/.cache/rbee/models, the demo model, and those at PATH (a model, or a\n"
             "folder with models one or two levels below): the name that --model takes, family, types of the weights, size,\n"
             "and whether everything is there. Headers are read, no weights.",
    .add_options = add_options, .run = run,
};
