/* serve_options.h - the one table of what `sdw serve` can be told, and the three places where it may be written: command
 * line, environment, --config file, in this order of precedence (worker-protocol 2.2). */
#ifndef SDW_CLI_SERVE_OPTIONS_H
#define SDW_CLI_SERVE_OPTIONS_H

#include "cli/options.h"
#include "core/arena.h"
#include "core/buf.h"

/* Adds the table. */
void sdw_serve_options(sdw_cli_options *o);

/* What the other two places hold; texts that `o` borrows. Zero-initialise. */
typedef struct sdw_serve_sources {
    sdw_buf file;       /* the config file's bytes, cut into lines in place */
    sdw_arena names;    /* "sdw.conf:3" */
} sdw_serve_sources;

/* Fills in what the command line (already parsed into o) left open. SDW_INVALID names the variable, or file and line;
 * SDW_NOT_FOUND, SDW_IO: the file. */
sdw_status sdw_serve_read_sources(sdw_cli_options *o, sdw_serve_sources *s, sdw_error *err);
void sdw_serve_sources_finish(sdw_serve_sources *s);

/* The lines of a config file: "flag-name = value", '#' begins a comment line, blank lines are skipped. `text` is cut in
 * place and borrowed. what: the file's name, for errors. */
sdw_status sdw_serve_parse_config(sdw_cli_options *o, char *text, const char *what, sdw_arena *names, sdw_error *err);

/* The four ways to name a model, best first. */
extern const char *const sdw_serve_model_options[];

#endif
