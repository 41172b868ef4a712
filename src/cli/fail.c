/* fail.c - how every command tells an error. */
#include <stdio.h>

#include "cli/cli.h"

int sdw_cli_fail(const sdw_error *err)
{
    fprintf(stderr, "Error: %s\n", err->text[0] ? err->text : sdw_status_summary(err->status));
    return err->status == SDW_INVALID || err->field[0] ? SDW_EXIT_USAGE : SDW_EXIT_FAILURE;
}
