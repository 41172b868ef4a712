/* remote_generate.h - sdw generate --server: the same flags, progress and files, drawn by another worker. */
#ifndef SDW_CLI_REMOTE_GENERATE_H
#define SDW_CLI_REMOTE_GENERATE_H

#include "cli/events.h"
#include "cli/output.h"
#include "cli/request.h"

/* Submits, follows, writes the files. A signal cancels the job there. The worker's refusals are errors of this call. */
sdw_status sdw_cli_remote_generate(const sdw_cli_options *o, const sdw_cli_request *request, sdw_cli_output *output,
                                   sdw_cli_events *events, sdw_error *err);

#endif
