/* cmd_random_model.c - sdw random-model: full-size weights that draw noise, for benches and memory tests. */
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "oracle/random_model.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "family", .value = "NAME", .group = "model", .help = "which model",
          .range = "sd15, sd15-inpaint, sd21, sd21-inpaint, sd-turbo, sdxl, sdxl-inpaint or sdxl-turbo", .default_text = "sd15" },
        { .name = "dtype", .value = "NAME", .group = "model", .help = "type of the weights", .range = "f16, bf16 or f32",
          .default_text = "f16" },
        { .name = "seed", .value = "N", .group = "model", .help = "start of the random numbers",
          .range = "a whole number from 0 to 2147483647", .default_text = "1" },
        { .name = "output", .letter = 'o', .value = "PATH", .group = "output",
          .help = "a folder in diffusers layout, or one file in the original naming if it ends in .safetensors" },
        { .name = "force", .group = "output", .help = "overwrite files that exist" },
    };
    sdw_cli_add(o, rows, (int)(sizeof rows / sizeof rows[0]));
}

static sdw_status read_dtype(const char *name, sdw_dtype *ret, sdw_error *err)
{
    if (!name || !strcmp(name, "f16")) *ret = SDW_F16;
    else if (!strcmp(name, "bf16")) *ret = SDW_BF16;
    else if (!strcmp(name, "f32")) *ret = SDW_F32;
    else return sdw_fail(err, SDW_INVALID, "--dtype: '%.40s' given, want one of f16, bf16, f32", name);
    return SDW_OK;
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    int seed = 1;
    int64_t parameters = 0;
    const char *family = sdw_cli_value(o, "family");
    sdw_random_model_options options = { .family = family ? family : "sd15", .output = sdw_cli_value(o, "output"),
                                         .replace = sdw_cli_on(o, "force") };
    sdw_status s = sdw_cli_int(o, "seed", 0, 2147483647, 1, &seed, &err);
    options.seed = (uint64_t)seed;
    if (s == SDW_OK) s = read_dtype(sdw_cli_value(o, "dtype"), &options.dtype, &err);
    if (s == SDW_OK && !options.output) s = sdw_fail(&err, SDW_INVALID, "--output: not given, want a folder or a .safetensors file");
    if (s == SDW_OK) s = sdw_random_model_write(&options, &parameters, &err);
    if (s != SDW_OK) return sdw_cli_fail(&err);
    printf("%s: %s with random weights, %" PRId64 " values\n", options.output, options.family, parameters);
    return SDW_EXIT_OK;
}

const sdw_command sdw_command_random_model = {
    .name = "random-model", .summary = "write a full-size model with random weights", .words = "",
    .intro = "Writes a model with the dimensions of a published one and random weights, for benches and memory tests. It\n"
             "draws noise.",
    .add_options = add_options, .run = run,
};
