/* engine_options.c - see engine_options.h. */
#include "cli/engine_options.h"

#include <stdio.h>
#include <string.h>

#include "cli/model_place.h"
#include "hub/resolve.h"

void sdw_cli_engine_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "model", .letter = 'm', .value = "MODEL", .group = "model",
          .help = "folder in diffusers layout, .safetensors file, repository ORG/NAME[@REVISION], or short name such as turbo; "
                  "fetched if it is not there",
          .default_text = "the demo model" },
        { .name = "config", .value = "DIR", .group = "model",
          .help = "folder whose configs, tokenizers and scheduler describe a single file" },
        { .name = "variant", .value = "NAME", .group = "model", .help = "insist on these weight files, such as fp16" },
        { .name = "prediction", .value = "NAME", .group = "model", .help = "what the model predicts, whatever its config says",
          .range = "epsilon, v_prediction or sample" },
        { .name = "threads", .value = "N", .group = "machine", .help = "threads to compute with",
          .range = "a whole number from 1 to 1024", .default_text = "all that the process may use" },
        { .name = "memory-limit", .value = "BYTES", .group = "machine",
          .help = "refuse a request that needs more memory; K, M, G and T may follow", .default_text = "what the machine has" },
        { .name = "isa", .value = "NAME", .group = "machine", .help = "use no instructions beyond these",
          .range = "scalar, avx2 or avx512", .default_text = "$SDW_CPU_MAX, else the best there is" },
        { SDW_CLI_PRECISION, .group = "machine", .default_text = "$SDW_PRECISION, else f32" },
    };
    sdw_cli_add(o, rows, (int)(sizeof rows / sizeof rows[0]));
}

void sdw_cli_model_defaults(sdw_cli_model *m, const char *model, const char *config_dir, const char *variant,
                            const char *prediction)
{
    m->options.model = model;
    m->options.config_dir = config_dir;
    m->options.variant = variant;
    m->options.prediction = prediction;
}

static void override(const char **at, const sdw_cli_options *o, const char *name)
{
    const char *value = sdw_cli_value(o, name);
    if (value) *at = value;
}

sdw_status sdw_cli_find_model(const char *name, const char *variant, sdw_cli_events *events, char ret_place[PATH_MAX], sdw_error *err)
{
    sdw_hub_settings settings = { 0 };
    sdw_cli_download download;
    const sdw_hub_hooks hooks = sdw_cli_download_hooks(&download, events);
    const sdw_hub_model wish = { .name = name, .variant = variant };
    sdw_status s = sdw_hub_settings_read(&settings, NULL, NULL, err);
    if (s == SDW_OK) s = sdw_hub_resolve(&settings, &wish, &hooks, ret_place, err);
    sdw_hub_settings_finish(&settings);
    sdw_cli_events_end_bar(events);
    return s;
}

sdw_status sdw_cli_model_fill(sdw_cli_model *m, const sdw_cli_options *o, sdw_cli_events *events, sdw_error *err)
{
    sdw_engine_options *e = &m->options;
    if (sdw_cli_value(o, "model")) sdw_cli_model_defaults(m, NULL, NULL, NULL, NULL);
    override(&e->model, o, "model");
    override(&e->config_dir, o, "config");
    override(&e->variant, o, "variant");
    override(&e->prediction, o, "prediction");
    override(&e->isa, o, "isa");
    override(&e->precision, o, "precision");
    sdw_status s = sdw_cli_int(o, "threads", 1, 1024, 0, &e->threads, err);
    if (s == SDW_OK) s = sdw_cli_bytes(o, "memory-limit", &e->memory_limit, err);
    if (s != SDW_OK) return s;
    m->name = e->model;
    s = e->model ? sdw_cli_find_model(e->model, e->variant, events, m->place, err) : sdw_cli_demo_model(m->place, err);
    if (s != SDW_OK) return s;
    if (e->model) {
        e->model = m->place;
        return SDW_OK;
    }
    m->name = e->model = m->place;
    char note[PATH_MAX + 80];
    snprintf(note, sizeof note, "No --model given: drawing with the demo model %s", m->place);
    sdw_cli_events_note(events, note);
    return SDW_OK;
}

sdw_status sdw_cli_model_open(sdw_cli_model *m, const sdw_cli_options *o, sdw_cli_events *events, sdw_engine **ret,
                              sdw_error *err)
{
    sdw_status s = sdw_cli_model_fill(m, o, events, err);
    if (s != SDW_OK) return s;
    m->options.release_parts = 1;
    m->options.warn = sdw_cli_events_warn;
    m->options.warn_ctx = events;
    return sdw_engine_open(&m->options, ret, err);
}
