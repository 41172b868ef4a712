/* model_names.c - see model_names.h. */
#include "server/model_names.h"

#include <string.h>

static const struct row {
    const char *family, *version, *variant;
} rows[] = {
    { "sd15", "v1-5", "sd1.5" },
    { "sd15-inpaint", "v1-5-inpaint", "sd1.5-inpaint" },
    { "sd21", "v2-1", "sd2.1" },
    { "sd21-inpaint", "v2-inpaint", "sd2-inpaint" },
    { "sd-turbo", "sd-turbo", "sd-turbo" },
    { "sdxl", "xl", "sdxl" },
    { "sdxl-inpaint", "xl-inpaint", "sdxl-inpaint" },
    { "sdxl-turbo", "turbo", "sdxl-turbo" },
};

static const struct row *find(const char *family)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!strcmp(rows[i].family, family)) return &rows[i];
    return NULL;
}

const char *sdw_family_version(const char *family)
{
    const struct row *r = find(family);
    return r ? r->version : "other";
}

const char *sdw_family_variant(const char *family)
{
    const struct row *r = find(family);
    return r ? r->variant : "other";
}

const char *sdw_model_version(sdw_worker *w)
{
    sdw_worker_model_info *m;
    if (!sdw_worker_model(w, &m)) return "";
    const char *version = sdw_family_version(sdw_worker_model_info_of(m)->family);
    sdw_worker_model_info_free(m);
    return version;
}
