/* url_file.h - one file from any server: sdw pull https://HOST/model.safetensors. No token is sent. */
#ifndef SDW_HUB_URL_FILE_H
#define SDW_HUB_URL_FILE_H

#include "core/digest.h"
#include "hub/cache.h"
#include "hub/hooks.h"
#include "hub/settings.h"

typedef struct sdw_hub_url_wish {
    const char *url;
    const char *output;   /* path of the file; NULL = the last part of the address, in settings->models */
    const char *sha256;   /* 64 hex digits that it must have; NULL = whatever comes */
} sdw_hub_url_wish;

/* *ret_path, *ret_hash: where it lies and its SHA-256. What was begun lies beside it as NAME.sdw.incomplete with
 * NAME.sdw.json (address, entity tag, size) and is continued if the server still has the same. A file that is there
 * already is SDW_EXISTS unless it has the wanted hash. */
sdw_status sdw_hub_pull_url(const sdw_hub_settings *settings, const sdw_hub_url_wish *w, const sdw_hub_hooks *hooks,
                            char ret_path[SDW_HUB_PATH_MAX], char ret_hash[SDW_DIGEST_HEX_SIZE], sdw_error *err);

#endif
