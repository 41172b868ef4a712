/* remote_options.c - see remote_options.h. */
#include "cli/remote_options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/signals.h"
#include "core/file.h"

#define KEY_MAX 8192

void sdw_cli_remote_options(sdw_cli_options *o, bool always)
{
    const sdw_cli_option rows[] = {
        { .name = "server", .value = "URL", .env = "SDW_SERVER", .group = "server",
          .help = always ? "the worker to ask" : "let this worker draw instead of this program",
          .default_text = always ? SDW_CLI_SERVER_DEFAULT : NULL },
        { .name = "api-key-file", .value = "FILE", .group = "server", .help = "file that holds the worker's key; else $SDW_API_KEY" },
    };
    sdw_cli_add(o, rows, 2);
}

const char *sdw_cli_server(const sdw_cli_options *o)
{
    const char *given = sdw_cli_value(o, "server"), *variable = getenv("SDW_SERVER");
    return given ? given : variable && *variable ? variable : NULL;
}

static bool is_cancelled(void *ctx)
{
    (void)ctx;
    return sdw_cli_signal() != 0;
}

static sdw_status read_key(const sdw_cli_options *o, sdw_buf *key, sdw_error *err)
{
    const char *path = sdw_cli_value(o, "api-key-file"), *variable = getenv("SDW_API_KEY");
    sdw_buf_init(key, KEY_MAX);
    if (path) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) return sdw_fail(err, SDW_NOT_FOUND, "--api-key-file: %s: %s", path, strerror(errno));
        sdw_status s = sdw_file_read(fd, path, "API key", KEY_MAX - 1, key, err);
        close(fd);
        if (s != SDW_OK) return s;
        while (key->size && strchr(" \t\r\n", key->data[key->size - 1])) key->data[--key->size] = '\0';
    } else if (variable && *variable) {
        sdw_buf_puts(key, variable);
    }
    for (size_t i = 0; i < key->size; i++)
        if ((unsigned char)key->data[i] < 0x20) return sdw_fail(err, SDW_INVALID, "API key: holds a control byte, want one line of text");
    return SDW_OK;
}

sdw_status sdw_cli_remote_open(const sdw_cli_options *o, sdw_buf *key, sdw_remote **ret, sdw_error *err)
{
    const char *server = sdw_cli_server(o);
    sdw_status s = read_key(o, key, err);
    if (s != SDW_OK) return s;
    const sdw_remote_options options = { .url = server ? server : SDW_CLI_SERVER_DEFAULT, .key = key->size ? key->data : NULL, .cancelled = is_cancelled };
    return sdw_remote_open(&options, ret, err);
}
