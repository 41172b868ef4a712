/* Names of samplers and schedules as they come from requests and from metadata of other programs. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    const char *sampler = NULL, *schedule = NULL, *other = NULL;
    sdw_error err = { 0 };
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (sdw_sampler_resolve(text, &sampler, &schedule, &err) == SDW_OK) {
        if (sdw_sampler_resolve(sampler, &other, &schedule, NULL) != SDW_OK || strcmp(sampler, other) != 0) abort();
    } else if (!err.text[0]) {
        abort();
    }
    if (sdw_schedule_resolve(text, &schedule, NULL) == SDW_OK) {
        if (sdw_schedule_resolve(schedule, &other, NULL) != SDW_OK || strcmp(schedule, other) != 0) abort();
    }
    free(text);
    return 0;
}
