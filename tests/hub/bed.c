/* bed.c - see bed.h. */
#include "bed.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/digest.h"
#include "hub/folders.h"

/* ---- hooks ---- */

static bool cancelled(void *ctx)
{
    bed *b = ctx;
    pthread_mutex_lock(&b->mutex);
    bool yes = b->cancel_at && b->progress.bytes_done >= b->cancel_at;
    pthread_mutex_unlock(&b->mutex);
    return yes;
}

static void wait_hook(void *ctx, unsigned ms)
{
    bed *b = ctx;
    pthread_mutex_lock(&b->mutex);
    if (b->wait_count < BED_WAITS_MAX) b->waits[b->wait_count++] = ms;
    bool real = b->really_wait || ms == 100; /* 100: looking at a lock again */
    pthread_mutex_unlock(&b->mutex);
    if (real) usleep(ms == 100 ? 2000 : ms * 1000);
}

static void say(void *ctx, const char *sentence)
{
    bed *b = ctx;
    pthread_mutex_lock(&b->mutex);
    size_t n = strlen(b->said);
    snprintf(b->said + n, sizeof b->said - n, "%s\n", sentence);
    pthread_mutex_unlock(&b->mutex);
}

static void on_progress(void *ctx, const sdw_hub_progress *p)
{
    bed *b = ctx;
    pthread_mutex_lock(&b->mutex);
    b->progress = *p;
    b->progress_count++;
    pthread_mutex_unlock(&b->mutex);
}

/* ---- opening ---- */

static const char *get(void *ctx, const char *name)
{
    bed *b = ctx;
    size_t n = strlen(name);
    for (const char **v = b->variables; *v; v++)
        if (!strncmp(*v, name, n) && (*v)[n] == '=') return *v + n + 1;
    return NULL;
}

void bed_set(bed *b, const char *variable)
{
    size_t n = 0;
    while (b->variables[n]) n++;
    b->variables[n] = strdup(variable);
    sdw_hub_settings_finish(&b->settings);
    if (sdw_hub_settings_read(&b->settings, get, b, &b->err) != SDW_OK) fail_msg("%s", b->err.text);
}

void bed_add_model(fake_repo *r, size_t unet_bytes)
{
    fake_repo_add_text(r, "README.md", "not needed");
    fake_repo_add_text(r, "model_index.json",
                       "{\"_class_name\":\"StableDiffusionPipeline\",\"scheduler\":[\"diffusers\",\"PNDMScheduler\"],\"text_encoder\":[\"transformers\","
                       "\"CLIPTextModel\"],\"tokenizer\":[\"transformers\",\"CLIPTokenizer\"],\"unet\":[\"diffusers\",\"UNet2DConditionModel\"],"
                       "\"vae\":[\"diffusers\",\"AutoencoderKL\"],\"safety_checker\":[null,null]}");
    fake_repo_add_text(r, "scheduler/scheduler_config.json", "{\"scheduler\":1}");
    fake_repo_add_text(r, "tokenizer/vocab.json", "{\"a\":0}");
    fake_repo_add_text(r, "tokenizer/merges.txt", "#version: 0.2\n");
    fake_repo_add_text(r, "tokenizer/special_tokens_map.json", "{\"s\":1}");
    fake_repo_add_text(r, "text_encoder/config.json", "{\"t\":1}");
    fake_repo_add_text(r, "unet/config.json", "{\"u\":1}");
    fake_repo_add_text(r, "vae/config.json", "{\"v\":1}");
    fake_repo_add_weights(r, "text_encoder/model.safetensors", BED_TEXT);
    fake_repo_add_weights(r, "unet/diffusion_pytorch_model.safetensors", unet_bytes);
    fake_repo_add_weights(r, "vae/diffusion_pytorch_model.safetensors", BED_VAE);
    fake_repo_add(r, "unet/diffusion_pytorch_model.bin", "pickle", 6, true);
}

void bed_open(bed *b, const fake_hub_options *o)
{
    char variable[1024];
    memset(b, 0, sizeof *b);
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    unsetenv("all_proxy");
    pthread_mutex_init(&b->mutex, NULL);
    snprintf(b->folder, sizeof b->folder, "hub_test_XXXXXX");
    if (!mkdtemp(b->folder)) fail_msg("mkdtemp");
    snprintf(b->cache, sizeof b->cache, "%s/cache", b->folder);
    b->hub = fake_hub_start(o);
    b->repo = fake_hub_repo(b->hub, "org/model");
    bed_add_model(b->repo, BED_UNET);
    b->hooks = (sdw_hub_hooks){ .ctx = b, .cancelled = cancelled, .wait = wait_hook, .note = say, .warn = say, .progress = on_progress };
    snprintf(variable, sizeof variable, "HOME=%s", b->folder);
    bed_set(b, variable);
    snprintf(variable, sizeof variable, "HF_HUB_CACHE=%s", b->cache);
    bed_set(b, variable);
    snprintf(variable, sizeof variable, "HF_ENDPOINT=%s", fake_hub_url(b->hub));
    bed_set(b, variable);
    if (!o || !o->tls) return;
    snprintf(variable, sizeof variable, "SSL_CERT_FILE=%s", fake_hub_ca(b->hub));
    bed_set(b, variable);
}

static void remove_all(const char *path)
{
    char below[4096];
    struct stat st;
    if (lstat(path, &st) != 0) return;
    DIR *d = S_ISDIR(st.st_mode) ? opendir(path) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        snprintf(below, sizeof below, "%s/%s", path, e->d_name);
        remove_all(below);
    }
    if (d) closedir(d);
    remove(path);
}

void bed_clear(bed *b)
{
    remove_all(b->cache);
}

void bed_close(bed *b)
{
    fake_hub_stop(b->hub);
    sdw_hub_settings_finish(&b->settings);
    for (const char **v = b->variables; *v; v++) free((void *)(uintptr_t)*v);
    pthread_mutex_destroy(&b->mutex);
    remove_all(b->folder);
}

/* ---- pulling ---- */

sdw_status bed_pull_wish(bed *b, const sdw_hub_wish *w)
{
    memset(&b->err, 0, sizeof b->err);
    return sdw_hub_pull(&b->settings, w, &b->hooks, b->path, &b->kind, &b->err);
}

sdw_status bed_pull(bed *b)
{
    const sdw_hub_wish w = { .id = "org/model" };
    return bed_pull_wish(b, &w);
}

void bed_pull_well(bed *b)
{
    if (bed_pull(b) != SDW_OK) fail_msg("%s\n%s", b->err.text, b->said);
    if (sdw_hub_cache_complete(b->cache, "org/model", fake_repo_commit(b->repo), NULL, &b->err) != SDW_OK) fail_msg("%s", b->err.text);
    bed_check_blobs(b);
}

void bed_refuse(bed *b, const sdw_hub_wish *w, sdw_status status, const char *words)
{
    static const sdw_hub_wish usual = { .id = "org/model" };
    if (bed_pull_wish(b, w ? w : &usual) == SDW_OK) fail_msg("accepted, want '%s'", words);
    if (!strstr(b->err.text, words)) fail_msg("'%s' does not hold '%s'", b->err.text, words);
    assert_int_equal(b->err.status, status);
}

/* ---- looking ---- */

const char *bed_place(const bed *b, sdw_hub_place place, const char *name)
{
    static char paths[4][SDW_HUB_PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];
    assert_int_equal(sdw_hub_place_of(b->cache, "org/model", place, name, path, NULL), SDW_OK);
    return path;
}

bool bed_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

size_t bed_size(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (size_t)st.st_size : 0;
}

static void hash_of(const char *path, bool sha256, char ret[SDW_DIGEST_HEX_SIZE])
{
    unsigned char piece[65536];
    sdw_digest *d = NULL;
    FILE *f = fopen(path, "rb");
    if (!f) fail_msg("%s", path);
    assert_int_equal(sdw_digest_open(sha256 ? SDW_DIGEST_SHA256 : SDW_DIGEST_GIT_BLOB, bed_size(path), &d, NULL), SDW_OK);
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) sdw_digest_add(d, piece, n, NULL);
    fclose(f);
    assert_int_equal(sdw_digest_hex(d, ret, NULL), SDW_OK);
    sdw_digest_close(d);
}

int bed_check_blobs(const bed *b)
{
    char hash[SDW_DIGEST_HEX_SIZE];
    int count = 0;
    sdw_hub_dir d = { 0 };
    assert_int_equal(sdw_hub_dir_read(bed_place(b, SDW_HUB_BLOBS, ""), &d, NULL), SDW_OK);
    for (size_t i = 0; i < d.count; i++) {
        if (!sdw_hub_is_hash(d.names[i])) continue;
        hash_of(bed_place(b, SDW_HUB_BLOB, d.names[i]), strlen(d.names[i]) == 64, hash);
        assert_string_equal(hash, d.names[i]);
        count++;
    }
    sdw_hub_dir_finish(&d);
    return count;
}

void bed_partial(const bed *b, const char *file, size_t bytes, bool junk)
{
    const char *path = bed_place(b, SDW_HUB_PARTIAL, fake_repo_hash(b->repo, file));
    size_t size = 0;
    const unsigned char *data = fake_repo_data(b->repo, file, &size);
    assert_int_equal(sdw_hub_make_parents(path, NULL), SDW_OK);
    FILE *f = fopen(path, "wb");
    if (!f) fail_msg("%s", path);
    for (size_t i = 0; i < bytes; i++) putc(junk || i >= size ? 'x' : data[i], f);
    fclose(f);
}

static void put_state(char **text, size_t *size, const char *path)
{
    struct stat st;
    char line[4500], below[4096];
    if (lstat(path, &st) != 0) return;
    int n = snprintf(line, sizeof line, "%s %lld %lld.%09ld\n", path, (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    *text = realloc(*text, *size + (size_t)n + 1);
    memcpy(*text + *size, line, (size_t)n + 1);
    *size += (size_t)n;
    sdw_hub_dir d = { 0 };
    if (S_ISDIR(st.st_mode)) assert_int_equal(sdw_hub_dir_read(path, &d, NULL), SDW_OK);
    for (size_t i = 0; i < d.count; i++) {
        snprintf(below, sizeof below, "%s/%s", path, d.names[i]);
        put_state(text, size, below);
    }
    sdw_hub_dir_finish(&d);
}

char *bed_state(const bed *b)
{
    char *text = strdup("");
    size_t size = 0;
    put_state(&text, &size, b->cache);
    return text;
}

bool bed_file_request(bed *b, const char *file, int n, fake_request *ret)
{
    return fake_hub_request(b->hub, FAKE_FILES, fake_repo_hash(b->repo, file), n, ret);
}

int bed_gets(bed *b, const char *file)
{
    return fake_hub_count(b->hub, FAKE_FILES, "GET", fake_repo_hash(b->repo, file));
}
