/* plan.c - see plan.h. */
#include "hub/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "hub/cache_write.h"

typedef struct planner {
    sdw_hub_client *client;
    const sdw_hub_settings *settings;
    const sdw_hub_wish *wish;
    sdw_hub_plan *plan;
    sdw_hub_kind *kind;
    yyjson_doc *index;       /* model_index.json; NULL if the repository has none */
} planner;

void sdw_hub_plan_finish(sdw_hub_plan *p)
{
    sdw_hub_listing_finish(&p->listing);
    sdw_hub_selection_finish(&p->chosen);
    sdw_free(p->order);
    sdw_free(p->tasks);
    *p = (sdw_hub_plan){ 0 };
}

static void warn(const planner *p, const char *sentence)
{
    const sdw_hub_hooks *h = sdw_hub_client_hooks(p->client);
    if (h && h->warn) h->warn(h->ctx, sentence);
}

static sdw_hub_ask asking(const planner *p, int retries)
{
    return (sdw_hub_ask){ .client = p->client, .retries = retries, .ret_kind = p->kind };
}

/* ---- what the cache has ---- */

static sdw_status path_in_snapshot(const planner *p, const char *file, char ret[SDW_HUB_PATH_MAX], sdw_error *err)
{
    char name[SDW_HUB_COMMIT_SIZE + SDW_HUB_FILE_SIZE];
    snprintf(name, sizeof name, "%s%s%s", p->plan->commit, file[0] ? "/" : "", file);
    return sdw_hub_place_of(p->settings->cache, p->plan->id, SDW_HUB_SNAPSHOT, name, ret, err);
}

static bool in_snapshot(const planner *p, const sdw_hub_entry *e)
{
    char path[SDW_HUB_PATH_MAX];
    struct stat st;
    return path_in_snapshot(p, e->path, path, NULL) == SDW_OK && stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           (uint64_t)st.st_size == e->size;
}

/* Sets path and commit if the cache has what is wished for. */
static sdw_status find_in_cache(planner *p, const char *revision, sdw_error *err)
{
    sdw_hub_plan *plan = p->plan;
    const char *file = p->wish->file;
    struct stat st;
    sdw_status s = sdw_hub_cache_commit(p->settings->cache, plan->id, revision, plan->commit, err);
    if (s != SDW_OK) return s;
    if (!file) return sdw_hub_cache_find(p->settings->cache, plan->id, plan->commit, p->wish->variant, plan->path, err);
    s = path_in_snapshot(p, file, plan->path, err);
    if (s == SDW_OK && (stat(plan->path, &st) != 0 || !S_ISREG(st.st_mode))) s = sdw_fail(err, SDW_NOT_FOUND, "%s: is missing", plan->path);
    return s;
}

static sdw_status plan_offline(planner *p, sdw_error *err)
{
    sdw_error why = { 0 };
    sdw_status s = find_in_cache(p, p->plan->revision, &why);
    p->plan->from_cache = s == SDW_OK;
    if (s == SDW_OK) return s;
    return sdw_fail(err, s, "%s@%s is not complete in the cache, and HF_HUB_OFFLINE forbids asking the hub: %.300s", p->plan->id,
                    p->plan->revision, why.text);
}

/* The hub was not reached, or refuses our token, as opposed to: it says that there is no such thing. */
static bool not_final(sdw_hub_kind kind)
{
    return kind == SDW_HUB_NO_NETWORK || kind == SDW_HUB_SERVER_FAULT || kind == SDW_HUB_RATE_LIMITED || kind == SDW_HUB_BAD_TOKEN ||
           kind == SDW_HUB_FORBIDDEN;
}

/* The commit of the wished revision. May settle the plan from the cache. */
static sdw_status find_commit(planner *p, sdw_error *err)
{
    sdw_hub_plan *plan = p->plan;
    sdw_error why = { 0 };
    char sentence[SDW_ERROR_TEXT_MAX];
    bool cached = find_in_cache(p, plan->revision, NULL) == SDW_OK;
    if (sdw_hub_is_commit(plan->revision)) {
        plan->from_cache = cached && !p->wish->safety_checker;
        memcpy(plan->commit, plan->revision, sizeof plan->commit);
        return SDW_OK;
    }
    const sdw_hub_ask a = asking(p, cached ? 0 : 5);
    sdw_status s = sdw_hub_ask_commit(&a, plan->id, plan->revision, plan->commit, &why);
    if (s == SDW_OK || s == SDW_CANCELLED || !cached || !not_final(*p->kind)) {
        if (s != SDW_OK && err) *err = why;
        return s;
    }
    s = find_in_cache(p, plan->revision, err);
    plan->from_cache = s == SDW_OK;
    snprintf(sentence, sizeof sentence, "%s: the snapshot in the cache is used, because: %.350s", plan->id, why.text);
    warn(p, sentence);
    return s;
}

/* ---- listing and choice ---- */

static sdw_status get_listing(planner *p, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    sdw_status s = sdw_hub_place_of(p->settings->cache, p->plan->id, SDW_HUB_TREE, p->plan->commit, path, err);
    if (s != SDW_OK) return s;
    if (sdw_hub_listing_read_file(&p->plan->listing, path, NULL) == SDW_OK && p->plan->listing.count) return SDW_OK;
    sdw_hub_listing_finish(&p->plan->listing);
    const sdw_hub_ask a = asking(p, 5);
    return sdw_hub_ask_tree(&a, p->plan->id, p->plan->commit, &p->plan->listing, err);
}

/* A small JSON file of the commit, from the snapshot or from the hub. */
static sdw_status get_json(planner *p, const sdw_hub_entry *e, yyjson_doc **ret, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX], *text = NULL;
    size_t size = 0;
    const sdw_json_limits limits = { .top = SDW_JSON_OBJECT };
    sdw_status s = path_in_snapshot(p, e->path, path, err);
    if (s == SDW_OK && in_snapshot(p, e)) return sdw_json_read_file(path, &limits, ret, err);
    const sdw_hub_ask a = asking(p, 5);
    if (s == SDW_OK) s = sdw_hub_ask_text(&a, p->plan->id, p->plan->commit, e, &text, &size, err);
    if (s == SDW_OK) s = sdw_json_parse(text, size, e->path, &limits, ret, err);
    sdw_free(text);
    return s;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && !strcmp(text + n - k, end);
}

/* .no_exist/ remembers what the hub said of this commit, which cannot change. */
static bool known_absent(const planner *p, const char *file)
{
    char name[SDW_HUB_COMMIT_SIZE + SDW_HUB_FILE_SIZE], path[SDW_HUB_PATH_MAX];
    struct stat st;
    snprintf(name, sizeof name, "%s/%s", p->plan->commit, file);
    return sdw_hub_place_of(p->settings->cache, p->plan->id, SDW_HUB_NO_EXIST, name, path, NULL) == SDW_OK && stat(path, &st) == 0;
}

/* A file by its name. The hub itself says that it does not exist, so that the cache may remember. */
static sdw_status choose_file(planner *p, const char *file, sdw_error *err)
{
    sdw_hub_plan *plan = p->plan;
    sdw_hub_metadata m;
    if (!ends_with(file, ".safetensors") && !ends_with(file, ".json") && !ends_with(file, ".txt") && !ends_with(file, ".model"))
        return sdw_fail(err, SDW_UNSUPPORTED, "%s: %.200s: want a .safetensors, .json, .txt or .model file; pickles and code are not fetched",
                        plan->id, file);
    const sdw_hub_entry *e = sdw_hub_listing_find(&plan->listing, file);
    if (!e) {
        if (known_absent(p, file)) return sdw_fail(err, SDW_NOT_FOUND, "%s: no file '%.200s' at commit %s", plan->id, file, plan->commit);
        const sdw_hub_ask a = asking(p, 5);
        sdw_status s = sdw_hub_ask_metadata(&a, plan->id, plan->commit, file, &m, err);
        if (*p->kind == SDW_HUB_NO_ENTRY) sdw_hub_cache_mark_absent(p->settings->cache, plan->id, plan->commit, file, NULL);
        return s != SDW_OK ? s : sdw_fail(err, SDW_FORMAT, "%s: %.200s can be fetched but is not listed at %s", plan->id, file, plan->commit);
    }
    plan->chosen.files = sdw_calloc(1, sizeof *plan->chosen.files);
    if (!plan->chosen.files) return sdw_fail_memory(err, "plan", sizeof *plan->chosen.files);
    plan->chosen.files[0] = e;
    plan->chosen.count = plan->chosen.capacity = 1;
    plan->chosen.bytes = e->size;
    return SDW_OK;
}

static sdw_status check_shards(planner *p, sdw_error *err)
{
    const sdw_hub_selection *chosen = &p->plan->chosen;
    sdw_status s = SDW_OK;
    for (size_t i = 0; s == SDW_OK && i < chosen->count; i++) {
        yyjson_doc *doc = NULL;
        if (!sdw_hub_is_shard_index(chosen->files[i]->path)) continue;
        s = get_json(p, chosen->files[i], &doc, err);
        if (s == SDW_OK) s = sdw_hub_check_shards(chosen, chosen->files[i]->path, yyjson_doc_get_root(doc), err);
        yyjson_doc_free(doc);
    }
    return s;
}

/* The lowest layer named the thing; which repository it stands in is known only here. */
static sdw_status name_repository(const planner *p, sdw_status s, const sdw_error *why, sdw_error *err)
{
    if (s == SDW_OK) return s;
    sdw_status told = why->field[0] ? sdw_fail_field(err, s, why->field, "%s: %.380s", p->plan->id, why->text)
                                    : sdw_fail(err, s, "%s: %.380s", p->plan->id, why->text);
    return told;
}

static sdw_status choose_model(planner *p, sdw_error *err)
{
    const sdw_hub_select_options o = { .variant = p->wish->variant, .safety_checker = p->wish->safety_checker };
    sdw_hub_plan *plan = p->plan;
    sdw_warnings warnings = { 0 };
    sdw_error why = { 0 };
    const sdw_hub_entry *index = sdw_hub_listing_find(&plan->listing, "model_index.json");
    sdw_status s = index ? get_json(p, index, &p->index, err) : SDW_OK;
    if (s != SDW_OK) return s;
    s = sdw_hub_select(&plan->listing, yyjson_doc_get_root(p->index), &o, &plan->chosen, &warnings, &why);
    for (size_t i = 0; i < warnings.count; i++) warn(p, warnings.text[i]);
    sdw_warnings_finish(&warnings);
    if (s == SDW_OK) s = check_shards(p, &why);
    return s == SDW_CANCELLED ? sdw_fail(err, s, "%s", why.text) : name_repository(p, s, &why, err);
}

/* ---- tasks ---- */

static int compare_contents(const void *a, const void *b)
{
    const sdw_hub_entry *x = *(const sdw_hub_entry *const *)a, *y = *(const sdw_hub_entry *const *)b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    int hashes = strcmp(x->hash, y->hash);
    return hashes ? hashes : strcmp(x->path, y->path);
}

static bool same_content(const sdw_hub_entry *a, const sdw_hub_entry *b)
{
    return a->hash[0] && !strcmp(a->hash, b->hash) && a->size == b->size;
}

static void add_task(planner *p, size_t first, size_t count)
{
    sdw_hub_plan *plan = p->plan;
    sdw_hub_task t = { .first = first, .count = count, .size = plan->order[first]->size, .present = true };
    for (size_t i = 0; i < count; i++) t.present = t.present && in_snapshot(p, plan->order[first + i]);
    plan->bytes += t.size;
    if (!t.present) {
        plan->bytes_missing += t.size;
        plan->files_missing++;
    }
    plan->tasks[plan->task_count++] = t;
}

static sdw_status make_tasks(planner *p, sdw_error *err)
{
    sdw_hub_plan *plan = p->plan;
    size_t n = plan->chosen.count;
    plan->order = sdw_calloc(n, sizeof *plan->order);
    plan->tasks = sdw_calloc(n, sizeof *plan->tasks);
    if (!plan->order || !plan->tasks) return sdw_fail_memory(err, "plan", n * sizeof *plan->tasks);
    memcpy(plan->order, plan->chosen.files, n * sizeof *plan->order);
    qsort(plan->order, n, sizeof *plan->order, compare_contents);
    for (size_t first = 0, next; first < n; first = next) {
        for (next = first + 1; next < n && same_content(plan->order[first], plan->order[next]); next++) continue;
        add_task(p, first, next - first);
    }
    return SDW_OK;
}

/* The wish is fulfilled by what lies there, if only with another variant than we would choose. */
static bool already_complete(planner *p)
{
    return !p->wish->file && !p->wish->variant && !p->wish->safety_checker &&
           sdw_hub_cache_find(p->settings->cache, p->plan->id, p->plan->commit, NULL, p->plan->path, NULL) == SDW_OK;
}

static sdw_status plan_online(planner *p, sdw_error *err)
{
    sdw_hub_plan *plan = p->plan;
    sdw_status s = find_commit(p, err);
    if (s != SDW_OK || plan->from_cache) return s;
    s = get_listing(p, err);
    if (s != SDW_OK || already_complete(p)) return s;
    s = p->wish->file ? choose_file(p, p->wish->file, err) : choose_model(p, err);
    if (s == SDW_OK) s = make_tasks(p, err);
    if (s != SDW_OK) return s;
    bool one = p->wish->file || !p->index;
    return path_in_snapshot(p, one ? plan->chosen.files[0]->path : "", plan->path, err);
}

sdw_status sdw_hub_plan_make(sdw_hub_client *c, const sdw_hub_wish *w, sdw_hub_plan *ret, sdw_hub_kind *ret_kind, sdw_error *err)
{
    sdw_hub_plan plan = { 0 };
    sdw_hub_kind kind = SDW_HUB_OTHER;
    planner p = { .client = c, .settings = sdw_hub_client_settings(c), .wish = w, .plan = &plan, .kind = &kind };
    const char *revision = w->revision && w->revision[0] ? w->revision : "main";
    sdw_status s = sdw_hub_check_id(w->id, err);
    if (s == SDW_OK) s = sdw_hub_check_revision(revision, err);
    if (s == SDW_OK && w->file) s = sdw_hub_check_file(w->file, strlen(w->file), err);
    if (s == SDW_OK) {
        snprintf(plan.id, sizeof plan.id, "%s", w->id);
        snprintf(plan.revision, sizeof plan.revision, "%s", revision);
        s = p.settings->offline ? plan_offline(&p, err) : plan_online(&p, err);
    }
    yyjson_doc_free(p.index);
    if (ret_kind) *ret_kind = s == SDW_OK ? SDW_HUB_FINE : kind;
    if (s == SDW_OK) *ret = plan;
    else sdw_hub_plan_finish(&plan);
    return s;
}
