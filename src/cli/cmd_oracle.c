/* cmd_oracle.c - sdw oracle: reference vectors computed again, a line for each. */
#include "cli/cli.h"
#include "cli/engine_options.h"
#include "oracle/oracle.h"

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "only", .value = "TEXT", .group = "what to replay", .help = "only vectors whose name contains this" },
        { .name = "failures", .group = "output", .help = "print failures and the totals only" },
        { .name = "threads", .value = "N", .group = "machine", .help = "threads to compute with",
          .range = "a whole number from 1 to 1024", .default_text = "all that the process may use" },
        { .name = "isa", .value = "NAME", .group = "machine", .help = "use no instructions beyond these",
          .range = "scalar, avx2 or avx512", .default_text = "$SDW_CPU_MAX, else the best there is" },
        { SDW_CLI_PRECISION, .group = "machine", .default_text = "$SDW_PRECISION, else f32" },
    };
    sdw_cli_add(o, rows, (int)(sizeof rows / sizeof rows[0]));
}

static void print_line(void *ctx, const sdw_oracle_line *l)
{
    static const char *const outcomes[] = { "pass", "FAIL", "skip" };
    const bool *failures_only = ctx;
    if (*failures_only && l->outcome != SDW_ORACLE_FAILED) return;
    printf("%s  %s %s", outcomes[l->outcome], l->folder, l->name);
    if (l->measured) printf("  rel %.2e  max %.2e", l->rel_l2, l->max_diff);
    if (l->reason && l->reason[0]) printf("  (%s)", l->reason);
    putchar('\n');
}

static void print_warning(void *ctx, const char *sentence)
{
    (void)ctx;
    fprintf(stderr, "Warning: %s\n", sentence);
}

static sdw_status replay(sdw_cli_options *o, sdw_oracle_totals *totals, sdw_error *err)
{
    bool failures_only = sdw_cli_on(o, "failures");
    sdw_oracle_options options = { .isa = sdw_cli_value(o, "isa"), .precision = sdw_cli_value(o, "precision"), .only = sdw_cli_value(o, "only"), .line = print_line,
                                   .warn = print_warning, .ctx = &failures_only };
    sdw_status s = sdw_cli_int(o, "threads", 1, 1024, 0, &options.threads, err);
    if (s == SDW_OK && !o->word_count)
        s = sdw_fail(err, SDW_INVALID, "DIR: not given, want a folder of reference vectors");
    for (int i = 0; i < o->word_count && s == SDW_OK; i++) s = sdw_oracle_replay(o->words[i], &options, totals, err);
    return s;
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    sdw_oracle_totals t = { 0 };
    if (replay(o, &t, &err) != SDW_OK) return sdw_cli_fail(&err);
    printf("%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped);
    return t.failed || !t.passed ? SDW_EXIT_FAILURE : SDW_EXIT_OK;
}

const sdw_command sdw_command_oracle = {
    .name = "oracle", .summary = "replay reference vectors and compare", .words = "DIR...", .words_max = SDW_CLI_WORDS_MAX,
    .intro = "Computes again what a reference implementation computed, through the code that generate uses, and prints a\n"
             "line per vector: relative L2 error and largest difference. DIR is a model folder with golden.safetensors or\n"
             "a folder of such folders. The exit code is 1 if a vector fails, or if nothing passes.",
    .add_options = add_options, .run = run,
};
