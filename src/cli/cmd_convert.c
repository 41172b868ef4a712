/* cmd_convert.c - sdw convert: any model that loads becomes one .safetensors file. */
#include <string.h>

#include "cli/cli.h"
#include "cli/engine_options.h"
#include "cli/events.h"
#include "cli/signals.h"
#include "model/convert.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "config", .value = "DIR", .group = "model",
          .help = "folder whose configs and scheduler describe a single file" },
        { .name = "variant", .value = "NAME", .group = "model", .help = "insist on these weight files, such as fp16" },
        { .name = "output", .letter = 'o', .value = "FILE", .group = "output", .help = "the file to write; it ends in .safetensors" },
        { .name = "dtype", .value = "NAME", .group = "output", .help = "type of the weights; with f8 vectors become f16",
          .range = "keep, f32, f16, bf16 or f8_e4m3", .default_text = "keep" },
        { .name = "naming", .value = "NAME", .group = "output",
          .help = "ldm: the names of original checkpoints; diffusers: those of a model folder behind the part's name",
          .range = "ldm or diffusers", .default_text = "ldm" },
        { .name = "force", .group = "output", .help = "overwrite a file that exists" },
        { .name = "quiet", .letter = 'q', .group = "output", .help = "print nothing but errors" },
    };
    sdw_cli_add(o, rows, (int)(sizeof rows / sizeof rows[0]));
}

static sdw_status read_naming(const char *text, sdw_convert_options *c, sdw_error *err)
{
    if (!text || !strcmp(text, "ldm")) c->naming = SDW_NAMING_LDM;
    else if (!strcmp(text, "diffusers")) c->naming = SDW_NAMING_DIFFUSERS;
    else return sdw_fail(err, SDW_INVALID, "--naming: '%.40s' given, want ldm or diffusers", text);
    return SDW_OK;
}

static sdw_status read_dtype(const char *text, sdw_convert_options *c, sdw_error *err)
{
    static const struct {
        const char *name;
        sdw_dtype dtype;
    } types[] = { { "f32", SDW_F32 }, { "f16", SDW_F16 }, { "bf16", SDW_BF16 }, { "f8_e4m3", SDW_F8_E4M3 } };
    c->keep_dtype = !text || !strcmp(text, "keep");
    if (c->keep_dtype) return SDW_OK;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(text, types[i].name)) {
            c->dtype = types[i].dtype;
            return SDW_OK;
        }
    return sdw_fail(err, SDW_INVALID, "--dtype: '%.40s' given, want one of keep, f32, f16, bf16, f8_e4m3", text);
}

static sdw_status read_options(const sdw_cli_options *o, sdw_convert_options *c, sdw_error *err)
{
    static const char ending[] = ".safetensors";
    const char *output = sdw_cli_value(o, "output");
    if (!o->word_count) return sdw_fail(err, SDW_INVALID, "MODEL: not given, want a model's name, folder or .safetensors file");
    if (!output) return sdw_fail(err, SDW_INVALID, "--output: not given, want a name that ends in %s", ending);
    size_t n = strlen(output), k = sizeof ending - 1;
    if (n <= k || strcmp(output + n - k, ending))
        return sdw_fail(err, SDW_INVALID, "--output: '%.300s' given, want a name that ends in %s", output, ending);
    c->model = o->words[0];
    c->output = output;
    c->config_dir = sdw_cli_value(o, "config");
    c->variant = sdw_cli_value(o, "variant");
    c->replace = sdw_cli_on(o, "force");
    sdw_status s = read_naming(sdw_cli_value(o, "naming"), c, err);
    return s == SDW_OK ? read_dtype(sdw_cli_value(o, "dtype"), c, err) : s;
}

static bool stopped(void *ctx)
{
    (void)ctx;
    return sdw_cli_signal() != 0;
}

static int run(sdw_cli_options *o)
{
    char place[PATH_MAX];
    sdw_error err = { 0 };
    sdw_cli_events events;
    sdw_warnings warnings = { 0 };
    sdw_convert_result result;
    sdw_convert_options options = { .cancelled = stopped };
    sdw_cli_events_init(&events, false, sdw_cli_on(o, "quiet"), false);
    sdw_status s = read_options(o, &options, &err);
    sdw_cli_catch_signals();
    if (s == SDW_OK) s = sdw_cli_find_model(options.model, options.variant, &events, place, &err);
    options.model = place;
    if (s == SDW_OK) s = sdw_convert(&options, &result, &warnings, &err);
    for (size_t i = 0; i < warnings.count; i++) sdw_cli_events_warn(&events, warnings.text[i]);
    sdw_warnings_finish(&warnings);
    if (s != SDW_OK) {
        int code = sdw_cli_fail(&err);
        return s == SDW_CANCELLED && sdw_cli_signal() ? 128 + sdw_cli_signal() : code;
    }
    if (!events.quiet)
        printf("%s: %s, %d tensors, %.1f MiB\n", options.output, result.family, result.tensors, (double)result.bytes / (1 << 20));
    return SDW_EXIT_OK;
}

const sdw_command sdw_command_convert = {
    .name = "convert", .summary = "a model becomes one .safetensors file", .words = "MODEL", .words_max = 1,
    .intro = "Reads a model (folder, single file, or a name as --model takes it) and writes it as one file in the naming and\n"
             "the type asked for. The file carries the model's configurations, so that it is loaded as what it was; tokenizers\n"
             "it cannot carry. Memory stays small whatever the model's size.",
    .add_options = add_options, .run = run,
};
