/* serve_options.c - see serve_options.h. A new option is a row here and its use in serve_config.c. */
#include "cli/serve_options.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/engine_options.h"
#include "core/file.h"
#include "core/mem.h"

#define CONFIG_MAX ((size_t)1 << 20)

static const sdw_cli_option rows[] = {
    { .name = "model-path", .value = "PATH", .env = "MODEL_PATH", .group = "model", .help = "folder in diffusers layout, or one .safetensors file; the first choice" },
    { .name = "sd-version", .value = "NAME", .env = "SD_VERSION", .group = "model", .help = "model by its short name, such as v1-5, xl or turbo; the second choice" },
    { .name = "model", .letter = 'm', .value = "MODEL", .group = "model", .help = "short name, repository id, catalogue id or path; the third choice" },
    { .name = "model-ref", .value = "MODEL", .group = "model", .help = "the same, the last choice" },
    { .name = "model-config", .value = "DIR", .group = "model", .help = "folder whose configs, tokenizers and scheduler describe a single file" },
    { .name = "variant", .value = "NAME", .group = "model", .help = "insist on these weight files, such as fp16" },
    { .name = "prediction", .value = "NAME", .group = "model", .help = "what the model predicts, whatever its config says", .range = "epsilon or v_prediction" },
    { .name = "models-dir", .value = "DIR", .repeatable = true, .group = "model", .help = "where names of models are looked up first" },
    { .name = "lora-dir", .value = "DIR", .repeatable = true, .group = "model", .help = "where names of LoRAs are looked up", .default_text = "~/.cache/rbee/loras" },
    { .name = "model-switch", .group = "model", .help = "`model` in a request selects a model" },

    { .name = "port", .value = "N", .env = "PORT", .group = "address", .help = "0 takes a free one; the log tells which", .range = "a whole number from 0 to 65535", .default_text = "8081" },
    { .name = "bind-addr", .value = "ADDR", .group = "address", .help = "address to listen on", .default_text = "127.0.0.1" },
    { .name = "worker-id", .value = "TEXT", .env = "WORKER_ID", .group = "address", .help = "name of this worker", .default_text = "sd-worker-PORT" },
    { .name = "public-url", .value = "URL", .group = "address", .help = "base of the addresses in answers", .default_text = "made from the Host header" },
    { .name = "local-mode", .group = "address", .help = "listen on 127.0.0.1 without a key; refuses to start with one" },

    { .name = "api-key", .value = "TEXT", .env = "SDW_API_KEY LLORCH_API_TOKEN", .group = "access", .help = "bearer token that requests need; others on this machine can read a command line" },
    { .name = "api-key-file", .value = "FILE", .group = "access", .help = "file that holds the token" },
    { .name = "cors-origin", .value = "ORIGIN", .repeatable = true, .env = "SDW_CORS_ORIGINS", .group = "access", .help = "origin whose pages may use the worker; * = every one; commas in the variable" },
    { .name = "allowed-host", .value = "NAME", .repeatable = true, .env = "SDW_ALLOWED_HOSTS", .group = "access", .help = "further name in the Host header; * = every one; commas in the variable" },
    { .name = "allow-image-urls", .group = "access", .help = "fetch pictures that a request names by address" },

    { .name = "backend", .value = "NAME", .group = "device", .help = "what computes", .range = "cpu, cuda or metal", .default_text = "what the program's name says, else the best there is" },
    { .name = "device", .value = "NAME", .group = "device", .help = "which one: N, cpu, cuda:N, metal:N or GPU-N" },
    { .name = "cuda-device", .value = "N", .env = "CUDA_DEVICE", .group = "device", .help = "index of the CUDA device", .default_text = "0" },
    { .name = "metal-device", .value = "N", .env = "METAL_DEVICE", .group = "device", .help = "index of the Metal device", .default_text = "0" },
    { .name = "rocm-device", .value = "N", .env = "ROCM_DEVICE", .group = "device", .help = "accepted and not used" },
    { .name = "use-f16", .env = "USE_F16", .group = "device", .help = "the older word for --precision auto" },
    { SDW_CLI_PRECISION, .env = "SDW_PRECISION", .group = "device", .default_text = "f32" },
    { .name = "use-flash-attn", .env = "USE_FLASH_ATTN", .group = "device", .help = "a hint; attention is always computed in blocks here" },
    { .name = "threads", .value = "N", .group = "device", .help = "threads to compute with", .range = "a whole number from 1 to 1024", .default_text = "all that the process may use" },
    { .name = "memory-limit", .value = "BYTES", .group = "device", .help = "refuse a request that needs more memory; K, M, G and T may follow", .default_text = "what the machine has" },
    { .name = "isa", .value = "NAME", .group = "device", .help = "use no instructions beyond these", .range = "scalar, avx2 or avx512", .default_text = "$SDW_CPU_MAX, else the best there is" },

    { .name = "preview-every", .value = "N", .group = "jobs", .help = "steps between previews; 0 = none", .range = "a whole number from 0 to 150", .default_text = "5" },
    { .name = "job-timeout", .value = "SECONDS", .group = "jobs", .help = "time limit of a job from its start; 0 = none", .default_text = "0" },
    { .name = "max-queue", .value = "N", .group = "jobs", .help = "waiting jobs", .range = "a whole number from 1 to 100000", .default_text = "128" },
    { .name = "max-queue-bytes", .value = "BYTES", .group = "jobs", .help = "bytes of their inputs", .default_text = "1G" },
    { .name = "max-batch", .value = "N", .group = "jobs", .help = "pictures that may share one step; 0 = what memory allows, 1 = one after the other", .range = "a whole number from 0 to 64", .default_text = "0" },
    { .name = "cancel-on-disconnect", .group = "jobs", .help = "cancel a job when its last reader has been gone for 5 s" },

    { .name = "state", .value = "DIR", .group = "results", .help = "folder for the journal and results; accepted jobs survive a restart" },
    { .name = "result-ttl", .value = "SECONDS", .group = "results", .help = "how long a finished job is kept", .default_text = "600; with --state 7 days" },
    { .name = "result-bytes", .value = "BYTES", .group = "results", .help = "bytes of results that are kept", .default_text = "256M; with --state 10G" },
    { .name = "max-results", .value = "N", .group = "results", .help = "finished jobs that are kept", .range = "a whole number from 1 to 1000000", .default_text = "64; with --state 10000" },

    { .name = "queen-url", .value = "URL", .group = "orchestrator", .help = "where heartbeats go" },
    { .name = "hive-url", .value = "URL", .group = "orchestrator", .help = "the same under its older name" },
    { .name = "heartbeat", .negatable = true, .group = "orchestrator", .help = "send heartbeats; alone, to http://localhost:7833", .default_text = "on with --queen-url" },
    { .name = "callback-url", .value = "URL", .env = "CALLBACK_URL", .group = "orchestrator", .help = "told once when the model is loaded" },

    { .name = "max-body", .value = "BYTES", .group = "limits", .help = "of one request", .default_text = "64M" },
    { .name = "max-body-total", .value = "BYTES", .group = "limits", .help = "of all requests in memory", .default_text = "512M" },
    { .name = "max-image-pixels", .value = "N", .group = "limits", .help = "pixels of one input picture", .range = "a whole number from 64 to 67108864", .default_text = "67108864" },
    { .name = "header-timeout", .value = "SECONDS", .group = "limits", .help = "for the head of a request", .default_text = "10" },
    { .name = "body-timeout", .value = "SECONDS", .group = "limits", .help = "for its body", .default_text = "300" },
    { .name = "idle-timeout", .value = "SECONDS", .group = "limits", .help = "for a connection between two requests", .default_text = "75" },
    { .name = "write-timeout", .value = "SECONDS", .group = "limits", .help = "for a reader that takes no byte", .default_text = "60" },
    { .name = "max-connections", .value = "N", .group = "limits", .help = "open connections; the last 32 answer health routes only", .range = "a whole number from 64 to 65536", .default_text = "1024" },
    { .name = "max-connections-per-client", .value = "N", .group = "limits", .help = "of one address; of this machine only if given", .range = "a whole number from 1 to 65536", .default_text = "256" },
    { .name = "max-streams", .value = "N", .group = "limits", .help = "open event streams", .range = "a whole number from 1 to 65536", .default_text = "768" },

    { .name = "no-ui", .group = "page", .help = "serve a line of text in place of the page" },
    { .name = "ui-dir", .value = "DIR", .group = "page", .help = "serve the page from this folder" },
    { .name = "ui-frame-ancestors", .value = "HOSTS", .group = "page", .help = "further hosts that may show the page in a frame" },
    { .name = "open", .group = "page", .help = "open the page in the desktop's browser once it is served" },

    { .name = "config", .value = "FILE", .group = "process", .help = "further options, one `flag-name = value` a line" },
    { .name = "no-metrics", .group = "process", .help = "GET /metrics answers 501" },
    { .name = "no-slots", .group = "process", .help = "GET /slots answers 501" },
    { .name = "drain", .value = "SECONDS", .group = "process", .help = "time that running jobs get after SIGTERM", .default_text = "0" },
    { .name = "log-file", .value = "FILE", .group = "process", .help = "where the log goes", .default_text = "standard error" },
    { .name = "log-json", .env = "SDW_LOG_JSON", .group = "process", .help = "log lines as JSON; also LLORCH_LOG_FORMAT=json" },
    { .name = "log-level", .value = "WORD", .env = "SDW_LOG_LEVEL", .group = "process", .help = "how much is logged; also the first level word of RUST_LOG", .range = "error, warn, info or debug", .default_text = "info" },
};

const char *const sdw_serve_model_options[] = { "model-path", "sd-version", "model", "model-ref", NULL };

void sdw_serve_options(sdw_cli_options *o)
{
    sdw_cli_add(o, rows, (int)(sizeof rows / sizeof rows[0]));
}

/* A model that is named in one place makes what other places say about it void. */
static bool names_model(const sdw_cli_options *o)
{
    for (const char *const *m = sdw_serve_model_options; *m; m++)
        if (sdw_cli_value(o, *m)) return true;
    return false;
}

static bool is_model_option(const char *name)
{
    for (const char *const *m = sdw_serve_model_options; *m; m++)
        if (!strcmp(*m, name)) return true;
    return false;
}

/* ---- environment ---- */

/* "SDW_BIND_ADDR" of "bind-addr" */
static void own_variable(const char *name, char to[64])
{
    size_t n = (size_t)snprintf(to, 64, "SDW_");
    for (; *name && n < 63; name++) to[n++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
    to[n] = '\0';
}

/* The first of the row's variables that is set and not empty; *ret_name lives in the arena. */
static const char *variable_of(const sdw_cli_option *row, sdw_arena *names, const char **ret_name)
{
    char list[64];
    if (row->env) snprintf(list, sizeof list, "%s", row->env);
    else own_variable(row->name, list);
    for (char *save = NULL, *name = strtok_r(list, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
        const char *value = getenv(name);
        if (!value || !*value) continue;
        *ret_name = sdw_arena_strdup(names, name);
        return value;
    }
    return NULL;
}

/* Repeatable options come as a list with commas. */
static sdw_status set_list(sdw_cli_options *o, int option, const char *value, const char *origin, sdw_arena *names, sdw_error *err)
{
    char *copy = sdw_arena_strdup(names, value), *save = NULL;
    if (!copy) return sdw_fail_memory(err, "environment", strlen(value));
    for (char *part = strtok_r(copy, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
        part += strspn(part, " ");
        if (!*part) continue;
        sdw_status s = sdw_cli_set(o, option, part, origin, err);
        if (s != SDW_OK) return s;
    }
    return SDW_OK;
}

static sdw_status read_environment(sdw_cli_options *o, sdw_arena *names, sdw_error *err)
{
    bool model_known = names_model(o);
    for (int i = 0; i < o->count; i++) {
        const sdw_cli_option *row = &o->option[i];
        const char *origin = NULL;
        if (o->given[i] || (model_known && is_model_option(row->name))) continue;
        const char *value = variable_of(row, names, &origin);
        if (!value) continue;
        if (!origin) return sdw_fail_memory(err, "environment", 0);
        sdw_status s = row->repeatable ? set_list(o, i, value, origin, names, err) : sdw_cli_set(o, i, value, origin, err);
        if (s != SDW_OK) return s;
    }
    return SDW_OK;
}

/* ---- the file ---- */

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t n = strlen(text);
    while (n && strchr(" \t\r", text[n - 1])) text[--n] = '\0';
    return text;
}

typedef struct config {
    sdw_cli_options *o;
    const char *what;
    sdw_arena *names;
    bool model_known, set[SDW_CLI_OPTIONS_MAX]; /* set by this file */
} config;

static sdw_status parse_line(config *c, char *line, int number, sdw_error *err)
{
    char *equals = strchr(line, '=');
    if (!equals) return sdw_fail(err, SDW_INVALID, "%s:%d: '%.40s', want flag-name = value", c->what, number, line);
    *equals = '\0';
    char *name = trim(line), *value = trim(equals + 1);
    if (!strncmp(name, "--", 2)) name += 2;
    int i = sdw_cli_find(c->o, name);
    if (i < 0 || !strcmp(name, "config"))
        return sdw_fail(err, SDW_INVALID, "%s:%d: '%.40s' is no option of sdw serve", c->what, number, name);
    if ((c->o->given[i] && !c->set[i]) || (c->model_known && is_model_option(name))) return SDW_OK;
    const char *origin = sdw_arena_printf(c->names, "%s:%d: %s", c->what, number, name);
    if (!origin) return sdw_fail_memory(err, "config file", 0);
    c->set[i] = true;
    return sdw_cli_set(c->o, i, value, origin, err);
}

sdw_status sdw_serve_parse_config(sdw_cli_options *o, char *text, const char *what, sdw_arena *names, sdw_error *err)
{
    config c = { .o = o, .what = what, .names = names, .model_known = names_model(o) };
    int number = 0;
    while (text) {
        char *line = text, *newline = strchr(text, '\n');
        if (newline) *newline = '\0';
        text = newline ? newline + 1 : NULL;
        number++;
        line = trim(line);
        if (!*line || *line == '#') continue;
        sdw_status s = parse_line(&c, line, number, err);
        if (s != SDW_OK) return s;
    }
    return SDW_OK;
}

static sdw_status read_file(sdw_cli_options *o, sdw_serve_sources *s, sdw_error *err)
{
    const char *path = sdw_cli_value(o, "config");
    if (!path) return SDW_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sdw_fail_errno(err, path, "open");
    sdw_status status = sdw_file_read(fd, path, "config file", CONFIG_MAX, &s->file, err);
    close(fd);
    if (status != SDW_OK || !s->file.size) return status;
    if (!sdw_buf_append(&s->file, "", 1)) return sdw_fail_memory(err, path, s->file.size); /* the NUL that ends the text */
    s->file.size--;
    if (strlen(s->file.data) != s->file.size) return sdw_fail(err, SDW_INVALID, "%s: holds a NUL byte, want text", path);
    return sdw_serve_parse_config(o, s->file.data, path, &s->names, err);
}

sdw_status sdw_serve_read_sources(sdw_cli_options *o, sdw_serve_sources *s, sdw_error *err)
{
    sdw_status status = read_environment(o, &s->names, err);
    return status == SDW_OK ? read_file(o, s, err) : status;
}

void sdw_serve_sources_finish(sdw_serve_sources *s)
{
    sdw_buf_finish(&s->file);
    sdw_arena_finish(&s->names);
}
