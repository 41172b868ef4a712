/* cmd_verify.c - sdw verify: are the bytes of a model those that were published? */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/download.h"
#include "cli/events.h"
#include "cli/places.h"
#include "cli/signals.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "json", .group = "output", .help = "one line of JSON per event on standard output" },
        { .name = "quiet", .letter = 'q', .group = "output", .help = "print nothing but what is wrong" },
    };
    sdw_cli_add(o, rows, 2);
}

typedef struct work {
    bool json, quiet;
    sdw_verify_result all;
    size_t incomplete;
} work;

static void on_file(void *ctx, const sdw_verified_file *f)
{
    static const char *const words[] = { "ok", "WRONG", "no hash", "UNREADABLE" };
    static const char *const names[] = { "right", "wrong", "unknown", "unreadable" };
    const work *w = ctx;
    bool bad = f->result == SDW_VERIFIED_WRONG || f->result == SDW_VERIFIED_UNREADABLE;
    if (w->json) {
        fputs("{\"event\":\"file\",\"path\":", stdout);
        sdw_cli_put_json_text(stdout, f->path);
        printf(",\"bytes\":%" PRIu64 ",\"result\":\"%s\",\"wanted\":\"%s\",\"found\":\"%s\"}\n", f->size, names[f->result], f->wanted, f->found);
        return;
    }
    if (w->quiet && !bad) return;
    if (f->result == SDW_VERIFIED_UNKNOWN) printf("%s  %s\n", f->found, f->path); /* to be compared by the reader */
    else if (f->result == SDW_VERIFIED_WRONG) printf("%-10s  %s: hash %s, want %s\n", words[f->result], f->path, f->found, f->wanted);
    else printf("%-10s  %s\n", words[f->result], f->path);
}

static bool stopped(void *ctx)
{
    (void)ctx;
    return sdw_cli_signal() != 0;
}

static void tell_model(const work *w, const sdw_catalog_entry *e)
{
    if (w->json) {
        fputs("{\"event\":\"model\",\"name\":", stdout);
        sdw_cli_put_json_text(stdout, e->name);
        fputs(",\"path\":", stdout);
        sdw_cli_put_json_text(stdout, e->path);
        printf(",\"state\":\"%s\",\"problem\":", sdw_catalog_state_name(e->state));
        if (e->problem) sdw_cli_put_json_text(stdout, e->problem);
        else fputs("null", stdout);
        puts("}");
    } else if (!w->quiet) {
        printf("%s (%s)\n", e->name, e->path);
    }
    if (!w->json && e->state == SDW_CATALOG_INCOMPLETE) printf("%-10s  %s\n", "INCOMPLETE", e->problem);
}

static sdw_status verify_one(work *w, const sdw_catalog_places *places, sdw_catalog_entry *e, sdw_error *err)
{
    sdw_verify_result r = { 0 };
    const sdw_verify_hooks hooks = { .ctx = w, .file = on_file, .cancelled = stopped };
    sdw_status s = sdw_catalog_describe(places, e, err);
    if (s != SDW_OK) return s;
    tell_model(w, e);
    w->incomplete += e->state == SDW_CATALOG_INCOMPLETE;
    s = sdw_catalog_verify(places, e, &hooks, &r, err);
    w->all.right += r.right;
    w->all.wrong += r.wrong;
    w->all.unknown += r.unknown;
    w->all.bytes += r.bytes;
    return s;
}

static void tell_all(const work *w)
{
    char size[24];
    sdw_cli_size_text(w->all.bytes, size);
    if (w->json)
        printf("{\"event\":\"done\",\"right\":%zu,\"wrong\":%zu,\"unknown\":%zu,\"incomplete\":%zu,\"bytes\":%" PRIu64 "}\n", w->all.right, w->all.wrong,
               w->all.unknown, w->incomplete, w->all.bytes);
    else if (!w->quiet)
        printf("%zu right, %zu wrong, %zu without a known hash, %s\n", w->all.right, w->all.wrong, w->all.unknown, size);
}

static sdw_status verify(const sdw_cli_options *o, work *w, sdw_error *err)
{
    sdw_cli_places p = { 0 };
    sdw_catalog c = { 0 };
    if (!o->word_count) return sdw_fail(err, SDW_INVALID, "MODEL: not given, want a model's name or path");
    sdw_status s = sdw_cli_places_read(&p, err);
    if (s == SDW_OK) s = sdw_catalog_find(&p.places, o->words[0], &c, err);
    for (size_t i = 0; s == SDW_OK && i < c.count; i++) s = verify_one(w, &p.places, &c.entries[i], err);
    if (s == SDW_OK) tell_all(w);
    if (s == SDW_OK && w->all.wrong)
        s = sdw_fail(err, SDW_FORMAT, "%s: %zu of %zu files are not what they should be", o->words[0], w->all.wrong, w->all.right + w->all.wrong + w->all.unknown);
    else if (s == SDW_OK && w->incomplete)
        s = sdw_fail(err, SDW_NOT_FOUND, "%s: the model is not complete", o->words[0]);
    sdw_catalog_finish(&c);
    sdw_cli_places_finish(&p);
    return s;
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    work w = { .json = sdw_cli_on(o, "json"), .quiet = sdw_cli_on(o, "quiet") };
    sdw_cli_catch_signals();
    sdw_status s = verify(o, &w, &err);
    if (s == SDW_OK) return SDW_EXIT_OK;
    int code = sdw_cli_fail(&err);
    return s == SDW_CANCELLED && sdw_cli_signal() ? 128 + sdw_cli_signal() : code;
}

const sdw_command sdw_command_verify = {
    .name = "verify", .summary = "read a whole model and check its hashes", .words = "MODEL", .words_max = 1,
    .intro = "Hashes every file of a model on this machine and compares: in the hub's cache with the names of the blobs and the\n"
             "listing of the commit (SHA-256 of large files, git's SHA-1 of small ones). A file from elsewhere has no hash to\n"
             "compare with: its SHA-256 is printed. MODEL is what --model takes; without a revision all snapshots are checked.",
    .add_options = add_options, .run = run,
};
