/* cache_complete.c - is a snapshot a whole model? By its own files; and where the listing of the commit is known
 * (trees/), by that too: sizes, and small files that a folder alone does not show to be missing. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "hub/cache.h"
#include "hub/select.h"

typedef struct snapshot {
    char path[SDW_HUB_PATH_MAX];
    sdw_hub_listing present, known; /* known: empty if there is no listing of the commit */
    yyjson_doc *index;
    sdw_hub_select_options options;
} snapshot;

static sdw_status missing(sdw_error *err, const snapshot *s, const char *what)
{
    return sdw_fail(err, SDW_NOT_FOUND, "%s: %.200s is missing", s->path, what);
}

static bool is_weights(const char *path)
{
    size_t n = strlen(path);
    return (n > 12 && !strcmp(path + n - 12, ".safetensors")) || sdw_hub_is_shard_index(path);
}

/* Another variant than the one that the listing would give may lie here: weights are judged by what lies here alone. */
static sdw_status check_small_files(const snapshot *s, sdw_error *err)
{
    sdw_hub_selection all = { 0 };
    sdw_status status = sdw_hub_select(&s->known, yyjson_doc_get_root(s->index), &s->options, &all, NULL, err);
    for (size_t i = 0; status == SDW_OK && i < all.count; i++)
        if (!is_weights(all.files[i]->path) && !sdw_hub_listing_find(&s->present, all.files[i]->path))
            status = missing(err, s, all.files[i]->path);
    sdw_hub_selection_finish(&all);
    return status;
}

static sdw_status check_sizes(const snapshot *s, const sdw_hub_selection *chosen, sdw_error *err)
{
    for (size_t i = 0; i < chosen->count; i++) {
        const sdw_hub_entry *e = sdw_hub_listing_find(&s->known, chosen->files[i]->path);
        if (e && e->size != chosen->files[i]->size)
            return sdw_fail(err, SDW_NOT_FOUND, "%s/%.200s has %llu bytes, want %llu", s->path, e->path,
                            (unsigned long long)chosen->files[i]->size, (unsigned long long)e->size);
    }
    return SDW_OK;
}

static sdw_status check_indexes(const snapshot *s, const sdw_hub_selection *chosen, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    const sdw_json_limits limits = { .top = SDW_JSON_OBJECT };
    sdw_status status = SDW_OK;
    for (size_t i = 0; status == SDW_OK && i < chosen->count; i++) {
        yyjson_doc *doc = NULL;
        if (!sdw_hub_is_shard_index(chosen->files[i]->path)) continue;
        status = sdw_hub_path(path, err, "%s/%s", s->path, chosen->files[i]->path);
        if (status == SDW_OK) status = sdw_json_read_file(path, &limits, &doc, err);
        if (status == SDW_OK) status = sdw_hub_check_shards(chosen, chosen->files[i]->path, yyjson_doc_get_root(doc), err);
        yyjson_doc_free(doc);
    }
    return status;
}

static sdw_status judge(snapshot *s, sdw_error *err)
{
    sdw_hub_selection chosen = { 0 };
    sdw_status status = sdw_hub_select(&s->present, yyjson_doc_get_root(s->index), &s->options, &chosen, NULL, err);
    /* Whatever is wrong with the files that lie here, others may be on the hub; what the listing says is final. */
    if (status != SDW_OK && status != SDW_NO_MEMORY) {
        status = SDW_NOT_FOUND;
        if (err) err->status = status;
        sdw_error final = { 0 };
        if (s->known.count && check_small_files(s, &final) != SDW_OK && final.status != SDW_NOT_FOUND) {
            status = final.status;
            if (err) *err = final;
        }
    }
    if (status == SDW_OK && s->known.count) status = check_small_files(s, err);
    if (status == SDW_OK) status = check_sizes(s, &chosen, err);
    if (status == SDW_OK) status = check_indexes(s, &chosen, err);
    sdw_hub_selection_finish(&chosen);
    return status;
}

static sdw_status read_snapshot(snapshot *s, const char *root, const char *id, const char *commit, sdw_error *err)
{
    char path[SDW_HUB_PATH_MAX];
    struct stat st;
    const sdw_json_limits limits = { .top = SDW_JSON_OBJECT };
    sdw_status status = sdw_hub_place_of(root, id, SDW_HUB_SNAPSHOT, commit, s->path, err);
    if (status != SDW_OK) return status;
    if (stat(s->path, &st) != 0 || !S_ISDIR(st.st_mode)) return sdw_fail(err, SDW_NOT_FOUND, "%s: no such snapshot", s->path);
    status = sdw_hub_cache_files(s->path, &s->present, err);
    if (status != SDW_OK) return status;
    status = sdw_hub_place_of(root, id, SDW_HUB_TREE, commit, path, err);
    if (status == SDW_OK && sdw_hub_listing_read_file(&s->known, path, NULL) != SDW_OK)
        sdw_hub_listing_finish(&s->known); /* none, or not readable: do without */
    if (status == SDW_OK && sdw_hub_listing_find(&s->present, "model_index.json")) {
        status = sdw_hub_path(path, err, "%s/model_index.json", s->path);
        if (status == SDW_OK) status = sdw_json_read_file(path, &limits, &s->index, err);
    }
    return status;
}

/* A repository without a pipeline: its one file. Where the listing is not known, the snapshot of a pipeline of which
 * somebody fetched a part must not be taken for such a one: then the file must lie at the top. */
static sdw_status judge_single(const snapshot *s, char ret_file[SDW_HUB_FILE_SIZE], sdw_error *err)
{
    sdw_hub_selection one = { 0 };
    const sdw_hub_listing *l = s->known.count ? &s->known : &s->present;
    if (sdw_hub_listing_find(l, "model_index.json") || s->options.variant) return missing(err, s, "model_index.json");
    sdw_status status = sdw_hub_select(l, NULL, &s->options, &one, NULL, err);
    if (status == SDW_INVALID && !s->known.count) status = missing(err, s, "model_index.json");
    if (status != SDW_OK) return status;
    const sdw_hub_entry *e = one.files[0], *here = sdw_hub_listing_find(&s->present, e->path);
    if (!here || here->size != e->size) status = missing(err, s, e->path);
    else if (!s->known.count && strchr(e->path, '/')) status = missing(err, s, "model_index.json");
    else snprintf(ret_file, SDW_HUB_FILE_SIZE, "%s", e->path);
    sdw_hub_selection_finish(&one);
    return status;
}

/* ret_file: "" for a pipeline. */
static sdw_status complete(const char *root, const char *id, const char *commit, const char *variant,
                           char ret_file[SDW_HUB_FILE_SIZE], sdw_error *err)
{
    snapshot s = { .options = { .variant = variant } };
    ret_file[0] = '\0';
    sdw_status status = read_snapshot(&s, root, id, commit, err);
    if (status == SDW_OK) status = s.index ? judge(&s, err) : judge_single(&s, ret_file, err);
    yyjson_doc_free(s.index);
    sdw_hub_listing_finish(&s.present);
    sdw_hub_listing_finish(&s.known);
    return status;
}

sdw_status sdw_hub_cache_complete(const char *root, const char *id, const char *commit, const char *variant, sdw_error *err)
{
    char file[SDW_HUB_FILE_SIZE];
    return complete(root, id, commit, variant, file, err);
}

sdw_status sdw_hub_cache_find(const char *root, const char *id, const char *revision, const char *variant,
                              char ret_path[SDW_HUB_PATH_MAX], sdw_error *err)
{
    char commit[SDW_HUB_COMMIT_SIZE], file[SDW_HUB_FILE_SIZE], name[SDW_HUB_COMMIT_SIZE + SDW_HUB_FILE_SIZE];
    sdw_status s = sdw_hub_cache_commit(root, id, revision, commit, err);
    if (s == SDW_OK) s = complete(root, id, commit, variant, file, err);
    if (s != SDW_OK) return s;
    snprintf(name, sizeof name, "%s%s%s", commit, file[0] ? "/" : "", file);
    return sdw_hub_place_of(root, id, SDW_HUB_SNAPSHOT, name, ret_path, err);
}
