/* aliases.h - short names of known models, and the repositories that they stand for. */
#ifndef SDW_HUB_ALIASES_H
#define SDW_HUB_ALIASES_H

#include <stddef.h>

#define SDW_HUB_SPELLINGS_MAX 8
#define SDW_HUB_REPOSITORIES_MAX 3

typedef struct sdw_hub_alias {
    const char *variant;      /* "sd1.5": the model as such */
    const char *environment;  /* variable with a path to use instead; NULL = none */
    const char *spellings[SDW_HUB_SPELLINGS_MAX + 1];       /* the first one is the model's public name; ends with NULL */
    const char *repositories[SDW_HUB_REPOSITORIES_MAX + 1]; /* in the order in which they are tried; ends with NULL */
} sdw_hub_alias;

/* By a spelling or the variant, in any case; NULL if nobody knows it. Repository ids are not looked for here. */
const sdw_hub_alias *sdw_hub_alias_find(const char *name);
const sdw_hub_alias *sdw_hub_aliases(size_t *ret_count);

#endif
