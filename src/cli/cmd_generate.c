/* cmd_generate.c - sdw generate: a prompt becomes a picture file. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/engine_options.h"
#include "cli/events.h"
#include "cli/output.h"
#include "cli/remote_generate.h"
#include "cli/remote_options.h"
#include "cli/request.h"
#include "cli/signals.h"
#include "sdw/fields.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option output[] = {
        { .name = "output", .letter = 'o', .value = "FILE", .group = "output",
          .help = "where to write, PNG, JPEG or WebP by the ending; - is standard output; with --count name-1.png ...",
          .default_text = "sdw-SEED.png" },
        { .name = "force", .group = "output", .help = "overwrite files that exist" },
        { .name = "json", .group = "output",
          .help = "one line of JSON per event on standard output (on standard error with -o -)" },
        { .name = "quiet", .letter = 'q', .group = "output", .help = "print nothing but errors" },
        { .name = "list-samplers", .group = "output", .help = "print samplers and schedules and exit" },
    };
    sdw_cli_request_options(o);
    sdw_cli_add(o, output, (int)(sizeof output / sizeof output[0]));
    sdw_cli_remote_options(o, false);
    sdw_cli_engine_options(o);
}

/* ---- --list-samplers ---- */

static void list(const char *field, const char *heading)
{
    const sdw_field *f = sdw_field_find(field);
    sdw_choice c;
    printf("%s:\n", heading);
    for (size_t i = 0; sdw_field_choice(f, i, &c); i++) {
        printf("  %-16s %s", c.name, c.summary ? c.summary : "");
        if (c.label) printf(" [%s]", c.label);
        putchar('\n');
    }
}

static int list_samplers(void)
{
    list("sampler", "Samplers (--sampler); a name in brackets is that of AUTOMATIC1111's web UI and works too");
    list("schedule", "Schedules (--schedule)");
    return SDW_EXIT_OK;
}

/* ---- one run ---- */

typedef struct work {
    const sdw_cli_options *options;
    sdw_cli_events events;
    sdw_cli_request request;
    sdw_cli_output output;
    sdw_cli_model model;
    sdw_engine *engine;
    sdw_params resolved;
    sdw_result *result;
} work;

static bool on_progress(void *ctx, const sdw_progress *p)
{
    work *w = ctx;
    sdw_cli_events_progress(&w->events, p);
    return sdw_cli_signal() == 0;
}

/* The model and how it is read, for the metadata; what --from says fills in what the command line does not. */
static void borrow_from_record(work *w)
{
    sdw_request_record *r = &w->request.record;
    sdw_cli_model_defaults(&w->model, r->model, r->config_dir, r->variant, r->prediction);
    w->model.options.precision = r->precision;
}

static sdw_status open_engine(work *w, sdw_error *err)
{
    borrow_from_record(w);
    sdw_status s = sdw_cli_model_open(&w->model, w->options, &w->events, &w->engine, err);
    if (s != SDW_OK) return s;
    sdw_cli_signals_cancel(w->engine);
    const sdw_model_info *info = sdw_engine_info(w->engine);
    sdw_request_record *r = &w->request.record;
    r->model = w->model.name;
    r->config_dir = w->model.options.config_dir;
    r->variant = w->model.options.variant;
    r->prediction = w->model.options.prediction;
    r->family = info->family;
    r->backend = info->backend;
    r->precision = strcmp(info->precision, "f32") ? info->precision : NULL;
    return SDW_OK;
}

/* Draws the seed, which names the file: only now can the names be checked. */
static sdw_status resolve(work *w, sdw_error *err)
{
    sdw_status s = sdw_params_resolve(w->engine, &w->request.record.params, &w->resolved, err);
    if (s != SDW_OK) return s;
    w->output.seed = w->resolved.seed;
    w->output.count = w->resolved.count;
    s = sdw_cli_output_check(&w->output, err);
    if (s != SDW_OK) return s;
    sdw_request_record shown = w->request.record;
    shown.params = w->resolved;
    sdw_cli_events_start(&w->events, &shown);
    return SDW_OK;
}

/* Picture i repeated alone has its own seed; pictures from one generator can only be repeated together. */
static sdw_request_record record_of(const work *w, int i)
{
    sdw_request_record r = w->request.record;
    r.params = w->result->params;
    r.backend = NULL; /* it names the threads, and the same request gives the same bytes on any number of them */
    bool shared = r.params.rng_batch && !strcmp(r.params.rng_batch, "shared");
    if (!shared) {
        r.params.seed = w->result->seeds[i];
        r.params.count = 1;
    }
    return r;
}

static sdw_status write_pictures(work *w, sdw_error *err)
{
    const sdw_result *r = w->result;
    for (int i = 0; i < r->count; i++) {
        char path[PATH_MAX];
        sdw_request_record record = record_of(w, i);
        sdw_status s = sdw_cli_output_write(&w->output, i, &r->images[i], &record, err);
        if (s == SDW_OK) s = sdw_cli_output_name(&w->output, i, path, err);
        if (s != SDW_OK) return s;
        const sdw_cli_picture_event event = {
            .path = path, .seed = r->seeds[i], .index = i, .width = r->images[i].width, .height = r->images[i].height,
            .steps = r->steps_run, .seconds = r->seconds_text + r->seconds_steps + r->seconds_vae };
        sdw_cli_events_picture(&w->events, &event);
    }
    sdw_cli_events_done(&w->events, r);
    return SDW_OK;
}

static sdw_status work_through(work *w, sdw_error *err)
{
    const sdw_cli_options *o = w->options;
    w->output = (sdw_cli_output){ .path = sdw_cli_value(o, "output"), .count = 1, .replace = sdw_cli_on(o, "force") };
    sdw_cli_events_init(&w->events, sdw_cli_on(o, "json"), sdw_cli_on(o, "quiet"), sdw_cli_output_is_stdout(&w->output));
    sdw_status s = sdw_cli_request_read(o, &w->request, sdw_cli_events_warn, &w->events, err);
    if (s != SDW_OK) return s;
    const sdw_params *p = &w->request.record.params;
    if (p->count > 0) w->output.count = p->count;
    if (w->output.path) s = sdw_cli_output_check(&w->output, err); /* before a model is read */
    if (s == SDW_OK && sdw_cli_server(o)) return sdw_cli_remote_generate(o, &w->request, &w->output, &w->events, err);
    if (s == SDW_OK) s = open_engine(w, err);
    if (s == SDW_OK) s = resolve(w, err);
    if (s == SDW_OK) s = sdw_generate(w->engine, &w->resolved, on_progress, w, &w->result, err);
    if (s == SDW_OK && sdw_cli_signal()) s = sdw_fail(err, SDW_CANCELLED, "cancelled");
    sdw_cli_events_end_bar(&w->events);
    return s == SDW_OK ? write_pictures(w, err) : s;
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    work w = { .options = o };
    if (sdw_cli_on(o, "list-samplers")) return list_samplers();
    sdw_cli_catch_signals();
    sdw_status s = work_through(&w, &err);
    int code = SDW_EXIT_OK;
    if (s != SDW_OK) {
        sdw_cli_events_failed(&w.events, &err);
        code = sdw_cli_fail(&err);
        if (s == SDW_CANCELLED && sdw_cli_signal()) code = 128 + sdw_cli_signal();
    }
    sdw_cli_signals_cancel(NULL);
    sdw_result_free(w.result);
    sdw_engine_close(w.engine);
    sdw_cli_request_finish(&w.request);
    return code;
}

const sdw_command sdw_command_generate = {
    .name = "generate", .summary = "a prompt becomes a picture", .words = "",
    .intro = "Draws pictures from a prompt; with --init-image from a picture, with --mask only where the mask is white.\n"
             "PNG, JPEG and WebP files carry the whole request, so that --from FILE repeats it. Without --model the demo\n"
             "model is used.",
    .add_options = add_options, .run = run,
};
