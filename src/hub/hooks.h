/* hooks.h - how a download talks to whoever started it: may it go on, what does it tell, how does it wait.
 * Every member may be NULL; so may the pointer to the struct. */
#ifndef SDW_HUB_HOOKS_H
#define SDW_HUB_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A snapshot of a running pull. Bytes that were on disk before count as done, never as fetched. */
typedef struct sdw_hub_progress {
    const char *name;              /* repository id or address; valid during the call */
    const char *file;              /* the file that last moved; "" at first */
    size_t files_done, files;      /* distinct contents: two paths of one content are one */
    uint64_t bytes_done, bytes;
    uint64_t bytes_fetched;        /* over the network, in this run */
    double seconds;                /* since the pull began */
    double bytes_per_second;       /* over the last few seconds; 0 = not known yet */
    double seconds_left;           /* -1 = not known */
} sdw_hub_progress;

typedef struct sdw_hub_hooks {
    void *ctx;
    /* Asked several times a second, from any thread of the download. */
    bool (*cancelled)(void *ctx);
    /* Sleeps that long, or less if cancelled. NULL = really sleep. Any thread of the download. */
    void (*wait)(void *ctx, unsigned milliseconds);
    /* One sentence each, never from two threads at once; must not call back. */
    void (*note)(void *ctx, const char *sentence);
    void (*warn)(void *ctx, const char *sentence);
    /* At most some ten times a second, and at the end; never from two threads at once; must not call back. */
    void (*progress)(void *ctx, const sdw_hub_progress *p);
} sdw_hub_hooks;

bool sdw_hub_cancelled(const sdw_hub_hooks *h);
/* Waits in short slices, so that a cancel is seen soon. */
void sdw_hub_wait(const sdw_hub_hooks *h, unsigned milliseconds);
/* CLOCK_MONOTONIC in seconds. */
double sdw_hub_now(void);

#endif
