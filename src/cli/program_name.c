/* program_name.c - see program_name.h. */
#include "cli/program_name.h"

#include <string.h>

static const char *const backends[] = { "cpu", "cuda", "metal" };

/* The backend that `text` begins with, followed by nothing or by '-' and digits if `numbered`. */
static const char *backend_of(const char *text, bool numbered)
{
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(backends[i]);
        if (strncmp(text, backends[i], n) != 0) continue;
        const char *rest = text + n;
        if (!numbered) return *rest ? NULL : backends[i];
        if (*rest == '-' && rest[1] && !rest[1 + strspn(rest + 1, "0123456789")]) return backends[i];
    }
    return NULL;
}

sdw_program_name sdw_program_name_parse(const char *argv0)
{
    static const struct { const char *prefix; bool numbered; } forms[] = {
        { "sd-worker-rbee-", false }, { "sd-worker-", false }, { "worker-", true },
    };
    const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;
    sdw_program_name ret = { false, NULL };
    if (!strcmp(name, "sd-worker-rbee")) ret.worker = true;
    for (int i = 0; i < 3 && !ret.worker; i++) {
        size_t n = strlen(forms[i].prefix);
        if (strncmp(name, forms[i].prefix, n) != 0) continue;
        ret.backend = backend_of(name + n, forms[i].numbered);
        ret.worker = ret.backend != NULL;
    }
    return ret;
}
