/* output.c - see output.h. */
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/status.h"
#include "image/file.h"
#include "image/image.h"

bool sdw_cli_output_is_stdout(const sdw_cli_output *o)
{
    return o->path && !strcmp(o->path, "-");
}

sdw_status sdw_cli_output_name(const sdw_cli_output *o, int index, char ret_path[PATH_MAX], sdw_error *err)
{
    char name[64];
    const char *path = o->path;
    if (!path) {
        snprintf(name, sizeof name, "sdw-%" PRIu64 ".png", o->seed);
        path = name;
    }
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    if (!dot || (slash && dot < slash)) dot = path + strlen(path);
    int n = o->count > 1 ? snprintf(ret_path, PATH_MAX, "%.*s-%d%s", (int)(dot - path), path, index + 1, dot)
                         : snprintf(ret_path, PATH_MAX, "%s", path);
    if (n < 0 || n >= PATH_MAX)
        return sdw_fail(err, SDW_INVALID, "--output: a path of %zu bytes given, want less than %d", strlen(path), PATH_MAX);
    return SDW_OK;
}

const char *sdw_cli_output_format(const sdw_cli_output *o)
{
    return !o->path || sdw_cli_output_is_stdout(o) ? "png" : sdw_image_format_of_path(o->path);
}

sdw_status sdw_cli_output_check(const sdw_cli_output *o, sdw_error *err)
{
    char path[PATH_MAX];
    if (!sdw_cli_output_format(o))
        return sdw_fail(err, SDW_INVALID, "--output: '%.300s' given, want a name that ends in .png, .jpg or .webp, or -", o->path);
    if (sdw_cli_output_is_stdout(o)) {
        if (o->count > 1)
            return sdw_fail(err, SDW_INVALID, "--output: - given with --count %d, want one picture for one stream", o->count);
        if (isatty(STDOUT_FILENO))
            return sdw_fail(err, SDW_INVALID, "--output: - is a terminal here, want a pipe or a file");
        return SDW_OK;
    }
    for (int i = 0; i < (o->count > 1 ? o->count : 1); i++) {
        sdw_status s = sdw_cli_output_name(o, i, path, err);
        if (s == SDW_OK) s = sdw_image_check_target(path, o->replace, err);
        if (s != SDW_OK) return s;
    }
    return SDW_OK;
}

static sdw_status write_all(const char *bytes, size_t size, sdw_error *err)
{
    while (size) {
        ssize_t n = write(STDOUT_FILENO, bytes, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return sdw_fail(err, SDW_IO, "standard output: %s", strerror(errno));
        bytes += n;
        size -= (size_t)n;
    }
    return SDW_OK;
}

sdw_status sdw_cli_output_write_bytes(const sdw_cli_output *o, int index, const void *bytes, size_t size, sdw_error *err)
{
    char path[PATH_MAX];
    if (sdw_cli_output_is_stdout(o)) return write_all(bytes, size, err);
    sdw_status s = sdw_cli_output_name(o, index, path, err);
    return s == SDW_OK ? sdw_image_write_file(path, bytes, size, o->replace, err) : s;
}

sdw_status sdw_cli_output_write(const sdw_cli_output *o, int index, const sdw_picture *picture,
                                const sdw_request_record *r, sdw_error *err)
{
    const sdw_image image = { picture->width, picture->height, picture->channels, picture->pixels };
    char *infotext = NULL, *json = NULL;
    sdw_buf file;
    sdw_buf_init(&file, 0);
    sdw_status s = sdw_request_write_infotext(r, &infotext, err);
    if (s == SDW_OK) s = sdw_request_write_json(r, &json, err);
    if (s == SDW_OK) {
        const sdw_image_text texts[] = { { "parameters", infotext }, { "sdw", json } };
        const sdw_image_encode_options options = { .texts = texts, .text_count = 2 };
        s = sdw_image_encode(&image, sdw_cli_output_format(o), &options, &file, err);
    }
    if (s == SDW_OK) s = sdw_cli_output_write_bytes(o, index, file.data, file.size, err);
    sdw_text_free(infotext);
    sdw_text_free(json);
    sdw_buf_finish(&file);
    return s;
}
