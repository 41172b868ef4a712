/* names.c - one table of aliases for the command line, the HTTP interfaces and metadata of other programs. */
#include "diffusion/names.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "diffusion/registry.h"

#define TEXT_MAX 64

typedef struct alias {
    const char *alias, *name;
} alias;

/* Beyond the canonical name, the class (with and without "Scheduler") and the A1111 label, which the records hold.
 * "k_" in front (old A1111) is accepted everywhere and needs no rows. */
static const alias sampler_aliases[] = {
    { "euler_ancestral", "euler_a" },
    { "plms", "pndm" },
    { "dpm_2", "dpm2" }, { "kdpm2", "dpm2" }, { "k_dpm_2", "dpm2" },
    { "dpm_2_a", "dpm2_a" }, { "dpm_2_ancestral", "dpm2_a" }, { "kdpm2_a", "dpm2_a" }, { "dpm2_ancestral", "dpm2_a" },
    { "dpm++", "dpmpp_2m" }, { "dpmpp", "dpmpp_2m" }, { "dpm_solver_multistep", "dpmpp_2m" },
    { "dpm_solver++", "dpmpp_2m" }, { "dpm_solver", "dpmpp_2m" },
    { "dpm++ 3M", "dpmpp_3m" }, { "dpm++ 2S", "dpmpp_2s" }, { "dpm_solver_singlestep", "dpmpp_2s" },
    { "uni_pc", "unipc" }, { "uni_pc_bh2", "unipc" },
};

static const alias schedule_aliases[] = {
    { "default", "plain" }, { "auto", "plain" }, { "none", "plain" },
    { "uniform", "normal" }, { "discrete", "normal" },
    { "poly_exponential", "exponential" }, { "polyexponential", "exponential" },
    { "sgmuniform", "sgm_uniform" },
};

/* Names of other algorithms: a near-miss would silently give other pictures. */
static const alias lacking[] = {
    { "dpm++ 2S a", "dpmpp_2s" }, { "dpmpp_2s_ancestral", "dpmpp_2s" },
    { "dpm++ SDE", "dpmpp_2m_sde" }, { "dpmpp_sde_gpu", "dpmpp_2m_sde" }, { "DPMSolverSDEScheduler", "dpmpp_2m_sde" },
    { "dpm++ 3M SDE", "dpmpp_2m_sde" }, { "dpmpp_3m_sde_gpu", "dpmpp_2m_sde" },
    { "dpm++ 2M SDE Heun", "dpmpp_2m_sde" },
    { "dpm fast", "dpmpp_2m" }, { "dpm adaptive", "dpmpp_2m" }, { "dpm_ad", "dpmpp_2m" },
    { "restart", "heun" }, { "ddim cfg++", "ddim" }, { "uni_pc_bh1", "unipc" },
    { "ipndm", "pndm" }, { "ipndm_v", "pndm" }, { "heunpp2", "heun" }, { "EDMEulerScheduler", "euler" },
};

/* Lower case, '-' and '_' to ' ', "++" to "pp", runs of blanks to one; false if it does not fit. */
static bool normalise(const char *text, char *dst)
{
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
        if (c == '-' || c == '_' || c == '\t') c = ' ';
        if (c == ' ' && (n == 0 || dst[n - 1] == ' ')) continue;
        if (n + 1 >= TEXT_MAX) return false;
        if (c == '+') c = 'p';
        dst[n++] = c;
    }
    while (n > 0 && dst[n - 1] == ' ') n--;
    dst[n] = '\0';
    return true;
}

static bool same(const char *normalised, const char *name)
{
    char other[TEXT_MAX];
    return name && normalise(name, other) && !strcmp(normalised, other);
}

static const char *look_up(const char *normalised, const alias *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (same(normalised, rows[i].alias)) return rows[i].name;
    return NULL;
}

#define LOOK_UP(normalised, rows) look_up(normalised, rows, sizeof(rows) / sizeof(rows)[0])

/* "eulerdiscrete" for EulerDiscreteScheduler. */
static bool is_class(const char *normalised, const char *class_name)
{
    char other[TEXT_MAX];
    if (!class_name || !normalise(class_name, other)) return false;
    if (!strcmp(normalised, other)) return true;
    size_t n = strlen(other), tail = strlen("scheduler");
    if (n <= tail) return false;
    other[n - tail] = '\0';
    return !strcmp(normalised, other);
}

static const char *find_sampler(const char *normalised)
{
    size_t count;
    const sdw_sampler *const *all = sdw_sampler_records(&count);
    for (size_t i = 0; i < count; i++)
        if (same(normalised, all[i]->name) || same(normalised, all[i]->label)) return all[i]->name;
    for (size_t i = 0; i < count; i++)
        if (is_class(normalised, all[i]->class_name)) return all[i]->name;
    const char *name = LOOK_UP(normalised, sampler_aliases);
    if (!name && !strncmp(normalised, "k ", 2)) return find_sampler(normalised + 2);
    return name;
}

static const char *find_schedule(const char *normalised)
{
    size_t count;
    const sdw_schedule *const *all = sdw_schedule_records(&count);
    for (size_t i = 0; i < count; i++)
        if (same(normalised, all[i]->name) || same(normalised, all[i]->label)) return all[i]->name;
    return LOOK_UP(normalised, schedule_aliases);
}

/* Cuts a schedule off the end of `name` ("euler karras", A1111's old "dpmpp 2m ka"); NULL if there is none. */
static const char *cut_schedule(char *name)
{
    static const alias tails[] = {
        { "karras", "karras" }, { "exponential", "exponential" }, { "beta", "beta" }, { "sgm uniform", "sgm_uniform" },
        { "simple", "simple" }, { "normal", "normal" }, { "ddim uniform", "ddim_uniform" }, { "ka", "karras" },
        { "exp", "exponential" } };
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        size_t tail = strlen(tails[i].alias);
        if (n > tail + 1 && name[n - tail - 1] == ' ' && !strcmp(name + n - tail, tails[i].alias)) {
            name[n - tail - 1] = '\0';
            return tails[i].name;
        }
    }
    return NULL;
}

/* "a, b, c" of all names, cut where it no longer fits. */
static const char *join(char *dst, size_t size, bool schedules)
{
    size_t count, at = 0;
    const sdw_sampler *const *samplers = sdw_sampler_records(&count);
    const sdw_schedule *const *all = NULL;
    if (schedules) all = sdw_schedule_records(&count);
    dst[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *name = all ? all[i]->name : samplers[i]->name;
        int wrote = snprintf(dst + at, size - at, "%s%s", i ? ", " : "", name);
        if (wrote < 0 || (size_t)wrote >= size - at) break;
        at += (size_t)wrote;
    }
    return dst;
}

static sdw_status unknown(const char *field, const char *name, bool schedules, sdw_error *err)
{
    char list[320];
    return sdw_fail_field(err, SDW_INVALID, field, "%s \"%.60s\" is not known; there are: %s", field, name,
                          join(list, sizeof list, schedules));
}

sdw_status sdw_sampler_resolve(const char *name, const char **ret_sampler, const char **ret_schedule, sdw_error *err)
{
    char text[TEXT_MAX];
    if (!normalise(name, text)) return unknown("sampler", name, false, err);
    const char *found = find_sampler(text), *schedule = NULL;
    if (!found && !LOOK_UP(text, lacking) && (schedule = cut_schedule(text)) != NULL) found = find_sampler(text);
    if (!found) {
        const char *bare = !strncmp(text, "k ", 2) ? text + 2 : text;
        const char *nearest = LOOK_UP(bare, lacking);
        if (nearest)
            return sdw_fail_field(err, SDW_INVALID, "sampler", "sampler \"%.60s\" is an algorithm that is not "
                                  "built in; the nearest one is %s", name, nearest);
        return unknown("sampler", name, false, err);
    }
    *ret_sampler = found;
    *ret_schedule = schedule;
    return SDW_OK;
}

sdw_status sdw_schedule_resolve(const char *name, const char **ret_schedule, sdw_error *err)
{
    char text[TEXT_MAX];
    const char *found = normalise(name, text) ? find_schedule(text) : NULL;
    if (!found) return unknown("schedule", name, true, err);
    *ret_schedule = found;
    return SDW_OK;
}

size_t sdw_sampler_list(sdw_sampling_name *ret_rows, size_t most)
{
    size_t count;
    const sdw_sampler *const *all = sdw_sampler_records(&count);
    for (size_t i = 0; i < count && i < most; i++)
        ret_rows[i] = (sdw_sampling_name){ all[i]->name, all[i]->summary, all[i]->label, all[i]->class_name };
    return count;
}

size_t sdw_schedule_list(sdw_sampling_name *ret_rows, size_t most)
{
    size_t count;
    const sdw_schedule *const *all = sdw_schedule_records(&count);
    for (size_t i = 0; i < count && i < most; i++)
        ret_rows[i] = (sdw_sampling_name){ all[i]->name, all[i]->summary, all[i]->label, NULL };
    return count;
}

const char *sdw_sampler_label(const char *name)
{
    const sdw_sampler *sampler = name ? sdw_sampler_find(name) : NULL;
    return sampler && sampler->label ? sampler->label : name;
}

const char *sdw_schedule_label(const char *name)
{
    const sdw_schedule *schedule = name ? sdw_schedule_find(name) : NULL;
    return schedule && schedule->label ? schedule->label : name;
}

static const char *nth_alias(const char *name, size_t index, const alias *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(rows[i].name, name) && index-- == 0) return rows[i].alias;
    return NULL;
}

const char *sdw_sampler_alias(const char *name, size_t i)
{
    return nth_alias(name, i, sampler_aliases, sizeof sampler_aliases / sizeof sampler_aliases[0]);
}

const char *sdw_schedule_alias(const char *name, size_t i)
{
    return nth_alias(name, i, schedule_aliases, sizeof schedule_aliases / sizeof schedule_aliases[0]);
}
