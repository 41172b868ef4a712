/* program_name.h - what the name under which the program was called says (worker-protocol 2.1). */
#ifndef SDW_CLI_PROGRAM_NAME_H
#define SDW_CLI_PROGRAM_NAME_H

#include <stdbool.h>

typedef struct sdw_program_name {
    bool worker;         /* serves, without naming a command */
    const char *backend; /* "cpu", "cuda", "metal"; NULL = the best there is */
} sdw_program_name;

/* sd-worker-cpu, sd-worker-rbee-cpu, worker-cpu-8080, sd-worker-rbee ...; all others are not workers. */
sdw_program_name sdw_program_name_parse(const char *argv0);

#endif
