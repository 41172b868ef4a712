/* engine_options.h - opening an engine from a command line: which model, how much of the machine. */
#ifndef SDW_CLI_ENGINE_OPTIONS_H
#define SDW_CLI_ENGINE_OPTIONS_H

#include <limits.h>

#include "cli/download.h"
#include "cli/events.h"
#include "cli/options.h"
#include "sdw/sdw.h"

/* What the option rows of --precision have in common, here and where there is no model or another default. */
#define SDW_CLI_PRECISION                                                                                                     \
    .name = "precision", .value = "NAME", .help = "arithmetic of the heavy layers; auto = the fastest here that keeps near f32", \
    .range = "f32, f16, bf16, int8 or auto"

/* Adds --model, --config, --variant, --prediction, --threads, --memory-limit, --isa, --precision. */
void sdw_cli_engine_options(sdw_cli_options *o);

typedef struct sdw_cli_model {
    sdw_engine_options options; /* texts borrowed from the command line, the defaults and the place below */
    const char *name;           /* the model as it was named: a path, an alias, a repository */
    char place[PATH_MAX];       /* where that is */
} sdw_cli_model;

/* What to take where the command line says nothing; each may be NULL. A model that is named on the command line makes
 * all of them void: they belong to the other model. */
void sdw_cli_model_defaults(sdw_cli_model *m, const char *model, const char *config_dir, const char *variant,
                            const char *prediction);
/* From a model's name to the place where it lies, over the network if need be. */
sdw_status sdw_cli_find_model(const char *name, const char *variant, sdw_cli_events *events, char ret_place[PATH_MAX], sdw_error *err);
/* Fills in the command line, falls back to the demo model and says so, fetches a model that is named and not there,
 * opens. events is told of warnings and must outlive the engine. */
sdw_status sdw_cli_model_open(sdw_cli_model *m, const sdw_cli_options *o, sdw_cli_events *events, sdw_engine **ret,
                              sdw_error *err);
/* The same up to opening. */
sdw_status sdw_cli_model_fill(sdw_cli_model *m, const sdw_cli_options *o, sdw_cli_events *events, sdw_error *err);

#endif
