/* cmd_bench.c - sdw bench: stages of a picture against the machine's peak, as a table or as JSON. */
#include <stdlib.h>
#include <string.h>

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
        { .name = "compare", .value = "FILE", .group = "output", .help = "beside each stage, its time in an earlier --json output" },
    };
    sdw_cli_add(o, rows, (int)(sizeof rows / sizeof rows[0]));
    sdw_cli_engine_options(o);
}

/* Highest resident memory of this process so far, in MiB; 0 where the system does not tell. */
static double peak_memory(void)
{
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    if (!f) return 0;
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, "VmHWM:", 6)) kib = strtod(line + 6, NULL);
    fclose(f);
    return kib / 1024;
}

/* Seconds of a stage in an earlier run; 0 = not in it. */
static double earlier(yyjson_doc *doc, const char *name)
{
    yyjson_val *stages = yyjson_obj_get(yyjson_doc_get_root(doc), "stages"), *stage;
    size_t i, count;
    yyjson_arr_foreach(stages, i, count, stage)
        if (yyjson_equals_str(yyjson_obj_get(stage, "name"), name)) return yyjson_get_num(yyjson_obj_get(stage, "seconds"));
    return 0;
}

static void print_ops(const sdw_bench_stage *s, double peak)
{
    for (int i = 0; i < s->op_count; i++) {
        const sdw_bench_op *op = &s->op[i];
        double rate = op->seconds > 0 ? op->gflop / op->seconds : 0;
        printf("  %-44s %-11s %9.2f ms %8.2f GFLOP %6.1f %% of peak\n", op->name, op->kind, op->seconds * 1e3, op->gflop,
               peak > 0 ? 100 * rate / peak : 0);
    }
}

static void print_table(const sdw_model_info *m, const sdw_bench_result *r, yyjson_doc *before)
{
    printf("%s (%s) on %s\n%dx%d, %d rows a step, f32 multiply-add peak %.1f GFLOP/s, first use of the parts %.2f s\n\n",
           m->family, m->path, m->backend, r->width, r->height, r->rows, r->peak_gflops, r->seconds_load);
    printf("%-12s %10s %10s %10s %8s %10s %8s%s\n", "stage", "seconds", "GFLOP", "GFLOP/s", "ratio", "processor", "ratio", before ? "   earlier" : "");
    for (int i = 0; i < SDW_BENCH_STAGES; i++) {
        const sdw_bench_stage *s = &r->stage[i];
        printf("%-12s %10.4f %10.1f %10.1f %8.3f %10.4f %8.3f", s->name, s->seconds, s->gflop, s->seconds > 0 ? s->gflop / s->seconds : 0,
               s->ratio, s->cpu_seconds, s->cpu_ratio);
        if (before) printf(" %10.4f", earlier(before, s->name));
        putchar('\n');
        print_ops(s, r->peak_gflops);
    }
    printf("\nhighest resident memory %.0f MiB\n", peak_memory());
}

static void print_json(const sdw_model_info *m, const sdw_bench_result *r)
{
    printf("{\"family\":\"%s\",\"backend\":\"%s\",\"width\":%d,\"height\":%d,\"rows\":%d,\"peak_gflops\":%.2f,"
           "\"seconds_load\":%.4f,\"peak_memory_mib\":%.1f,\"stages\":[",
           m->family, m->backend, r->width, r->height, r->rows, r->peak_gflops, r->seconds_load, peak_memory());
    for (int i = 0; i < SDW_BENCH_STAGES; i++) {
        const sdw_bench_stage *s = &r->stage[i];
        printf("%s{\"name\":\"%s\",\"seconds\":%.6f,\"gflop\":%.4f,\"gflops\":%.3f,\"ratio\":%.4f,"
               "\"cpu_seconds\":%.6f,\"cpu_ratio\":%.4f", i ? "," : "", s->name, s->seconds, s->gflop,
               s->seconds > 0 ? s->gflop / s->seconds : 0, s->ratio, s->cpu_seconds, s->cpu_ratio);
        for (int k = 0; k < s->op_count; k++)
            printf("%s{\"name\":\"%s\",\"kind\":\"%s\",\"seconds\":%.6f,\"gflop\":%.5f}%s", k ? "," : ",\"ops\":[", s->op[k].name,
                   s->op[k].kind, s->op[k].seconds, s->op[k].gflop, k + 1 == s->op_count ? "]" : "");
        putchar('}');
    }
    puts("]}");
}

/* Width and height go by the rows of the request fields of that name. */
static sdw_status read_side(const sdw_cli_options *o, const char *name, sdw_params *p, sdw_error *err)
{
    const char *value = sdw_cli_value(o, name);
    return value ? sdw_field_parse(sdw_field_find(name), value, p, err) : SDW_OK;
}

static sdw_status measure(sdw_cli_options *o, sdw_error *err)
{
    sdw_bench_options options = { .ops = sdw_cli_on(o, "ops") };
    sdw_bench_result result;
    sdw_params p;
    sdw_cli_model m = { 0 };
    sdw_cli_events events;
    sdw_engine *e = NULL;
    yyjson_doc *before = NULL;
    const char *compare = sdw_cli_value(o, "compare");
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
    if (s == SDW_OK && json) print_json(sdw_engine_info(e), &result);
    else if (s == SDW_OK) print_table(sdw_engine_info(e), &result, before);
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
