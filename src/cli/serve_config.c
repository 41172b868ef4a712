/* serve_config.c - see serve_config.h. One function per group of options; usage errors come before anything is opened. */
#include "cli/serve_config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"
#include "core/secret.h"

#define KEY_FILE_MAX 8192
#define QUEEN_DEFAULT "http://localhost:7833"
#define YEARS_S 1e9

/* ---- model ---- */

static sdw_status find_model(const sdw_cli_options *o, sdw_serve_config *c, sdw_error *err)
{
    c->model.folders = c->folders;
    sdw_status s = sdw_serve_model_choose(o, &c->model, err);
    c->worker.model_id = c->server.model_id = c->model.id;
    return s;
}

static sdw_status engine_options(const sdw_cli_options *o, sdw_serve_config *c, sdw_error *err)
{
    sdw_engine_options *e = &c->worker.engine;
    e->model = c->model.path;
    e->config_dir = sdw_cli_value(o, "model-config");
    e->variant = sdw_cli_value(o, "variant");
    e->prediction = sdw_cli_value(o, "prediction");
    e->isa = sdw_cli_value(o, "isa");
    e->precision = sdw_cli_value(o, "precision");
    if (!e->precision && sdw_cli_on(o, "use-f16")) e->precision = "auto";
    sdw_status s = sdw_cli_int(o, "threads", 1, 1024, 0, &e->threads, err);
    if (s == SDW_OK) s = sdw_cli_bytes(o, "memory-limit", &e->memory_limit, err);
    return s;
}

/* ---- device ---- */

static bool index_of(const char *text, int *ret)
{
    char *end;
    long n = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || n > 255) return false;
    *ret = (int)n;
    return true;
}

/* "1", "cpu", "cuda:1", "GPU-1": which backend (unchanged where the text does not say) and which index. */
static sdw_status parse_device(const char *text, const char **backend, int *ret_index, sdw_error *err)
{
    static const char *const names[] = { "cpu", "cuda", "metal" };
    *ret_index = 0;
    if (index_of(text, ret_index)) return SDW_OK;
    if (!strncasecmp(text, "CPU-", 4) && index_of(text + 4, ret_index)) return *backend = "cpu", SDW_OK;
    if (!strncasecmp(text, "GPU-", 4) && index_of(text + 4, ret_index)) {
        if (!*backend || !strcmp(*backend, "cpu")) *backend = "cuda";
        return SDW_OK;
    }
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(names[i]);
        if (strncasecmp(text, names[i], n) != 0) continue;
        if (text[n] && (text[n] != ':' || !index_of(text + n + 1, ret_index))) continue;
        *backend = names[i];
        return SDW_OK;
    }
    return sdw_fail(err, SDW_INVALID, "--device: '%.40s' given, want N, cpu, cuda, cuda:N, metal, metal:N or GPU-N", text);
}

static sdw_status device(const sdw_cli_options *o, sdw_serve_config *c, sdw_error *err)
{
    const char *backend = sdw_cli_value(o, "backend"), *text = sdw_cli_value(o, "device");
    int index = 0, unused;
    if (backend && strcmp(backend, "cpu") != 0 && strcmp(backend, "cuda") != 0 && strcmp(backend, "metal") != 0)
        return sdw_fail(err, SDW_INVALID, "--backend: '%.40s' given, want cpu, cuda or metal", backend);
    if (!backend) backend = o->backend;
    sdw_status s = sdw_cli_int(o, "rocm-device", 0, 255, 0, &unused, err);
    for (int i = 0; s == SDW_OK && i < 2; i++) {
        static const char *const flags[] = { "cuda-device", "metal-device" };
        int n;
        s = sdw_cli_int(o, flags[i], 0, 255, 0, &n, err);
        if (s == SDW_OK && backend && !strncmp(flags[i], backend, strlen(backend))) index = n;
    }
    if (s == SDW_OK && text) s = parse_device(text, &backend, &index, err);
    if (s != SDW_OK) return s;
    if (!backend) backend = "cpu"; /* the best, and only one, of this build */
    if (strcmp(backend, "cpu") != 0)
        return sdw_fail(err, SDW_UNSUPPORTED, "backend %s: this build has none, want cpu", backend);
    if (index != 0) return sdw_fail(err, SDW_NOT_FOUND, "device cpu:%d: there is one CPU device, cpu:0", index);
    snprintf(c->device, sizeof c->device, "%s:%d", backend, index);
    c->device_index = index;
    c->server.backend = backend;
    c->server.device = c->device;
    return SDW_OK;
}

/* ---- access ---- */

static sdw_status read_key(const char *path, sdw_serve_config *c, sdw_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sdw_fail_errno(err, path, "open");
    sdw_status s = sdw_file_read(fd, path, "key file", KEY_FILE_MAX, &c->key, err);
    close(fd);
    if (s == SDW_OK && !sdw_buf_append(&c->key, "", 1)) s = sdw_fail_memory(err, path, c->key.size);
    if (s != SDW_OK) return s;
    size_t n = c->key.size - 1;
    while (n && strchr(" \t\r\n", c->key.data[n - 1])) n--;
    if (n == 0) return sdw_fail(err, SDW_FORMAT, "%s: empty, want the key", path);
    c->key.data[n] = '\0';
    c->server.api_key = c->key.data;
    return SDW_OK;
}

static sdw_status access_options(const sdw_cli_options *o, sdw_serve_config *c, sdw_error *err)
{
    const char *path = sdw_cli_value(o, "api-key-file");
    c->server.api_key = sdw_cli_value(o, "api-key");
    sdw_cli_values(o, sdw_cli_find(o, "cors-origin"), c->cors, SDW_CLI_REPEATS_MAX + 1);
    sdw_cli_values(o, sdw_cli_find(o, "allowed-host"), c->hosts, SDW_CLI_REPEATS_MAX + 1);
    c->server.cors_origins = c->cors;
    c->server.allowed_hosts = c->hosts;
    c->server.allow_image_urls = sdw_cli_on(o, "allow-image-urls");
    if (!c->server.api_key && path) {
        sdw_status s = read_key(path, c, err);
        if (s != SDW_OK) return s;
    }
    if (!sdw_cli_on(o, "local-mode")) return SDW_OK;
    c->server.bind_addr = "127.0.0.1";
    if (c->server.api_key && c->server.api_key[0])
        return sdw_fail(err, SDW_UNSUPPORTED, "--local-mode serves without a key, but one is set; leave one of them out");
    return SDW_OK;
}

/* ---- the rest of the server ---- */

static sdw_status address(const sdw_cli_options *o, sdw_serve_config *c, sdw_error *err)
{
    c->server.bind_addr = sdw_cli_value(o, "bind-addr");
    c->server.worker_id = sdw_cli_value(o, "worker-id");
    c->server.public_url = sdw_cli_value(o, "public-url");
    c->server.ui_dir = sdw_cli_value(o, "ui-dir");
    c->server.ui_frame_ancestors = sdw_cli_value(o, "ui-frame-ancestors");
    c->server.no_ui = sdw_cli_on(o, "no-ui");
    c->server.no_metrics = sdw_cli_on(o, "no-metrics");
    c->server.no_slots = sdw_cli_on(o, "no-slots");
    c->server.model_switch = sdw_cli_on(o, "model-switch");
    c->open_browser = sdw_cli_on(o, "open");
    return sdw_cli_int(o, "port", 0, 65535, 8081, &c->server.port, err);
}

static sdw_status sizes(const sdw_cli_options *o, sdw_serve_config *c, sdw_error *err)
{
    uint64_t body = 0, total = 0;
    int pixels = 0;
    sdw_status s = sdw_cli_bytes(o, "max-body", &body, err);
    if (s == SDW_OK) s = sdw_cli_bytes(o, "max-body-total", &total, err);
    if (s == SDW_OK) s = sdw_cli_int(o, "max-image-pixels", 64, 67108864, 0, &pixels, err);
    c->server.limits.body_max = (size_t)body;
    c->server.limits.body_total_max = (size_t)total;
    c->server.image_pixels_max = (size_t)pixels;
    return s;
}

static sdw_status limits(const sdw_cli_options *o, sdw_serve_config *c, sdw_error *err)
{
    sdw_server_limits *l = &c->server.limits;
    const struct { const char *name; double *at; } times[] = {
        { "header-timeout", &l->header_timeout_s }, { "body-timeout", &l->body_timeout_s },
        { "idle-timeout", &l->idle_timeout_s }, { "write-timeout", &l->write_timeout_s },
    };
    const struct { const char *name; int min, *at; } counts[] = {
        { "max-connections", 64, &l->connections_max }, { "max-connections-per-client", 1, &l->connections_per_client_max },
        { "max-streams", 1, &l->streams_max },
    };
    sdw_status s = sizes(o, c, err);
    for (int i = 0; s == SDW_OK && i < 4; i++) s = sdw_cli_real(o, times[i].name, 0.01, YEARS_S, 0, times[i].at, err);
    for (int i = 0; s == SDW_OK && i < 3; i++) s = sdw_cli_int(o, counts[i].name, counts[i].min, 65536, 0, counts[i].at, err);
    c->server.limit_loopback = sdw_cli_value(o, "max-connections-per-client") != NULL;
    return s;
}

/* ---- jobs and results ---- */

static sdw_status jobs(const sdw_cli_options *o, sdw_serve_config *c, sdw_error *err)
{
    sdw_worker_options *w = &c->worker;
    w->state_dir = sdw_cli_value(o, "state");
    sdw_status s = sdw_cli_int(o, "preview-every", 0, 150, -1, &w->preview_every, err);
    if (s == SDW_OK) s = sdw_cli_int(o, "max-queue", 1, 100000, 0, &w->queue_max, err);
    if (s == SDW_OK) s = sdw_cli_int(o, "max-batch", 0, 64, 0, &w->batch_max, err);
    if (s == SDW_OK) s = sdw_cli_int(o, "max-results", 1, 1000000, 0, &w->results_max, err);
    if (s == SDW_OK) s = sdw_cli_bytes(o, "max-queue-bytes", &w->queue_bytes_max, err);
    if (s == SDW_OK) s = sdw_cli_bytes(o, "result-bytes", &w->result_bytes_max, err);
    if (s == SDW_OK) s = sdw_cli_real(o, "result-ttl", 0.01, YEARS_S, 0, &w->result_ttl_s, err);
    if (s == SDW_OK) s = sdw_cli_real(o, "job-timeout", 0, YEARS_S, 0, &w->job_timeout_s, err);
    if (s == SDW_OK) s = sdw_cli_real(o, "drain", 0, YEARS_S, 0, &c->drain_s, err);
    c->server.job_timeout_s = w->job_timeout_s;
    c->server.cancel_on_disconnect = sdw_cli_on(o, "cancel-on-disconnect");
    return s;
}

/* ---- orchestrator, log ---- */

static void orchestrator(const sdw_cli_options *o, sdw_serve_config *c)
{
    const char *url = sdw_cli_value(o, "queen-url"), *wanted = sdw_cli_value(o, "heartbeat");
    if (!url) url = sdw_cli_value(o, "hive-url");
    if (!url && wanted && !strcmp(wanted, "on")) url = QUEEN_DEFAULT;
    c->queen_url = wanted && !strcmp(wanted, "off") ? NULL : url;
    c->callback_url = sdw_cli_value(o, "callback-url");
}

/* RUST_LOG is a list of filters, "sd_worker=info,tower=debug": its first level word is ours. */
static bool first_level(const char *text, sdw_log_level *ret)
{
    char word[16];
    while (text && *text) {
        size_t n = strcspn(text, ",=");
        if (n > 0 && n < sizeof word) {
            snprintf(word, sizeof word, "%.*s", (int)n, text);
            if (sdw_log_level_parse(word, ret)) return true;
        }
        text += n + (text[n] != '\0');
    }
    return false;
}

static sdw_status logging(const sdw_cli_options *o, sdw_serve_config *c, sdw_error *err)
{
    const char *form = getenv("LLORCH_LOG_FORMAT"), *level = sdw_cli_value(o, "log-level");
    bool json = sdw_cli_on(o, "log-json") || (form && !strcasecmp(form, "json"));
    c->log = (sdw_log_options){ .path = sdw_cli_value(o, "log-file"), .fd = STDERR_FILENO, .level = SDW_LOG_INFO,
                                .form = json ? SDW_LOG_JSON : SDW_LOG_LOGFMT };
    if (level && !sdw_log_level_parse(level, &c->log.level))
        return sdw_fail(err, SDW_INVALID, "--log-level: '%.40s' given, want error, warn, info or debug", level);
    if (!level) first_level(getenv("RUST_LOG"), &c->log.level);
    return SDW_OK;
}

sdw_status sdw_serve_configure(sdw_cli_options *o, sdw_serve_config *c, sdw_error *err)
{
    static sdw_status (*const groups[])(const sdw_cli_options *, sdw_serve_config *, sdw_error *) = {
        address, limits, jobs, logging, access_options, engine_options, device, find_model,
    };
    sdw_status s = sdw_serve_read_sources(o, &c->sources, err);
    if (s != SDW_OK) return s;
    sdw_cli_values(o, sdw_cli_find(o, "models-dir"), c->folders, SDW_CLI_REPEATS_MAX + 1);
    c->server.lora_dir = sdw_cli_value(o, "lora-dir");
    c->server.models_dir = c->folders[0];
    orchestrator(o, c);
    for (size_t i = 0; s == SDW_OK && i < sizeof groups / sizeof groups[0]; i++) s = groups[i](o, c, err);
    return s;
}

void sdw_serve_config_finish(sdw_serve_config *c)
{
    if (c->key.data) sdw_secret_wipe(c->key.data, c->key.size);
    sdw_buf_finish(&c->key);
    sdw_serve_model_finish(&c->model);
    sdw_serve_sources_finish(&c->sources);
}
