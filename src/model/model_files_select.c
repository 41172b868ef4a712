/* model_files_select.c - which of the files in a part's folder are its weights. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/mem.h"
#include "io/lfs_pointer.h"
#include "model/model_files_impl.h"

#define VARIANT_MAX 32
#define NAME_MAX_BYTES 128

char *sdw_model_path_join(const char *folder, const char *part, const char *name)
{
    size_t n = strlen(folder) + strlen(part) + (name ? strlen(name) : 0) + 3;
    char *path = sdw_malloc(n);
    const char *slash = folder[0] && folder[strlen(folder) - 1] == '/' ? "" : "/";
    if (path) snprintf(path, n, "%s%s%s%s%s", folder, slash, part, name ? "/" : "", name ? name : "");
    return path;
}

/* Is the file there? Then *ret_path is its path. SDW_OK also if not. */
static sdw_status probe(const char *folder, const char *part, const char *name, char **ret_path, sdw_error *err)
{
    struct stat st;
    char *path = sdw_model_path_join(folder, part, name);
    if (!path) return sdw_fail_memory(err, "path", strlen(folder));
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) *ret_path = path;
    else sdw_free(path);
    return SDW_OK;
}

/* A variant becomes part of a file name: letters, digits, '_' and '-' only. */
static sdw_status check_variant(const char *variant, sdw_error *err)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t n = strlen(variant);
    if (n > 0 && n <= VARIANT_MAX && strspn(variant, good) == n) return SDW_OK;
    return sdw_fail_field(err, SDW_INVALID, "variant", "variant \"%.40s\": want 1..%d letters, digits, '_' or '-', such as fp16",
                          variant, VARIANT_MAX);
}

/* The plain file and the index of its shards, of one variant ("" = none). */
static sdw_status probe_variant(const char *folder, const char *part, const char *stem, const char *variant, char **ret_path,
                                sdw_error *err)
{
    char name[NAME_MAX_BYTES];
    const char *dot = *variant ? "." : "";
    snprintf(name, sizeof name, "%s%s%s.safetensors", stem, dot, variant);
    sdw_status s = probe(folder, part, name, ret_path, err);
    if (s != SDW_OK || *ret_path) return s;
    snprintf(name, sizeof name, "%s.safetensors.index%s%s.json", stem, dot, variant);
    s = probe(folder, part, name, ret_path, err);
    if (s != SDW_OK || *ret_path || !*variant) return s;
    snprintf(name, sizeof name, "%s.safetensors.%s.index.json", stem, variant); /* how older writers named it */
    return probe(folder, part, name, ret_path, err);
}

/* A pickle of the part, if there is one: transformers calls its own pytorch_model. */
static sdw_status probe_pickles(const char *folder, const char *part, const char *stem, char **ret_path, sdw_error *err)
{
    static const char *const endings[] = { ".bin", ".fp16.bin", ".bin.index.json", ".non_ema.bin", ".ckpt", ".pt" };
    const char *const stems[] = { stem, "pytorch_model" };
    char name[NAME_MAX_BYTES];
    sdw_status s = SDW_OK;
    for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++)
        for (size_t k = 0; s == SDW_OK && !*ret_path && k < sizeof endings / sizeof endings[0]; k++) {
            snprintf(name, sizeof name, "%s%s", stems[i], endings[k]);
            s = probe(folder, part, name, ret_path, err);
        }
    return s;
}

/* Nothing fits: say whether there are pickles, and what was looked for. */
static sdw_status nothing_found(const char *folder, const char *part, const char *stem, const char *variant, sdw_error *err)
{
    char *path = NULL;
    if (variant)
        return sdw_fail_field(err, SDW_NOT_FOUND, "variant", "%s/%s: no weights of variant %s, want %s.%s.safetensors", folder, part,
                              variant, stem, variant);
    sdw_status s = probe_pickles(folder, part, stem, &path, err);
    if (s != SDW_OK) return s;
    if (!path)
        return sdw_fail(err, SDW_NOT_FOUND, "%s/%s: no weights, want %s.safetensors, %s.safetensors.index.json or %s.fp16.safetensors",
                        folder, part, stem, stem, stem);
    sdw_fail(err, SDW_UNSUPPORTED, "%s: is a PyTorch pickle, which may run code when loaded; convert the model to .safetensors", path);
    sdw_free(path);
    return SDW_UNSUPPORTED;
}

/* A pointer stands for a file that is not here: the next candidate is better. Where all are pointers it is the first of
 * them, which opening refuses by name. */
static sdw_status first_fetched(const char *folder, const char *part, const char *stem, char **ret_path, sdw_warnings *warnings,
                                sdw_error *err)
{
    static const char *const preferred[] = { "", "fp16" };
    char *path = NULL, *pointer = NULL;
    sdw_status s = SDW_OK;
    for (size_t i = 0; s == SDW_OK && !path && i < sizeof preferred / sizeof preferred[0]; i++) {
        s = probe_variant(folder, part, stem, preferred[i], &path, err);
        if (!path || !sdw_is_lfs_pointer_weights(path)) continue;
        if (pointer) sdw_free(path);
        else pointer = path;
        path = NULL;
    }
    if (path && pointer) sdw_warn(warnings, "%s: is or names a Git LFS pointer in place of weights; %s is used in its place", pointer, path);
    *ret_path = path ? path : pointer;
    if (path) sdw_free(pointer);
    return s;
}

sdw_status sdw_model_weights_path(const char *folder, const char *part, const char *variant, char **ret, sdw_warnings *warnings,
                                  sdw_error *err)
{
    const char *stem = strncmp(part, "text_encoder", 12) == 0 ? "model" : "diffusion_pytorch_model";
    char *path = NULL;
    sdw_status s = variant ? check_variant(variant, err) : SDW_OK;
    if (s == SDW_OK && variant) s = probe_variant(folder, part, stem, variant, &path, err);
    if (s == SDW_OK && !variant) s = first_fetched(folder, part, stem, &path, warnings, err);
    if (s == SDW_OK && !path) s = nothing_found(folder, part, stem, variant, err);
    if (s == SDW_OK) *ret = path;
    else sdw_free(path);
    return s;
}
