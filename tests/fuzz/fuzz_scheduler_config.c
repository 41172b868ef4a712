/* A scheduler_config.json of anybody: reading it, then a short run of the sampler it names and of one that the
 * length of the input names. Must end with a status; a run that feeds on finite values may report SDW_NUMERIC. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/json.h"
#include "diffusion/names.h"
#include "diffusion/sampling.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void draw(void *ctx, float *dst, size_t n)
{
    (void)ctx;
    for (size_t i = 0; i < n; i++) dst[i] = 0.5f;
}

static void walk(const sdw_scheduler_config *config, const char *sampler, int steps)
{
    sdw_sampling_options o = { .sampler = sampler, .steps = steps, .strength = 1, .elements = 2 };
    sdw_sampling *s = NULL;
    sdw_error err = { 0 };
    if (sdw_sampling_create(config, &o, &s, &err) != SDW_OK) {
        if (!err.text[0]) abort();
        return;
    }
    float noise[2] = { 1, -1 }, input[2], timestep;
    int calls = 0;
    sdw_sampling_start_noise(s, noise);
    while (sdw_sampling_next(s, &timestep, input)) {
        float output[2] = { tanhf(input[0]), tanhf(input[1]) };
        if (++calls > 2 * steps + 1) abort();
        if (sdw_sampling_feed(s, output, draw, NULL, NULL, &err) != SDW_OK) break;
        if (!isfinite(sdw_sampling_state(s)[0])) abort();
    }
    sdw_sampling_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sdw_scheduler_config config;
    yyjson_doc *doc = NULL;
    sdw_sampling_name samplers[SDW_NAMES_MAX];
    if (sdw_json_parse((const char *)data, size, "config", NULL, &doc, NULL) != SDW_OK) return 0;
    if (sdw_scheduler_config_read(yyjson_doc_get_root(doc), "config", &config, NULL) == SDW_OK) {
        int steps = 1 + (int)(size % 17);
        walk(&config, NULL, steps);
        walk(&config, samplers[size % sdw_sampler_list(samplers, SDW_NAMES_MAX)].name, steps);
        sdw_scheduler_config_finish(&config);
    }
    yyjson_doc_free(doc);
    return 0;
}
