/* cmd_info.c - sdw info: what a model is made of, and what a size of picture needs. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/engine_options.h"
#include "cli/events.h"
#include "core/mem.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "plan", .value = "WxH", .group = "output", .help = "also print the memory that a picture of this size needs",
          .range = "two multiples of 8 from 64 to 2048, such as 512x768" },
    };
    sdw_cli_add(o, rows, 1);
    sdw_cli_engine_options(o);
}

/* "512x768": digits, x, digits. */
static bool parse_sides(const char *text, int *width, int *height)
{
    static const char digits[] = "0123456789";
    size_t first = strspn(text, digits);
    if (!first || first > 5 || text[first] != 'x') return false;
    const char *second = text + first + 1;
    size_t length = strspn(second, digits);
    if (!length || length > 5 || second[length]) return false;
    *width = (int)strtol(text, NULL, 10);
    *height = (int)strtol(second, NULL, 10);
    return true;
}

static sdw_status read_size(const char *text, int *ret_width, int *ret_height, sdw_error *err)
{
    int width, height;
    if (parse_sides(text, &width, &height)) {
        *ret_width = width;
        *ret_height = height;
        return SDW_OK;
    }
    return sdw_fail(err, SDW_INVALID, "--plan: '%.40s' given, want a size such as 512x768", text);
}

static double mib(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void print_parts(const sdw_model_info *m)
{
    uint64_t parameters = 0, file = 0, packed = 0;
    printf("\n%-16s %14s  %-12s %12s %12s\n", "part", "parameters", "dtypes", "file MiB", "packed MiB");
    for (int i = 0; i < m->part_count; i++) {
        const sdw_part_info *p = &m->parts[i];
        printf("%-16s %14" PRIu64 "  %-12s %12.1f %12.1f\n", p->name, p->parameters, p->dtypes, mib(p->file_bytes),
               mib(p->packed_bytes));
        parameters += p->parameters;
        file += p->file_bytes;
        packed += p->packed_bytes;
    }
    printf("%-16s %14" PRIu64 "  %-12s %12.1f %12.1f\n", "all", parameters, "", mib(file), mib(packed));
}

static void print_model(const sdw_model_info *m)
{
    printf("model       %s\nfamily      %s (%s)\nclass       %s\n", m->path, m->family, m->family_summary, m->class_name);
    printf("prediction  %s\nscheduler   %s\nbackend     %s\n", m->prediction, m->scheduler, m->backend);
    printf("defaults    %dx%d, %d steps, guidance %g%s\n", m->default_width, m->default_height, m->default_steps,
           m->default_guidance, m->inpaint ? ", needs a picture and a mask" : "");
    print_parts(m);
}

/* A model that repaints is asked about a picture of that size, since it accepts nothing else. */
static sdw_status print_plan(sdw_engine *e, int width, int height, sdw_error *err)
{
    sdw_params p;
    sdw_cost cost;
    sdw_picture picture = { width, height, 3, NULL }, mask = { width, height, 1, NULL };
    sdw_params_init(&p);
    p.prompt = "";
    p.width = width;
    p.height = height;
    if (sdw_engine_info(e)->inpaint && width > 0 && height > 0) {
        picture.pixels = sdw_calloc((size_t)width * (size_t)height, 3);
        mask.pixels = sdw_calloc((size_t)width * (size_t)height, 1);
        p.init_image = &picture;
        p.mask = &mask;
    }
    sdw_status s = SDW_OK;
    if (p.init_image && (!picture.pixels || !mask.pixels)) s = sdw_fail_memory(err, "picture", (size_t)width * (size_t)height * 3);
    if (s == SDW_OK) s = sdw_estimate(e, &p, &cost, err);
    sdw_free(picture.pixels);
    sdw_free(mask.pixels);
    if (s != SDW_OK) return s;
    printf("\nmemory for %dx%d\n  weights      %10.1f MiB\n  activations  %10.1f MiB\n  in all       %10.1f MiB\n", width, height,
           mib(cost.weights), mib(cost.activations), mib(cost.total));
    printf("work for %dx%d\n  text         %10.1f GFLOP\n  one step     %10.1f GFLOP\n  VAE decode   %10.1f GFLOP\n", width, height,
           cost.gflop_text, cost.gflop_step, cost.gflop_vae_decode);
    return SDW_OK;
}

static sdw_status inform(sdw_cli_options *o, sdw_error *err)
{
    int width = 0, height = 0;
    const char *plan = sdw_cli_value(o, "plan");
    sdw_cli_model m = { 0 };
    sdw_cli_events events;
    sdw_engine *e = NULL;
    sdw_cli_events_init(&events, false, false, false);
    if (o->word_count && sdw_cli_value(o, "model"))
        return sdw_fail(err, SDW_INVALID, "MODEL: '%.300s' given beside --model, want one of the two", o->words[0]);
    if (plan && read_size(plan, &width, &height, err) != SDW_OK) return err->status;
    sdw_cli_model_defaults(&m, o->word_count ? o->words[0] : NULL, NULL, NULL, NULL);
    sdw_status s = sdw_cli_model_open(&m, o, &events, &e, err);
    if (s != SDW_OK) return s;
    print_model(sdw_engine_info(e));
    if (plan) s = print_plan(e, width, height, err);
    sdw_engine_close(e);
    return s;
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    return inform(o, &err) == SDW_OK ? SDW_EXIT_OK : sdw_cli_fail(&err);
}

const sdw_command sdw_command_info = {
    .name = "info", .summary = "what a model is made of, and what a size needs", .words = "[MODEL]", .words_max = 1,
    .intro = "Prints family, parts, parameter counts, dtypes and defaults of a model; with --plan the memory and the work\n"
             "for a size. Weights are not read.",
    .add_options = add_options, .run = run,
};
