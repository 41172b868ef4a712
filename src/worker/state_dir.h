/* state_dir.h - the folder that outlives the process: journal, inputs/, outputs/ and the lock that makes one worker its
 * owner. Every file in it is named relative to an open folder, so nothing outside can be reached through a link. */
#ifndef SDW_WORKER_STATE_DIR_H
#define SDW_WORKER_STATE_DIR_H

#include "core/io.h"
#include "core/status.h"

typedef struct sdw_state_dir {
    const sdw_io *io;        /* borrowed */
    char *path;              /* owned; for messages */
    int fd, inputs, outputs; /* the folder and the two in it */
    int lock;                /* held until close; also by the system: a killed worker holds nothing */
} sdw_state_dir;

/* Creates what is missing with mode 0700 (parents must exist) and takes the lock. Refused with INVALID: a link in the
 * folder's own place or one of another user; a folder that others may enter and that holds foreign things (an empty one, or our
 * own, is closed to others instead). BUSY: another process owns it; the text has its pid. io NULL = the system, and
 * outlives the folder. Writes. */
sdw_status sdw_state_dir_open(const char *path, const sdw_io *io, sdw_state_dir **ret, sdw_error *err);
void sdw_state_dir_close(sdw_state_dir *d); /* accepts NULL */

#endif
