/* serve_config.h - what `sdw serve` was told, as the options of the parts that it starts. */
#ifndef SDW_CLI_SERVE_CONFIG_H
#define SDW_CLI_SERVE_CONFIG_H

#include "cli/serve_model.h"
#include "cli/serve_options.h"
#include "core/log.h"
#include "sdw/worker.h"
#include "server/server.h"

typedef struct sdw_serve_config {
    sdw_worker_options worker;   /* wake and log are the runner's to fill */
    sdw_server_options server;
    sdw_log_options log;
    const char *queen_url;       /* NULL = no heartbeat */
    const char *callback_url;    /* NULL = none */
    sdw_serve_model model;
    double drain_s;
    bool open_browser;
    int device_index;
    char device[24];             /* "cpu:0" */
    /* What the texts above point into. */
    sdw_serve_sources sources;
    const char *cors[SDW_CLI_REPEATS_MAX + 2], *hosts[SDW_CLI_REPEATS_MAX + 2], *folders[SDW_CLI_REPEATS_MAX + 2];
    sdw_buf key;
} sdw_serve_config;

/* Reads the other sources and converts; finds the model's path. o stays borrowed. Zero-initialise c; finish it in every
 * case. SDW_INVALID: a usage error; everything else ends the program with 1. */
sdw_status sdw_serve_configure(sdw_cli_options *o, sdw_serve_config *c, sdw_error *err);
void sdw_serve_config_finish(sdw_serve_config *c);

#endif
