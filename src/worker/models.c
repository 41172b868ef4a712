/* models.c - see models.h. */
#include "worker/models.h"

#include <stdio.h>

#include "core/mem.h"

static bool copy_text(const char **text)
{
    if (!*text) return true;
    *text = sdw_strdup(*text);
    return *text != NULL;
}

sdw_model_entry *sdw_model_entry_create(const char *id, const sdw_engine_options *o)
{
    sdw_model_entry *m = sdw_calloc(1, sizeof *m);
    if (!m) return NULL;
    snprintf(m->id, sizeof m->id, "%s", id);
    m->holders = 1;
    m->options = *o;
    bool ok = copy_text(&m->options.model);
    ok = copy_text(&m->options.config_dir) && ok;
    ok = copy_text(&m->options.variant) && ok;
    ok = copy_text(&m->options.prediction) && ok;
    ok = copy_text(&m->options.isa) && ok;
    ok = copy_text(&m->options.precision) && ok;
    m->options.release_parts = 0; /* weights stay between jobs */
    if (ok) return m;
    sdw_model_entry_free(m, NULL);
    return NULL;
}

void sdw_model_entry_free(sdw_model_entry *m, const sdw_executor *x)
{
    if (!m) return;
    if (m->model) x->close(m->model);
    sdw_free((void *)m->options.model);
    sdw_free((void *)m->options.config_dir);
    sdw_free((void *)m->options.variant);
    sdw_free((void *)m->options.prediction);
    sdw_free((void *)m->options.isa);
    sdw_free((void *)m->options.precision);
    sdw_free(m);
}
