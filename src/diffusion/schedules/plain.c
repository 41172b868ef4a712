/* plain.c - the timetable as its spacing gives it. */
#include "diffusion/schedule.h"

extern const sdw_schedule sdw_schedule_plain;
const sdw_schedule sdw_schedule_plain = {
    .name = "plain",
    .summary = "the sampler's own timetable",
    .label = "Automatic",
};
