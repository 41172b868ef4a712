/* events.h - what a running generation tells: a progress bar, or one line of JSON per event, or nothing. */
#ifndef SDW_CLI_EVENTS_H
#define SDW_CLI_EVENTS_H

#include <stdbool.h>
#include <stdio.h>

#include "sdw/request.h"
#include "sdw/sdw.h"

typedef struct sdw_cli_events {
    FILE *to;            /* lines for people, or JSON */
    bool json, quiet;
    bool bar;            /* standard error is a terminal: draw progress on it */
    bool bar_open;       /* a line of the bar stands unfinished */
    int bar_image;       /* the picture whose steps are being timed */
    int first_step;      /* seconds per step are counted from here */
    double first_seconds;
} sdw_cli_events;

/* Lines go to standard output, or to standard error when `picture_on_stdout`. */
void sdw_cli_events_init(sdw_cli_events *e, bool json, bool quiet, bool picture_on_stdout);

/* An sdw_warn_fn; ctx is the sdw_cli_events. */
void sdw_cli_events_warn(void *ctx, const char *sentence);
/* What the program decided by itself, such as the model it took. */
void sdw_cli_events_note(sdw_cli_events *e, const char *sentence);
void sdw_cli_events_start(sdw_cli_events *e, const sdw_request_record *r);
void sdw_cli_events_progress(sdw_cli_events *e, const sdw_progress *p);
/* A finished picture. path "-" is standard output. */
typedef struct sdw_cli_picture_event {
    const char *path;
    uint64_t seed;
    int index, width, height, steps;
    double seconds;      /* of the whole request so far */
} sdw_cli_picture_event;
void sdw_cli_events_picture(sdw_cli_events *e, const sdw_cli_picture_event *p);
void sdw_cli_events_done(sdw_cli_events *e, const sdw_result *r);
/* Ends an open bar; then, with json, tells the error as an event too. Standard error gets the line from the caller. */
void sdw_cli_events_failed(sdw_cli_events *e, const sdw_error *err);
void sdw_cli_events_end_bar(sdw_cli_events *e);
/* A text as JSON, with its quotes. */
void sdw_cli_put_json_text(FILE *to, const char *text);

#endif
