/* follower.h - a thread that hashes a file while another one writes it: it reads what is on disk (in truth, in the page
 * cache) up to the length it was told. What is hashed is what was written, and a file that an earlier run began needs no
 * special case: its beginning is simply told at once. */
#ifndef SDW_HUB_FOLLOWER_H
#define SDW_HUB_FOLLOWER_H

#include <stdint.h>

#include "core/digest.h"

typedef struct sdw_hub_follower sdw_hub_follower;

/* fd is borrowed until close and only read, at offsets of its own. `size` is the whole file's (core/digest.h). */
sdw_status sdw_hub_follower_open(int fd, sdw_digest_kind kind, uint64_t size, sdw_hub_follower **ret, sdw_error *err);
/* The first `length` bytes are there. Never waits. */
void sdw_hub_follower_advance(sdw_hub_follower *f, uint64_t length);
/* Waits until all that was told is hashed. The follower may then only be closed. */
sdw_status sdw_hub_follower_hex(sdw_hub_follower *f, char ret_hex[SDW_DIGEST_HEX_SIZE], sdw_error *err);
void sdw_hub_follower_close(sdw_hub_follower *f); /* accepts NULL; does not wait for what is not yet hashed */

#endif
