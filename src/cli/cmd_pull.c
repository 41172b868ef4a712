/* cmd_pull.c - sdw pull: a model from the hub into the cache, or one file from any server. */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/download.h"
#include "cli/events.h"
#include "cli/signals.h"
#include "hub/aliases.h"
#include "hub/pull.h"
#include "hub/url_file.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "variant", .value = "NAME", .group = "choice", .help = "insist on these weight files; at least one part must have them",
          .default_text = "fp16 where there is one" },
        { .name = "file", .value = "PATH", .group = "choice", .help = "fetch this file of the repository instead of a model" },
        { .name = "safety-checker", .group = "choice", .help = "fetch the safety checker too; nothing here uses it" },
        { .name = "sha256", .value = "HEX", .group = "choice", .help = "of a single file: refuse it unless it has this hash" },
        { .name = "output", .letter = 'o', .value = "FILE", .group = "output", .help = "of an address of another server: where to put the file",
          .default_text = "~/.cache/rbee/models/NAME" },
        { .name = "dry-run", .group = "output", .help = "print the files and bytes that would be fetched, fetch nothing" },
        { .name = "json", .group = "output", .help = "one line of JSON per event on standard output" },
        { .name = "quiet", .letter = 'q', .group = "output", .help = "print nothing but errors" },
    };
    sdw_cli_add(o, rows, (int)(sizeof rows / sizeof rows[0]));
}

typedef struct work {
    const sdw_cli_options *options;
    sdw_cli_events events;
    sdw_cli_download download;
    sdw_hub_hooks hooks;
    sdw_hub_settings settings;
} work;

/* ---- what there is to say ---- */

static void put_file(const work *w, const sdw_hub_entry *e, bool present)
{
    char size[24];
    sdw_cli_size_text(e->size, size);
    if (!w->events.json) {
        printf("%10s  %s%s\n", size, e->path, present ? "  (there)" : "");
        return;
    }
    fputs("{\"event\":\"file\",\"path\":", stdout);
    sdw_cli_put_json_text(stdout, e->path);
    printf(",\"bytes\":%" PRIu64 ",\"present\":%s}\n", e->size, present ? "true" : "false");
}

static void put_plan(const work *w, const sdw_hub_plan *p)
{
    char all[24], missing[24];
    if (w->events.quiet) return;
    for (size_t t = 0; t < p->task_count; t++)
        for (size_t i = 0; i < p->tasks[t].count; i++) put_file(w, p->order[p->tasks[t].first + i], p->tasks[t].present);
    sdw_cli_size_text(p->bytes, all);
    sdw_cli_size_text(p->bytes_missing, missing);
    if (w->events.json)
        printf("{\"event\":\"plan\",\"repository\":\"%s\",\"commit\":\"%s\",\"files\":%zu,\"files_missing\":%zu,\"bytes\":%" PRIu64 ",\"bytes_missing\":%" PRIu64 "}\n",
               p->id, p->commit, p->task_count, p->files_missing, p->bytes, p->bytes_missing);
    else if (!p->task_count) printf("%s: complete at %s\n", p->id, p->path);
    else printf("%s at %s: %zu of %zu files, %s of %s to fetch\n", p->id, p->commit, p->files_missing, p->task_count, missing, all);
}

static void put_done(work *w, const char *path, const char *hash)
{
    if (w->events.quiet) return;
    sdw_cli_events_end_bar(&w->events);
    if (!w->events.json) {
        if (hash) printf("%s  %s\n", hash, path);
        else puts(path);
        return;
    }
    fputs("{\"event\":\"done\",\"path\":", stdout);
    sdw_cli_put_json_text(stdout, path);
    if (hash) printf(",\"sha256\":\"%s\"", hash);
    puts("}");
}

/* ---- repositories ---- */

static sdw_status check_single(const work *w, const sdw_hub_plan *p, sdw_error *err)
{
    const char *sha256 = sdw_cli_value(w->options, "sha256");
    if (!sha256 || p->from_cache) return SDW_OK;
    if (p->chosen.count != 1) return sdw_fail(err, SDW_INVALID, "--sha256: given for %zu files, want --file or an address of one file", p->chosen.count);
    if (!strcmp(p->chosen.files[0]->hash, sha256)) return SDW_OK;
    return sdw_fail(err, SDW_FORMAT, "%s: %.200s has the hash %s on the hub, want %.64s", p->id, p->chosen.files[0]->path, p->chosen.files[0]->hash,
                    sha256);
}

static sdw_status pull_wish(work *w, const sdw_hub_wish *wish, sdw_hub_kind *kind, sdw_error *err)
{
    sdw_hub_client *client = NULL;
    sdw_hub_plan plan = { 0 };
    bool dry = sdw_cli_on(w->options, "dry-run");
    sdw_status s = sdw_hub_client_open(&w->settings, &w->hooks, &client, err);
    if (s == SDW_OK) s = sdw_hub_plan_make(client, wish, &plan, kind, err);
    sdw_hub_client_close(client);
    if (s == SDW_OK) s = check_single(w, &plan, err);
    if (s == SDW_OK && dry) put_plan(w, &plan);
    if (s == SDW_OK && !dry) s = sdw_hub_pull_plan(&w->settings, &plan, &w->hooks, err);
    if (s == SDW_OK && !dry) put_done(w, plan.path, NULL);
    sdw_hub_plan_finish(&plan);
    return s;
}

static sdw_hub_wish wish_of(const work *w)
{
    return (sdw_hub_wish){ .variant = sdw_cli_value(w->options, "variant"), .file = sdw_cli_value(w->options, "file"),
                           .safety_checker = sdw_cli_on(w->options, "safety-checker") };
}

/* The repositories of an alias in their order: one that does not exist (any more) gives way to the next. */
static sdw_status pull_alias(work *w, const sdw_hub_alias *alias, sdw_error *err)
{
    sdw_status s = SDW_NOT_FOUND;
    for (const char *const *r = alias->repositories; *r; r++) {
        sdw_hub_kind kind = SDW_HUB_OTHER;
        sdw_hub_wish wish = wish_of(w);
        wish.id = *r;
        s = pull_wish(w, &wish, &kind, err);
        if (s == SDW_OK || (kind != SDW_HUB_NO_REPOSITORY && kind != SDW_HUB_DISABLED)) break;
    }
    return s;
}

static sdw_status pull_name(work *w, const char *text, sdw_error *err)
{
    sdw_hub_name name;
    sdw_hub_wish wish = wish_of(w);
    if (sdw_cli_value(w->options, "output"))
        return sdw_fail(err, SDW_INVALID, "--output: only for addresses of other servers; '%.200s' goes into the cache", text);
    sdw_status s = sdw_hub_name_parse(text, w->settings.endpoint, &name, err);
    if (s != SDW_OK) return s;
    if (wish.file && name.file[0]) return sdw_fail(err, SDW_INVALID, "--file: the address names a file already");
    wish.id = name.id;
    wish.revision = name.revision[0] ? name.revision : NULL;
    if (name.file[0]) wish.file = name.file;
    return pull_wish(w, &wish, NULL, err);
}

/* ---- other servers ---- */

static sdw_status pull_url(work *w, const char *url, sdw_error *err)
{
    static const char *const foreign[] = { "variant", "file", "safety-checker", "dry-run" };
    char path[SDW_HUB_PATH_MAX], hash[SDW_DIGEST_HEX_SIZE];
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (sdw_cli_value(w->options, foreign[i])) return sdw_fail(err, SDW_INVALID, "--%s: not for the address of a single file", foreign[i]);
    const sdw_hub_url_wish wish = { .url = url, .output = sdw_cli_value(w->options, "output"), .sha256 = sdw_cli_value(w->options, "sha256") };
    sdw_status s = sdw_hub_pull_url(&w->settings, &wish, &w->hooks, path, hash, err);
    if (s == SDW_OK) put_done(w, path, hash);
    return s;
}

static sdw_status pull(work *w, sdw_error *err)
{
    const sdw_cli_options *o = w->options;
    if (o->word_count != 1) return sdw_fail(err, SDW_INVALID, "want one MODEL, such as sdxl-turbo or stabilityai/sdxl-turbo");
    const char *text = o->words[0];
    sdw_status s = sdw_hub_settings_read(&w->settings, NULL, NULL, err);
    if (s != SDW_OK) return s;
    if (w->settings.no_bars) w->events.bar = false;
    const sdw_hub_alias *alias = sdw_hub_alias_find(text);
    if (alias) return pull_alias(w, alias, err);
    if (strstr(text, "://") && !sdw_hub_is_hub_address(text, w->settings.endpoint)) return pull_url(w, text, err);
    return pull_name(w, text, err);
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    work w = { .options = o };
    sdw_cli_catch_signals();
    sdw_cli_events_init(&w.events, sdw_cli_on(o, "json"), sdw_cli_on(o, "quiet"), false);
    w.hooks = sdw_cli_download_hooks(&w.download, &w.events);
    sdw_status s = pull(&w, &err);
    int code = SDW_EXIT_OK;
    if (s != SDW_OK) {
        sdw_cli_events_failed(&w.events, &err);
        code = sdw_cli_fail(&err);
        if (s == SDW_CANCELLED && sdw_cli_signal()) code = 128 + sdw_cli_signal();
    }
    sdw_hub_settings_finish(&w.settings);
    return code;
}

const sdw_command sdw_command_pull = {
    .name = "pull", .summary = "fetch a model from the hub, or one file", .words = "MODEL", .words_max = 1,
    .intro = "MODEL is a short name (v1-5, v2-1, xl, turbo, ...), a repository ORG/NAME[@REVISION], or the address of a file.\n"
             "Fetches what a picture needs and no more, into the Hugging Face cache that the Python programs use too; asks\n"
             "the hub for news even if all is there. A download that was stopped goes on where it ended. Prints the path.",
    .add_options = add_options, .run = run,
};
