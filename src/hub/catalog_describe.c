/* catalog_describe.c - what a model is and whether it is whole, from its configurations and the headers of its weights. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "hub/catalog_impl.h"
#include "model/model_files.h"

sdw_status sdw_catalog_set_problem(sdw_catalog_entry *e, sdw_catalog_state state, const char *why, sdw_error *err)
{
    char *copy = sdw_strdup(why);
    if (!copy) return sdw_fail_memory(err, "catalogue", strlen(why) + 1);
    sdw_free(e->problem);
    e->problem = copy;
    e->state = state;
    return SDW_OK;
}

/* A blob that two paths lead to counts once. */
static sdw_status count_bytes(sdw_catalog_entry *e, sdw_error *err)
{
    struct stat st;
    sdw_hub_listing l = { 0 };
    if (stat(e->path, &st) == 0 && !S_ISDIR(st.st_mode)) {
        e->bytes = (uint64_t)st.st_size;
        return SDW_OK;
    }
    sdw_status s = sdw_hub_cache_files(e->path, &l, err);
    for (size_t i = 0; s == SDW_OK && i < l.count; i++) {
        bool again = false;
        for (size_t k = 0; k < i && !again; k++) again = l.entries[i].hash[0] && !strcmp(l.entries[i].hash, l.entries[k].hash);
        if (!again) e->bytes += l.entries[i].size;
    }
    sdw_hub_listing_finish(&l);
    return s;
}

static void list_dtypes(sdw_catalog_entry *e, const sdw_model_files *m)
{
    bool seen[SDW_DTYPE_COUNT] = { false };
    size_t n = 0;
    for (int p = 0; p < SDW_PART_COUNT; p++) {
        const sdw_checkpoint *c = m->part[p].weights;
        for (size_t i = 0; c && i < sdw_checkpoint_count(c); i++) seen[sdw_checkpoint_at(c, i)->dtype] = true;
    }
    for (int t = 0; t < SDW_DTYPE_COUNT && n < sizeof e->dtypes; t++)
        if (seen[t] && sdw_dtype_is_weight((sdw_dtype)t))
            n += (size_t)snprintf(e->dtypes + n, sizeof e->dtypes - n, "%s%s", n ? " " : "", sdw_dtype_name((sdw_dtype)t));
}

/* Even where weights are missing the configurations say which family it is. */
static void find_family(sdw_catalog_entry *e)
{
    sdw_model_files *m = NULL;
    const sdw_model_files_options o = { .configs_only = true };
    if (sdw_model_files_open(e->path, &o, &m, NULL, NULL) == SDW_OK) e->family = m->family->name;
    sdw_model_files_close(m);
}

static sdw_status judge(const sdw_catalog_places *places, sdw_catalog_entry *e, sdw_error *why)
{
    sdw_model_files *m = NULL;
    sdw_status s = SDW_OK;
    if (e->commit[0] && !sdw_catalog_ends_with(e->path, ".safetensors")) /* not a single file of a snapshot */
        s = sdw_hub_cache_complete(places->cache, e->id, e->commit, NULL, why);
    if (s == SDW_OK) s = sdw_model_files_open(e->path, NULL, &m, NULL, why);
    if (s == SDW_OK) {
        e->family = m->family->name;
        list_dtypes(e, m);
    }
    sdw_model_files_close(m);
    return s;
}

sdw_status sdw_catalog_describe(const sdw_catalog_places *places, sdw_catalog_entry *e, sdw_error *err)
{
    sdw_error why = { 0 };
    sdw_status s = count_bytes(e, err);
    if (s != SDW_OK) return s;
    s = judge(places, e, &why);
    if (s == SDW_OK) return SDW_OK;
    if (s == SDW_NO_MEMORY) {
        if (err) *err = why;
        return s;
    }
    if (s != SDW_UNSUPPORTED) find_family(e);
    return sdw_catalog_set_problem(e, s == SDW_UNSUPPORTED ? SDW_CATALOG_UNSUPPORTED : SDW_CATALOG_INCOMPLETE, why.text, err);
}
