/* events.h - what happened to one job, numbered from 1. A reader is a number, never a queue: it asks for what follows.
 * Progress, narration and the end stay as long as the list; of the previews only the newest. Not thread-safe: the
 * worker's mutex guards every list. */
#ifndef SDW_WORKER_EVENTS_H
#define SDW_WORKER_EVENTS_H

#include "sdw/worker.h"

enum {
    SDW_PREVIEWS_KEPT = 8,
    SDW_EVENT_ENDS = 2,          /* places that only the terminal event and the end marker may take */
    SDW_NARRATIONS_MAX = 64      /* of one job; further ones are dropped */
};
#define SDW_PREVIEW_BYTES_KEPT ((size_t)32 << 20)

typedef struct sdw_event_list {
    sdw_event *item;             /* owned; by rising numbers */
    int count, capacity;
    uint64_t last;               /* number of the newest event ever */
    bool ended;                  /* it is the end marker */
    int previews, narrations;
    size_t preview_bytes;
} sdw_event_list;

/* An array for `capacity` events, to be handed to grow; NULL without memory. No lock needed. */
sdw_event *sdw_event_array(int capacity);
/* Takes the array over; returns the old one, to be freed outside the lock. */
sdw_event *sdw_event_list_grow(sdw_event_list *l, sdw_event *fresh, int capacity);
/* Takes e's blobs over; numbers it. false, and the blobs are released, if there is no room or the list has ended.
 * Never allocates: the two ends always find room. */
bool sdw_event_list_add(sdw_event_list *l, const sdw_event *e);
/* The first event with a higher number; NULL if there is none. */
const sdw_event *sdw_event_list_after(const sdw_event_list *l, uint64_t after);
void sdw_event_list_finish(sdw_event_list *l);

#endif
