/* lock.h - flock(2) on files below .locks/, the way the Python library and its filelock package do it.
 * A lock file may be unlinked by whoever releases it, so after taking a lock we look whether the path still is the file
 * that we locked. Where flock has no effect (some network file systems) the lock says so, and its holder must not
 * share files with others. */
#ifndef SDW_HUB_LOCK_H
#define SDW_HUB_LOCK_H

#include <stdbool.h>

#include "core/status.h"
#include "hub/hooks.h"

typedef struct sdw_hub_lock {
    int fd;             /* owned; -1 = not held */
    bool effective;     /* false: others may hold it at the same time */
} sdw_hub_lock;

/* Creates the file and its folders where missing, then waits for the lock; tells note every 10 s. SDW_CANCELLED, or
 * SDW_IO. `what` names what is waited for. */
sdw_status sdw_hub_lock_take(const char *path, const char *what, const sdw_hub_hooks *hooks, sdw_hub_lock *ret,
                             sdw_error *err);
/* Does not wait: SDW_BUSY if somebody holds it. */
sdw_status sdw_hub_lock_try(const char *path, const char *what, sdw_hub_lock *ret, sdw_error *err);
/* Leaves the file where it is, as others may be waiting for it. Accepts one that is not held, but no zeroed one. */
void sdw_hub_lock_release(sdw_hub_lock *l);

#endif
