/* loading.h - files that are being fetched before a model can load, for /v1/loading/progress, and how many bytes of models
 * came over the network so far. */
#ifndef SDW_SERVER_LOADING_H
#define SDW_SERVER_LOADING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct sdw_fetching {
    bool active;
    char file[256];
    int files_done, files_total;
    uint64_t bytes_done, bytes_total; /* total 0 = not known */
    double bytes_per_second;
} sdw_fetching;

typedef struct sdw_loading sdw_loading;
sdw_loading *sdw_loading_create(void); /* NULL without memory */
void sdw_loading_free(sdw_loading *l); /* accepts NULL */
/* Any thread. */
void sdw_loading_set(sdw_loading *l, const sdw_fetching *f);
void sdw_loading_get(sdw_loading *l, sdw_fetching *ret); /* l NULL: not active */
/* A download has fetched that many bytes by now. *counted is the caller's, 0 before a download; its last value here. */
void sdw_loading_count(sdw_loading *l, uint64_t *counted, uint64_t fetched);
/* By all downloads; l NULL: 0. */
uint64_t sdw_loading_fetched(sdw_loading *l);

#endif
