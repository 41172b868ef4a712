/* cmd_bench.c - sdw bench: stages of a picture against the machine's peak, as a table or as JSON. */
#include <stdlib.h>
#include <string.h>

#include "cli/bench_report.h"
#include "cli/cli.h"
#include "cli/engine_options.h"
#include "cli/events.h"
#include "core/json.h"
#include "oracle/bench.h"
#include "sdw/fields.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "width", .value = "N", .group = "what to run", .help = "width of the picture",
          .range = "a multiple of 8 from 64 to 2048", .default_text = "the model's" },
        { .name = "height", .value = "N", .group = "what to run", .help = "height of the picture",
          .range = "a multiple of 8 from 64 to 2048", .default_text = "the model's" },
        { .name = "steps", .value = "N", .group = "what to run", .help = "timed denoising steps, of which the median counts",
          .range = "a whole number from 1 to 100", .default_text = "3" },
        { .name = "json", .group = "output", .help = "print one JSON object" },
        { .name = "ops", .group = "output", .help = "also print the slowest single operations of each stage" },
        { .name = "plan", .group = "output", .help = "also print every operation of each stage, with the bytes that it moves, and sums by kind" },
        { .name = "save", .value = "FILE", .group = "output", .help = "also write the JSON object to a file, over an older one" },
        { .name = "compare", .value = "FILE", .group = "output",
          .help = "beside each stage and operation its time in a saved file, by ratio to the peak that was measured there" },
    };
    sdw_cli_add(o, rows, (int)(sizeof rows / sizeof rows[0]));
    sdw_cli_engine_options(o);
}

/* Width and height go by the rows of the request fields of that name. */
static sdw_status read_side(const sdw_cli_options *o, const char *name, sdw_params *p, sdw_error *err)
{
    const char *value = sdw_cli_value(o, name);
    return value ? sdw_field_parse(sdw_field_find(name), value, p, err) : SDW_OK;
}

static sdw_status measure(sdw_cli_options *o, sdw_error *err)
{
    bool plan = sdw_cli_on(o, "plan");
    sdw_bench_options options = { .ops = plan || sdw_cli_on(o, "ops") };
    sdw_bench_result result = { 0 };
    sdw_params p;
    sdw_cli_model m = { 0 };
    sdw_cli_events events;
    sdw_engine *e = NULL;
    yyjson_doc *before = NULL;
    const char *compare = sdw_cli_value(o, "compare"), *save = sdw_cli_value(o, "save");
    bool json = sdw_cli_on(o, "json");
    sdw_params_init(&p);
    sdw_cli_events_init(&events, false, json, false); /* JSON stands alone */
    sdw_status s = sdw_cli_int(o, "steps", 1, 100, 3, &options.steps, err);
    if (s == SDW_OK) s = read_side(o, "width", &p, err);
    if (s == SDW_OK) s = read_side(o, "height", &p, err);
    options.width = p.width;
    options.height = p.height;
    if (s == SDW_OK && compare) s = sdw_json_read_file(compare, &(sdw_json_limits){ .top = SDW_JSON_OBJECT }, &before, err);
    if (s == SDW_OK) s = sdw_cli_model_open(&m, o, &events, &e, err);
    if (s == SDW_OK) s = sdw_bench_run(e, &options, &result, err);
    if (s == SDW_OK && save) s = sdw_bench_save(save, sdw_engine_info(e), &result, err);
    if (s == SDW_OK && json) s = sdw_bench_print_json(sdw_engine_info(e), &result, err);
    else if (s == SDW_OK) sdw_bench_print_table(sdw_engine_info(e), &result, plan, before);
    sdw_bench_result_free(&result);
    sdw_engine_close(e);
    yyjson_doc_free(before);
    return s;
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    return measure(o, &err) == SDW_OK ? SDW_EXIT_OK : sdw_cli_fail(&err);
}

const sdw_command sdw_command_bench = {
    .name = "bench", .summary = "how fast a model runs, against the machine's peak", .words = "",
    .intro = "Times prompt encoding, one denoising step and the VAE decode of a picture. GFLOP are counted from the plan; the\n"
             "peak is the rate of f32 multiply-adds measured in the same run; ratio is time / (GFLOP / peak), so 1 is the\n"
             "roofline. The second pair of columns counts processor time over threads instead of wall time: other\n"
             "programs on the machine do not stretch it.",
    .add_options = add_options, .run = run,
};
