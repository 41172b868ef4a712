/* readers.h - for --cancel-on-disconnect: which jobs are being read, and whose last reader has been gone too long. */
#ifndef SDW_SERVER_READERS_H
#define SDW_SERVER_READERS_H

#include "sdw/worker.h"

/* Seconds that a job's last reader may be gone: time enough to reconnect. */
#define SDW_READERS_GRACE_S 5.0

typedef struct sdw_readers sdw_readers;

/* At most SDW_READERS_MAX jobs are watched; readers of further ones do not count. NULL without memory. */
#define SDW_READERS_MAX 1024
sdw_readers *sdw_readers_create(void);
void sdw_readers_free(sdw_readers *r); /* accepts NULL */

/* A stream of this job was opened; was closed, by a client that left before the end or otherwise. r NULL: nothing. Any
 * thread. */
void sdw_readers_came(sdw_readers *r, const sdw_job_id *id);
void sdw_readers_left(sdw_readers *r, const sdw_job_id *id, bool early);
/* Cancels the jobs whose last reader left early SDW_READERS_GRACE_S ago; now: monotonic seconds. One thread. */
void sdw_readers_tick(sdw_readers *r, sdw_worker *w, double now);

#endif
