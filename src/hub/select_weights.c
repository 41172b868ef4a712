/* select_weights.c - the weights of one component. One way of naming is three pieces:
 *     single   STEM BEFORE AFTER                  model.fp16.safetensors
 *     shard    STEM BEFORE -00001-of-00002 AFTER  model.fp16-00001-of-00002.safetensors
 *     index    STEM INDEX                         model.safetensors.index.fp16.json */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/select_impl.h"

#define PIECE_MAX (SDW_HUB_VARIANT_MAX + 32)
#define SHARDS_MAX 99999

typedef struct naming {
    char before[PIECE_MAX], after[PIECE_MAX], index[PIECE_MAX];
} naming;

static void current_naming(naming *n, const char *variant)
{
    snprintf(n->before, PIECE_MAX, ".%s", variant);
    snprintf(n->after, PIECE_MAX, ".safetensors");
    snprintf(n->index, PIECE_MAX, ".safetensors.index.%s.json", variant);
}

static void legacy_naming(naming *n, const char *variant)
{
    n->before[0] = '\0';
    snprintf(n->after, PIECE_MAX, ".%s.safetensors", variant);
    snprintf(n->index, PIECE_MAX, ".safetensors.%s.index.json", variant);
}

static void plain_naming(naming *n)
{
    n->before[0] = '\0';
    snprintf(n->after, PIECE_MAX, ".safetensors");
    snprintf(n->index, PIECE_MAX, ".safetensors.index.json");
}

sdw_status sdw_hub_check_variant(const char *variant, sdw_error *err)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t n = strlen(variant);
    if (n > 0 && n <= SDW_HUB_VARIANT_MAX && strspn(variant, good) == n) return SDW_OK;
    return sdw_fail_field(err, SDW_INVALID, "variant", "variant \"%.40s\": want 1..%d letters, digits, '_' or '-', such as fp16",
                          variant, SDW_HUB_VARIANT_MAX);
}

/* How many shards does this name say there are? 0 if it is no shard of that naming. */
static unsigned shards_of(const char *name, const char *stem, const naming *n)
{
    char want[256];
    unsigned long k, of;
    char *end;
    size_t head = strlen(stem) + strlen(n->before);
    if (strlen(name) < head + 15 || name[head] != '-' || strncmp(name + head + 6, "-of-", 4) != 0) return 0;
    k = strtoul(name + head + 1, &end, 10);
    if (end != name + head + 6) return 0;
    of = strtoul(name + head + 10, &end, 10);
    if (end != name + head + 15 || k == 0 || k > of || of > SHARDS_MAX) return 0;
    snprintf(want, sizeof want, "%s%s-%05lu-of-%05lu%s", stem, n->before, k, of, n->after);
    return strcmp(name, want) ? 0 : (unsigned)of;
}

static sdw_status add_shards(const sdw_hub_listing *l, const char *folder, const char *stem, const naming *n, unsigned of,
                             const sdw_hub_entry *index, sdw_hub_selection *to, sdw_error *err)
{
    char name[256];
    sdw_status s = sdw_hub_selection_add(to, index, err);
    for (unsigned k = 1; s == SDW_OK && k <= of; k++) {
        snprintf(name, sizeof name, "%s%s-%05u-of-%05u%s", stem, n->before, k, of, n->after);
        const sdw_hub_entry *e = sdw_hub_listed(l, folder, name);
        s = e ? sdw_hub_selection_add(to, e, err) : sdw_fail(err, SDW_NOT_FOUND, "%s/%s is missing", folder, name);
    }
    return s;
}

/* Adds what there is under one naming; *ret_found says whether there was anything. */
static sdw_status try_naming(const sdw_hub_listing *l, const char *folder, const char *stem, const naming *n,
                             sdw_hub_selection *to, bool *ret_found, sdw_error *err)
{
    char name[256];
    unsigned of = 0;
    snprintf(name, sizeof name, "%s%s%s", stem, n->before, n->after);
    const sdw_hub_entry *single = sdw_hub_listed(l, folder, name);
    *ret_found = single != NULL;
    if (single) return sdw_hub_selection_add(to, single, err);
    for (size_t i = 0; !of && i < l->count; i++) {
        const char *file = sdw_hub_name_in(&l->entries[i], folder);
        if (file && !strncmp(file, stem, strlen(stem))) of = shards_of(file, stem, n);
    }
    snprintf(name, sizeof name, "%s%s", stem, n->index);
    const sdw_hub_entry *index = sdw_hub_listed(l, folder, name);
    if (!of && !index) return SDW_OK;
    *ret_found = true;
    if (!index) return sdw_fail(err, SDW_NOT_FOUND, "%s/%s is missing, the index of its shards", folder, name);
    if (!of) return sdw_fail(err, SDW_NOT_FOUND, "%s/%s: its shards are missing", folder, name);
    return add_shards(l, folder, stem, n, of, index, to, err);
}

static sdw_status no_weights(const sdw_hub_listing *l, const char *folder, const char *stem, sdw_error *err)
{
    static const char *const endings[] = { ".bin", ".ckpt", ".pt", ".msgpack", ".onnx" };
    for (size_t i = 0; i < l->count; i++) {
        const char *name = sdw_hub_name_in(&l->entries[i], folder);
        const char *dot = name ? strrchr(name, '.') : NULL;
        for (size_t k = 0; dot && k < sizeof endings / sizeof endings[0]; k++)
            if (!strcmp(dot, endings[k]))
                return sdw_fail(err, SDW_UNSUPPORTED, "%s has weights only as %s, want %s/%s.safetensors (pickles are never loaded: they may run code)",
                                folder, l->entries[i].path, folder, stem);
    }
    return sdw_fail(err, SDW_NOT_FOUND, "%s/%s.safetensors is missing (nor are there shards or a variant)", folder, stem);
}

sdw_status sdw_hub_add_weights(const sdw_hub_listing *l, const char *folder, bool diffusers, sdw_hub_weights_tally *tally,
                               sdw_hub_selection *to, sdw_error *err)
{
    const char *stem = diffusers ? "diffusion_pytorch_model" : "model";
    bool found = false;
    naming n;
    current_naming(&n, tally->variant);
    sdw_status s = try_naming(l, folder, stem, &n, to, &found, err);
    if (s == SDW_OK && !found) {
        legacy_naming(&n, tally->variant);
        s = try_naming(l, folder, stem, &n, to, &found, err);
    }
    if (s != SDW_OK) return s;
    if (found) {
        tally->with++;
        return SDW_OK;
    }
    tally->without++;
    snprintf(tally->example, sizeof tally->example, "%s", folder);
    plain_naming(&n);
    s = try_naming(l, folder, stem, &n, to, &found, err);
    return s != SDW_OK || found ? s : no_weights(l, folder, stem, err);
}
