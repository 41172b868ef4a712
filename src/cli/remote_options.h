/* remote_options.h - which worker a client command talks to: --server, $SDW_SERVER; its key from a file or $SDW_API_KEY. */
#ifndef SDW_CLI_REMOTE_OPTIONS_H
#define SDW_CLI_REMOTE_OPTIONS_H

#include "cli/options.h"
#include "core/buf.h"
#include "remote/remote.h"

#define SDW_CLI_SERVER_DEFAULT "http://127.0.0.1:8081"

/* Adds --server and --api-key-file; `always`: a command that does nothing without a worker, which has a default address. */
void sdw_cli_remote_options(sdw_cli_options *o, bool always);
/* The address: --server, else $SDW_SERVER, else NULL. */
const char *sdw_cli_server(const sdw_cli_options *o);
/* Opens it (or the default address). The key is kept in *key, which must outlive the client; finish it in every case. Signals
 * that were caught cancel what runs. */
sdw_status sdw_cli_remote_open(const sdw_cli_options *o, sdw_buf *key, sdw_remote **ret, sdw_error *err);

#endif
