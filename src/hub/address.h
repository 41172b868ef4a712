/* address.h - where a redirect leads, and who may see the token there. */
#ifndef SDW_HUB_ADDRESS_H
#define SDW_HUB_ADDRESS_H

#include <stdbool.h>

#include "core/status.h"
#include "hub/headers.h"

/* Same scheme, host and port (a missing port is the scheme's)? False for what is no http or https address. */
bool sdw_hub_same_origin(const char *a, const char *b);
/* Is the host one of the hub's (huggingface.co, hf.co, hub-ci.huggingface.co over https), or the origin of endpoint? */
bool sdw_hub_is_hub_host(const char *url, const char *endpoint);

typedef struct sdw_hub_hop {
    char url[SDW_HUB_URL_SIZE];
    bool relative;      /* the Location had no host of its own */
} sdw_hub_hop;

/* From an address and the Location of its answer. Refuses anything but http and https, and http after https. */
sdw_status sdw_hub_next_hop(const char *from, const char *location, sdw_hub_hop *ret, sdw_error *err);
/* The last segment of the path, percent-decoded and checked as a file name: "model.safetensors". */
sdw_status sdw_hub_address_file(const char *url, char *ret, size_t size, sdw_error *err);
/* "https://host/path" without the query, in which signatures stand; for messages. */
void sdw_hub_address_shown(const char *url, char *ret, size_t size);

#endif
