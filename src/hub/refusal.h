/* refusal.h - what an answer that is not the wanted one means, and what a person can do about it. */
#ifndef SDW_HUB_REFUSAL_H
#define SDW_HUB_REFUSAL_H

#include "hub/client.h"

typedef enum sdw_hub_kind {
    SDW_HUB_FINE,
    SDW_HUB_NO_REVISION, SDW_HUB_NO_ENTRY, SDW_HUB_GATED, SDW_HUB_DISABLED,
    SDW_HUB_NO_REPOSITORY, /* missing, or private and no token: the hub answers both alike */
    SDW_HUB_BAD_TOKEN, SDW_HUB_BAD_REQUEST, SDW_HUB_FORBIDDEN, SDW_HUB_RATE_LIMITED, SDW_HUB_SERVER_FAULT,
    SDW_HUB_NO_NETWORK,
    SDW_HUB_OTHER
} sdw_hub_kind;

/* What was asked for, for the message; each may be NULL. */
typedef struct sdw_hub_subject {
    const char *id, *revision, *file;
} sdw_hub_subject;

/* By the status and the headers alone; status below 400 is SDW_HUB_FINE. */
sdw_hub_kind sdw_hub_kind_of(const sdw_hub_answer *a);
/* Fills err for an answer whose status is 400 or more. `url` is what was asked. */
sdw_status sdw_hub_refuse(const sdw_hub_answer *a, const char *url, const sdw_hub_subject *about, sdw_error *err);

#endif
