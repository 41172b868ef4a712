/* remote_jobs.h - jobs of a worker as the client commands print them. */
#ifndef SDW_CLI_REMOTE_JOBS_H
#define SDW_CLI_REMOTE_JOBS_H

#include <stdbool.h>
#include <yyjson.h>

#include "cli/options.h"
#include "remote/remote.h"

/* Open client, and what must live as long. Zero-initialise. */
typedef struct sdw_cli_client { sdw_remote *remote; sdw_buf key; } sdw_cli_client;
sdw_status sdw_cli_client_open(sdw_cli_client *c, const sdw_cli_options *o, sdw_error *err);
void sdw_cli_client_close(sdw_cli_client *c);
/* Asks and parses; *ret_doc is the caller's. */
sdw_status sdw_cli_client_json(sdw_cli_client *c, const char *method, const char *path, yyjson_doc **ret_doc, sdw_error *err);

/* "/v1/jobs/ID" with a tail such as "/stream". INVALID: not an id. */
sdw_status sdw_cli_job_path(const char *id, const char *tail, char ret[128], sdw_error *err);

/* One line of the table, and its heading. */
void sdw_cli_print_job_heading(void);
void sdw_cli_print_job(yyjson_val *job);
/* The value on a line of its own. */
void sdw_cli_print_json(yyjson_val *v);

/* Runs a command's work and turns its status into an exit code: 0, 1, 2, 128 + signal. */
typedef sdw_status sdw_cli_work_fn(sdw_cli_client *c, const sdw_cli_options *o, sdw_error *err);
int sdw_cli_with_client(const sdw_cli_options *o, sdw_cli_work_fn *work);

#endif
