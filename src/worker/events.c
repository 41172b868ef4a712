/* events.c - see events.h. */
#include "worker/events.h"

#include <string.h>

#include "core/mem.h"
#include "worker/blob.h"

sdw_event *sdw_event_array(int capacity)
{
    return sdw_calloc((size_t)capacity, sizeof(sdw_event));
}

sdw_event *sdw_event_list_grow(sdw_event_list *l, sdw_event *fresh, int capacity)
{
    sdw_event *old = l->item;
    if (l->count) memcpy(fresh, old, (size_t)l->count * sizeof *fresh);
    l->item = fresh;
    l->capacity = capacity;
    return old;
}

static bool is_end(sdw_event_kind kind)
{
    return kind == SDW_EVENT_END_DONE || kind == SDW_EVENT_END_ERROR || kind == SDW_EVENT_END_CANCELLED;
}

static bool is_terminal(sdw_event_kind kind)
{
    return is_end(kind) || kind == SDW_EVENT_COMPLETE || kind == SDW_EVENT_ERROR;
}

static size_t preview_bytes(const sdw_event *e)
{
    size_t size = 0;
    if (e->picture) sdw_blob_bytes(e->picture, &size);
    return size;
}

static void drop_oldest_preview(sdw_event_list *l)
{
    for (int i = 0; i < l->count; i++) {
        if (l->item[i].kind != SDW_EVENT_PREVIEW) continue;
        l->previews--;
        l->preview_bytes -= preview_bytes(&l->item[i]);
        sdw_event_finish(&l->item[i]);
        memmove(&l->item[i], &l->item[i + 1], (size_t)(l->count - i - 1) * sizeof *l->item);
        l->count--;
        return;
    }
}

static bool has_room(sdw_event_list *l, const sdw_event *e)
{
    if (l->ended) return false;
    if (is_terminal(e->kind)) return l->count < l->capacity;
    if (e->kind == SDW_EVENT_NARRATION && l->narrations >= SDW_NARRATIONS_MAX) return false;
    return l->count + SDW_EVENT_ENDS < l->capacity;
}

bool sdw_event_list_add(sdw_event_list *l, const sdw_event *e)
{
    size_t bytes = e->kind == SDW_EVENT_PREVIEW ? preview_bytes(e) : 0;
    if (e->kind == SDW_EVENT_PREVIEW && !l->ended && bytes <= SDW_PREVIEW_BYTES_KEPT)
        while (l->previews && (l->previews >= SDW_PREVIEWS_KEPT || l->preview_bytes + bytes > SDW_PREVIEW_BYTES_KEPT)) drop_oldest_preview(l);
    if (!has_room(l, e) || bytes > SDW_PREVIEW_BYTES_KEPT) {
        sdw_blob_unref(e->picture);
        sdw_blob_unref(e->text);
        return false;
    }
    sdw_event *to = &l->item[l->count++];
    *to = *e;
    to->number = ++l->last;
    l->ended = is_end(e->kind);
    if (e->kind == SDW_EVENT_NARRATION) l->narrations++;
    if (e->kind == SDW_EVENT_PREVIEW) {
        l->previews++;
        l->preview_bytes += bytes;
    }
    return true;
}

const sdw_event *sdw_event_list_after(const sdw_event_list *l, uint64_t after)
{
    int low = 0, high = l->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (l->item[middle].number > after) high = middle;
        else low = middle + 1;
    }
    return low < l->count ? &l->item[low] : NULL;
}

void sdw_event_finish(sdw_event *e)
{
    sdw_blob_unref(e->picture);
    sdw_blob_unref(e->text);
    e->picture = e->text = NULL;
}

void sdw_event_list_finish(sdw_event_list *l)
{
    for (int i = 0; i < l->count; i++) sdw_event_finish(&l->item[i]);
    sdw_free(l->item);
    *l = (sdw_event_list){ 0 };
}
