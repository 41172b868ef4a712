/* strmap.h - a hash table from texts to pointers. Keys are borrowed: they usually live in the value. One owner. */
#ifndef SDW_CORE_STRMAP_H
#define SDW_CORE_STRMAP_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sdw_strmap_slot { const char *key; void *value; } sdw_strmap_slot;
typedef struct sdw_strmap {
    sdw_strmap_slot *slot; /* owned */
    size_t count, capacity; /* capacity is 0 or a power of two */
} sdw_strmap; /* zeroed = empty */

/* Room for one more, so that the next put cannot fail. */
bool sdw_strmap_reserve(sdw_strmap *m);
/* Replaces the value of an equal key (and the key). false: no memory. */
bool sdw_strmap_put(sdw_strmap *m, const char *key, void *value);
void *sdw_strmap_get(const sdw_strmap *m, const char *key); /* NULL if absent */
void *sdw_strmap_remove(sdw_strmap *m, const char *key);    /* the value; NULL if absent */
void sdw_strmap_finish(sdw_strmap *m);

#endif
