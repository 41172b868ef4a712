/* Listings from a hub: the tree answer, "siblings", and what we write of them, which must be valid JSON again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "hub/listing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_paths(const sdw_hub_listing *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (strstr(l->entries[i].path, "..") && sdw_hub_check_file(l->entries[i].path, strlen(l->entries[i].path), NULL) != SDW_OK) abort();
}

static void check_written(sdw_hub_listing *l)
{
    char *text = NULL;
    size_t n = 0;
    yyjson_doc *doc = NULL;
    if (sdw_hub_listing_sort(l, NULL) != SDW_OK || sdw_hub_listing_write(l, &text, &n, NULL) != SDW_OK) return;
    if (sdw_json_parse(text, n, "written", NULL, &doc, NULL) != SDW_OK) abort();
    if (yyjson_obj_size(yyjson_obj_get(yyjson_doc_get_root(doc), "files")) != l->count) abort();
    yyjson_doc_free(doc);
    sdw_free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sdw_hub_listing tree = { 0 }, siblings = { 0 };
    yyjson_doc *doc = NULL;
    if (sdw_hub_listing_add_tree(&tree, (const char *)data, size, "fuzz", NULL) == SDW_OK) {
        check_paths(&tree);
        check_written(&tree);
    }
    if (sdw_json_parse((const char *)data, size, "fuzz", NULL, &doc, NULL) == SDW_OK) {
        yyjson_val *root = yyjson_doc_get_root(doc), *list = yyjson_obj_get(root, "siblings");
        if (sdw_hub_listing_add_siblings(&siblings, list ? list : root, "fuzz", NULL) == SDW_OK) check_written(&siblings);
    }
    yyjson_doc_free(doc);
    sdw_hub_listing_finish(&tree);
    sdw_hub_listing_finish(&siblings);
    return 0;
}
