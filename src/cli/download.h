/* download.h - what a running download tells: one bar for all files, or events of JSON; and how Ctrl-C ends it. */
#ifndef SDW_CLI_DOWNLOAD_H
#define SDW_CLI_DOWNLOAD_H

#include "cli/events.h"
#include "hub/hooks.h"

typedef struct sdw_cli_download {
    sdw_cli_events *events; /* borrowed */
    double told;            /* when the last event was printed */
    bool began;
} sdw_cli_download;

/* The hooks borrow d, which must outlive them. sdw_cli_catch_signals must have been called, if Ctrl-C shall be tidy. */
sdw_hub_hooks sdw_cli_download_hooks(sdw_cli_download *d, sdw_cli_events *events);

/* "6.94 GB", in powers of 1000. */
void sdw_cli_size_text(uint64_t bytes, char ret[24]);

#endif
