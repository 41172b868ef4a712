/* cmd_rm.c - sdw rm: a model makes room. */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/download.h"
#include "cli/events.h"
#include "cli/places.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "dry-run", .group = "output", .help = "only tell what would be removed" },
        { .name = "json", .group = "output", .help = "print one JSON object" },
        { .name = "quiet", .letter = 'q', .group = "output", .help = "print nothing but errors" },
    };
    sdw_cli_add(o, rows, 3);
}

static void tell(const sdw_cli_options *o, const sdw_catalog *c, const sdw_removed *r)
{
    char size[24];
    bool dry = sdw_cli_on(o, "dry-run");
    sdw_cli_size_text(r->bytes, size);
    if (sdw_cli_on(o, "json")) {
        fputs("{\"model\":", stdout);
        sdw_cli_put_json_text(stdout, o->words[0]);
        printf(",\"removed\":%s,\"models\":%zu,\"files\":%zu,\"kept_blobs\":%zu,\"bytes\":%" PRIu64 "}\n", dry ? "false" : "true", c->count, r->files,
               r->kept_blobs, r->bytes);
        return;
    }
    if (sdw_cli_on(o, "quiet")) return;
    for (size_t i = 0; i < c->count; i++) puts(c->entries[i].path);
    if (r->kept_blobs) printf("%zu files stay, another snapshot needs them\n", r->kept_blobs);
    printf("%zu files, %s %s\n", r->files, size, dry ? "would be freed" : "freed");
}

static sdw_status remove_model(const sdw_cli_options *o, sdw_error *err)
{
    sdw_cli_places p = { 0 };
    sdw_catalog c = { 0 };
    sdw_removed removed;
    if (!o->word_count) return sdw_fail(err, SDW_INVALID, "MODEL: not given, want a model's name or path");
    sdw_status s = sdw_cli_places_read(&p, err);
    if (s == SDW_OK) s = sdw_catalog_find(&p.places, o->words[0], &c, err);
    if (s == SDW_OK) s = sdw_catalog_remove(&p.places, &c, sdw_cli_on(o, "dry-run"), &removed, err);
    if (s == SDW_OK) tell(o, &c, &removed);
    sdw_catalog_finish(&c);
    sdw_cli_places_finish(&p);
    return s;
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    return remove_model(o, &err) == SDW_OK ? SDW_EXIT_OK : sdw_cli_fail(&err);
}

const sdw_command sdw_command_rm = {
    .name = "rm", .summary = "remove a model from this machine", .words = "MODEL", .words_max = 1,
    .intro = "Removes a model from the hub's cache or from ~/.cache/rbee/models and tells the bytes freed; nowhere else. In the\n"
             "cache ORG/NAME removes all snapshots, ORG/NAME@REVISION one: what other snapshots share with it stays. Refused\n"
             "while another process is fetching files of it.",
    .add_options = add_options, .run = run,
};
