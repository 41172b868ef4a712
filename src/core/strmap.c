/* strmap.c - open addressing with linear probing; removal moves the followers back, so there are no graves. */
#include "core/strmap.h"

#include <stdint.h>
#include <string.h>

#include "core/mem.h"

/* FNV-1a. Keys are ids that we drew ourselves or hashes: nobody can choose them to collide. */
static size_t hash(const char *key)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const unsigned char *p = (const unsigned char *)key; *p; p++) h = (h ^ *p) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

/* The slot of the key, or the empty one where it would go. The table is never full. */
static size_t find(const sdw_strmap *m, const char *key)
{
    size_t i = hash(key) & (m->capacity - 1);
    while (m->slot[i].key && strcmp(m->slot[i].key, key) != 0) i = (i + 1) & (m->capacity - 1);
    return i;
}

bool sdw_strmap_reserve(sdw_strmap *m)
{
    if (m->count < m->capacity / 4 * 3) return true;
    if (m->capacity > SIZE_MAX / 4 / sizeof *m->slot) return false;
    sdw_strmap bigger = { .capacity = m->capacity ? m->capacity * 2 : 16, .count = m->count };
    bigger.slot = sdw_calloc(bigger.capacity, sizeof *bigger.slot);
    if (!bigger.slot) return false;
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slot[i].key) bigger.slot[find(&bigger, m->slot[i].key)] = m->slot[i];
    sdw_free(m->slot);
    *m = bigger;
    return true;
}

bool sdw_strmap_put(sdw_strmap *m, const char *key, void *value)
{
    if (!sdw_strmap_reserve(m)) return false;
    size_t i = find(m, key);
    m->count += !m->slot[i].key;
    m->slot[i] = (sdw_strmap_slot){ key, value };
    return true;
}

void *sdw_strmap_get(const sdw_strmap *m, const char *key)
{
    return m->count ? m->slot[find(m, key)].value : NULL;
}

void *sdw_strmap_remove(sdw_strmap *m, const char *key)
{
    if (!m->count) return NULL;
    const size_t mask = m->capacity - 1;
    size_t hole = find(m, key);
    if (!m->slot[hole].key) return NULL;
    void *value = m->slot[hole].value;
    for (size_t i = (hole + 1) & mask; m->slot[i].key; i = (i + 1) & mask) {
        size_t home = hash(m->slot[i].key) & mask;
        /* Moves back unless its home lies behind the hole, on the way from there to i. */
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        m->slot[hole] = m->slot[i];
        hole = i;
    }
    m->slot[hole] = (sdw_strmap_slot){ 0 };
    m->count--;
    return value;
}

void sdw_strmap_finish(sdw_strmap *m)
{
    sdw_free(m->slot);
    *m = (sdw_strmap){ 0 };
}
