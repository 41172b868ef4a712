/* serve_run.h - the life of the service: start in the protocol's order, run until a signal, end in time. */
#ifndef SDW_CLI_SERVE_RUN_H
#define SDW_CLI_SERVE_RUN_H

#include "cli/serve_config.h"

/* The whole of `sdw serve` for a parsed command line: reads the other sources, serves, returns the exit code. Errors
 * are told on standard error. executor NULL = libsdw's engine. */
int sdw_serve_main(sdw_cli_options *o, const sdw_executor *executor);

#endif
