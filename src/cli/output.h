/* output.h - where pictures go: names, refusals before any work, metadata, files written whole. */
#ifndef SDW_CLI_OUTPUT_H
#define SDW_CLI_OUTPUT_H

#include <limits.h>
#include <stdbool.h>

#include "sdw/request.h"

typedef struct sdw_cli_output {
    const char *path;    /* of -o; NULL = sdw-SEED.png */
    uint64_t seed;       /* of the request, for the default name */
    int count;           /* pictures in all; more than one are numbered: name-1.png */
    bool replace;        /* --force */
} sdw_cli_output;

bool sdw_cli_output_is_stdout(const sdw_cli_output *o);
/* What can be refused before a model is opened: a format that nobody knows, a terminal as the target, several pictures
 * into one stream, and, with -o, files that exist. */
sdw_status sdw_cli_output_check(const sdw_cli_output *o, sdw_error *err);
/* Name of picture `index` (from 0). */
sdw_status sdw_cli_output_name(const sdw_cli_output *o, int index, char ret_path[PATH_MAX], sdw_error *err);
/* "png", "jpeg" or "webp" by the name; NULL if it has another ending. */
const char *sdw_cli_output_format(const sdw_cli_output *o);
/* Bytes of a picture file as they are. */
sdw_status sdw_cli_output_write_bytes(const sdw_cli_output *o, int index, const void *bytes, size_t size, sdw_error *err);
/* Encodes with metadata and writes a temporary file that is then renamed, or writes to standard output. */
sdw_status sdw_cli_output_write(const sdw_cli_output *o, int index, const sdw_picture *picture,
                                const sdw_request_record *r, sdw_error *err);

#endif
