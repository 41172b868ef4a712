/* request.h - from a command line (and a picture to repeat) to a request with its pictures loaded. */
#ifndef SDW_CLI_REQUEST_H
#define SDW_CLI_REQUEST_H

#include "cli/options.h"
#include "core/sha256.h"
#include "image/image.h"
#include "sdw/request.h"

typedef struct sdw_cli_request {
    sdw_request_record record;     /* params point at the pictures below */
    sdw_request_record from;       /* owner of what --from brought */
    char *prompt;                  /* owned; of --prompt-file */
    sdw_picture init_image, mask;  /* pixels owned */
    char init_hash[SDW_SHA256_HEX_SIZE], mask_hash[SDW_SHA256_HEX_SIZE];
} sdw_cli_request;

/* Adds --prompt-file, --from and the request fields to a table. */
void sdw_cli_request_options(sdw_cli_options *o);

/* Explicit options win over --from. Reads the files that are named; refuses --from without the pictures that it was
 * made from. warn hears of unknown keys and of a picture that is not the one of --from. */
sdw_status sdw_cli_request_read(const sdw_cli_options *o, sdw_cli_request *ret, sdw_warn_fn *warn, void *warn_ctx,
                                sdw_error *err);
void sdw_cli_request_finish(sdw_cli_request *r); /* accepts a zeroed one */

#endif
