/* blob.c - see blob.h. */
#include "worker/blob.h"

#include <stdatomic.h>
#include <string.h>

#include "core/mem.h"

struct sdw_blob {
    atomic_int holders;
    size_t size;
    void *data;
};

sdw_blob *sdw_blob_take(void *data, size_t size)
{
    sdw_blob *b = sdw_malloc(sizeof *b);
    if (!b) {
        sdw_free(data);
        return NULL;
    }
    atomic_init(&b->holders, 1);
    b->size = size;
    b->data = data;
    return b;
}

sdw_blob *sdw_blob_copy(const void *data, size_t size)
{
    void *copy = sdw_malloc(size ? size : 1);
    if (!copy) return NULL;
    if (size) memcpy(copy, data, size);
    return sdw_blob_take(copy, size);
}

const void *sdw_blob_bytes(const sdw_blob *b, size_t *ret_size)
{
    *ret_size = b->size;
    return b->data;
}

sdw_blob *sdw_blob_ref(sdw_blob *b)
{
    if (b) atomic_fetch_add_explicit(&b->holders, 1, memory_order_relaxed);
    return b;
}

/* The last one to let go must see what the others wrote before they did: release, then acquire. */
void sdw_blob_unref(sdw_blob *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->holders, 1, memory_order_acq_rel) != 1) return;
    sdw_free(b->data);
    sdw_free(b);
}
