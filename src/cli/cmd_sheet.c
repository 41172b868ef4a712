/* cmd_sheet.c - sdw sheet: several pictures side by side in one file. */
#include <string.h>

#include "cli/cli.h"
#include "image/file.h"
#include "image/geometry.h"

enum { GAP_DEFAULT = 8, GAP_MAX = 256, SIDE_MIN = 8, SIDE_MAX = 2048 };

static void add_options(sdw_cli_options *o)
{
    static const sdw_cli_option rows[] = {
        { .name = "output", .letter = 'o', .value = "FILE", .group = "output", .help = "where to write, PNG, JPEG or WebP by the ending" },
        { .name = "columns", .value = "N", .group = "output", .help = "pictures in one row",
          .range = "a whole number from 1 to 64", .default_text = "as many as make the sheet square" },
        { .name = "side", .value = "N", .group = "output", .help = "fit each picture into N x N pixels",
          .range = "a whole number from 8 to 2048", .default_text = "the size of the first picture" },
        { .name = "gap", .value = "N", .group = "output", .help = "white pixels between two pictures",
          .range = "a whole number from 0 to 256", .default_text = "8" },
        { .name = "quality", .value = "N", .group = "output", .help = "of JPEG and WebP",
          .range = "a whole number from 1 to 100", .default_text = "the format's own" },
        { .name = "force", .group = "output", .help = "overwrite a file that exists" },
        { .name = "quiet", .letter = 'q', .group = "output", .help = "print nothing but errors" },
    };
    sdw_cli_add(o, rows, (int)(sizeof rows / sizeof rows[0]));
}

typedef struct sheet {
    const char *output, *format;
    bool replace;
    int columns, side, gap, quality;
    int width, height; /* of one picture */
    sdw_image *canvas;
} sheet;

static sdw_status read_options(const sdw_cli_options *o, sheet *t, sdw_error *err)
{
    t->output = sdw_cli_value(o, "output");
    t->replace = sdw_cli_on(o, "force");
    if (!o->word_count) return sdw_fail(err, SDW_INVALID, "FILE: not given, want pictures to lay side by side");
    if (!t->output) return sdw_fail(err, SDW_INVALID, "--output: not given, want a name that ends in .png, .jpg or .webp");
    t->format = sdw_image_format_of_path(t->output);
    if (!t->format)
        return sdw_fail(err, SDW_INVALID, "--output: '%.300s' given, want a name that ends in .png, .jpg or .webp", t->output);
    int square = 1;
    while (square * square < o->word_count) square++;
    sdw_status s = sdw_cli_int(o, "columns", 1, SDW_CLI_WORDS_MAX, square, &t->columns, err);
    if (s == SDW_OK) s = sdw_cli_int(o, "side", SIDE_MIN, SIDE_MAX, 0, &t->side, err);
    if (s == SDW_OK) s = sdw_cli_int(o, "gap", 0, GAP_MAX, GAP_DEFAULT, &t->gap, err);
    if (s == SDW_OK) s = sdw_cli_int(o, "quality", 1, 100, 0, &t->quality, err);
    if (t->columns > o->word_count) t->columns = o->word_count;
    return s == SDW_OK ? sdw_image_check_target(t->output, t->replace, err) : s;
}

/* The first picture decides how large each is. */
static sdw_status create_canvas(sheet *t, const sdw_image *first, int count, sdw_error *err)
{
    t->width = t->side ? t->side : first->width;
    t->height = t->side ? t->side : first->height;
    int rows = (count + t->columns - 1) / t->columns;
    int64_t width = (int64_t)t->columns * (t->width + t->gap) - t->gap;
    int64_t height = (int64_t)rows * (t->height + t->gap) - t->gap;
    if (width > INT32_MAX || height > INT32_MAX)
        return sdw_fail(err, SDW_LIMIT, "sheet of %lldx%lld pixels: too large", (long long)width, (long long)height);
    sdw_status s = sdw_image_create((int)width, (int)height, 3, &t->canvas, err);
    if (s == SDW_OK) memset(t->canvas->pixels, 255, sdw_image_bytes(t->canvas));
    return s;
}

static void paste(sheet *t, const sdw_image *picture, int index)
{
    size_t stride = (size_t)t->canvas->width * 3, row = (size_t)t->width * 3;
    size_t x = (size_t)(index % t->columns) * (size_t)(t->width + t->gap);
    size_t y = (size_t)(index / t->columns) * (size_t)(t->height + t->gap);
    for (int i = 0; i < t->height; i++)
        memcpy(t->canvas->pixels + (y + (size_t)i) * stride + x * 3, picture->pixels + (size_t)i * row, row);
}

static sdw_status lay(sheet *t, const char *path, int index, int count, sdw_error *err)
{
    sdw_image *picture = NULL, *fitted = NULL;
    sdw_status s = sdw_image_decode_file(path, NULL, &picture, err);
    if (s == SDW_OK && !t->canvas) s = create_canvas(t, picture, count, err);
    if (s == SDW_OK) s = sdw_image_fit(picture, t->width, t->height, SDW_FIT_PAD, SDW_FILTER_LANCZOS, &fitted, err);
    if (s == SDW_OK) paste(t, fitted, index);
    sdw_image_free(picture);
    sdw_image_free(fitted);
    return s;
}

static sdw_status write_sheet(const sheet *t, sdw_error *err)
{
    sdw_buf bytes;
    sdw_buf_init(&bytes, 0);
    const sdw_image_encode_options how = { .quality = t->quality, .level = 6 };
    sdw_status s = sdw_image_encode(t->canvas, t->format, &how, &bytes, err);
    if (s == SDW_OK) s = sdw_image_write_file(t->output, bytes.data, bytes.size, t->replace, err);
    sdw_buf_finish(&bytes);
    return s;
}

static int run(sdw_cli_options *o)
{
    sdw_error err = { 0 };
    sheet t = { 0 };
    sdw_status s = read_options(o, &t, &err);
    for (int i = 0; i < o->word_count && s == SDW_OK; i++) s = lay(&t, o->words[i], i, o->word_count, &err);
    if (s == SDW_OK) s = write_sheet(&t, &err);
    if (s == SDW_OK && !sdw_cli_on(o, "quiet"))
        printf("%s: %dx%d, %d pictures\n", t.output, t.canvas->width, t.canvas->height, o->word_count);
    sdw_image_free(t.canvas);
    return s == SDW_OK ? SDW_EXIT_OK : sdw_cli_fail(&err);
}

const sdw_command sdw_command_sheet = {
    .name = "sheet", .summary = "pictures side by side in one file", .words = "FILE...", .words_max = SDW_CLI_WORDS_MAX,
    .intro = "Lays PNG, JPEG or WebP pictures side by side, row by row. Pictures of another size than the first are fitted\n"
             "into its size; their edge pixels fill what is left.",
    .add_options = add_options, .run = run,
};
