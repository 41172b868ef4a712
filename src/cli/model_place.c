/* model_place.c - looking for the demo model beside the program. */
#include "cli/model_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The folder of the running program; false where the system does not tell. */
static bool program_folder(char folder[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    if (n <= 0) return false;
    folder[n] = '\0';
    char *slash = strrchr(folder, '/');
    if (!slash) return false;
    *(slash == folder ? slash + 1 : slash) = '\0';
    return true;
}

static bool is_model(const char *folder)
{
    char index[PATH_MAX];
    int n = snprintf(index, sizeof index, "%s/model_index.json", folder);
    return n > 0 && n < PATH_MAX && access(index, R_OK) == 0;
}

sdw_status sdw_cli_demo_model(char ret_path[PATH_MAX], sdw_error *err)
{
    static const char *const places[] = { "demo-model", "../share/sdw/demo-model", "../demo/model", "../../demo/model" };
    char folder[PATH_MAX], path[PATH_MAX];
    const char *named = getenv("SDW_DEMO_MODEL");
    if (named && *named) { /* errors about it are those of opening it */
        if (strlen(named) >= PATH_MAX)
            return sdw_fail(err, SDW_INVALID, "SDW_DEMO_MODEL: %zu bytes given, want a path below %d", strlen(named), PATH_MAX);
        snprintf(ret_path, PATH_MAX, "%s", named);
        return SDW_OK;
    }
    if (!program_folder(folder))
        return sdw_fail(err, SDW_NOT_FOUND, "no model named, and the system does not tell where this program lies; use --model");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        int n = snprintf(path, sizeof path, "%s/%s", folder, places[i]);
        if (n <= 0 || n >= PATH_MAX || !is_model(path)) continue;
        if (!realpath(path, ret_path)) snprintf(ret_path, PATH_MAX, "%s", path);
        return SDW_OK;
    }
    return sdw_fail(err, SDW_NOT_FOUND,
                    "no model named, and no demo model at $SDW_DEMO_MODEL, %.200s/demo-model or %.200s/../share/sdw/demo-model;"
                    " use --model", folder, folder);
}
