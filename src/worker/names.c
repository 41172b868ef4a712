/* names.c - see names.h; the order is that of the enumerations. */
#include "worker/names.h"

#include <string.h>

#include "core/uuid.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static const char *const kinds[] = { "generation", "transform", "inpaint" };
static const char *const previews[] = { "latent", "vae", "none" };

static const char *name_of(const char *const *names, int count, int i)
{
    return i >= 0 && i < count ? names[i] : "unknown";
}

/* -1: none. */
static int index_of(const char *const *names, int count, const char *word)
{
    for (int i = 0; word && i < count; i++)
        if (strcmp(names[i], word) == 0) return i;
    return -1;
}

const char *sdw_kind_word(sdw_job_kind k)
{
    return name_of(kinds, COUNT(kinds), (int)k);
}

const char *sdw_preview_word(sdw_preview_kind k)
{
    return name_of(previews, COUNT(previews), (int)k);
}

bool sdw_kind_of_word(const char *word, sdw_job_kind *ret)
{
    int i = index_of(kinds, COUNT(kinds), word);
    if (i >= 0) *ret = (sdw_job_kind)i;
    return i >= 0;
}

bool sdw_preview_of_word(const char *word, sdw_preview_kind *ret)
{
    int i = index_of(previews, COUNT(previews), word);
    if (i >= 0) *ret = (sdw_preview_kind)i;
    return i >= 0;
}

bool sdw_status_of_word(const char *word, sdw_job_status *ret)
{
    for (int i = SDW_JOB_QUEUED; word && i <= SDW_JOB_WAS_CANCELLED; i++)
        if (strcmp(sdw_job_status_name((sdw_job_status)i), word) == 0) {
            *ret = (sdw_job_status)i;
            return true;
        }
    return false;
}

bool sdw_is_job_id(const char *text)
{
    return strncmp(text, "job-", 4) == 0 && sdw_is_uuid_v4(text + 4);
}
