/* repos.c - repositories of the fake hub: contents, hashes, listings from folders. */
#include <dirent.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "impl.h"

void fake_die(const char *what)
{
    perror(what);
    abort();
}

void *fake_alloc(size_t size)
{
    void *p = calloc(1, size ? size : 1);
    if (!p) fake_die("fake hub");
    return p;
}

static void hex_digest(const EVP_MD *md, const char *head, size_t head_size, const void *data, size_t size, char *ret)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || !EVP_DigestInit_ex(ctx, md, NULL) || !EVP_DigestUpdate(ctx, head, head_size) || !EVP_DigestUpdate(ctx, data, size) ||
        !EVP_DigestFinal_ex(ctx, digest, &n))
        fake_die("digest");
    EVP_MD_CTX_free(ctx);
    for (unsigned i = 0; i < n; i++) snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

static void git_hash(const void *data, size_t size, char ret[41])
{
    char head[64];
    int n = snprintf(head, sizeof head, "blob %zu", size) + 1;
    hex_digest(EVP_sha1(), head, (size_t)n, data, size, ret);
}

static void hash_file(fake_file *f)
{
    char pointer[256];
    if (!f->lfs) {
        git_hash(f->data, f->size, f->oid);
        return;
    }
    hex_digest(EVP_sha256(), "", 0, f->data, f->size, f->sha256);
    int n = snprintf(pointer, sizeof pointer, "version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %zu\n", f->sha256, f->size);
    git_hash(pointer, (size_t)n, f->oid);
}

/* Any change of a file is another commit. */
static void new_commit(fake_repo *r, const fake_file *f)
{
    char text[4096];
    int n = snprintf(text, sizeof text, "%s %.2000s %s", r->commit, f->path, f->oid);
    git_hash(text, (size_t)n, r->commit);
}

fake_repo *fake_hub_repo(fake_hub *h, const char *id)
{
    fake_repo *r = fake_alloc(sizeof *r);
    r->hub = h;
    snprintf(r->id, sizeof r->id, "%s", id);
    memset(r->commit, '0', 40);
    pthread_mutex_lock(&h->mutex);
    r->next = h->repos;
    h->repos = r;
    pthread_mutex_unlock(&h->mutex);
    return r;
}

static fake_file *file_at(fake_repo *r, const char *path)
{
    for (size_t i = 0; i < r->count; i++)
        if (!strcmp(r->files[i].path, path)) return &r->files[i];
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? r->capacity * 2 : 32;
        r->files = realloc(r->files, r->capacity * sizeof *r->files);
        if (!r->files) fake_die("fake hub");
    }
    fake_file *f = &r->files[r->count++];
    memset(f, 0, sizeof *f);
    f->path = strdup(path);
    return f;
}

/* Old contents are kept until the end: somebody may still be sending them. */
static void bury(fake_repo *r, unsigned char *data)
{
    if (!data) return;
    r->old = realloc(r->old, (r->old_count + 1) * sizeof *r->old);
    if (!r->old) fake_die("fake hub");
    r->old[r->old_count++] = data;
}

static void put(fake_repo *r, const char *path, unsigned char *data, size_t size, bool lfs)
{
    pthread_mutex_lock(&r->hub->mutex);
    fake_file *f = file_at(r, path);
    bury(r, f->data);
    f->data = data;
    f->size = size;
    f->lfs = lfs;
    hash_file(f);
    new_commit(r, f);
    pthread_mutex_unlock(&r->hub->mutex);
}

void fake_repo_add(fake_repo *r, const char *path, const void *data, size_t size, bool lfs)
{
    unsigned char *copy = fake_alloc(size);
    memcpy(copy, data, size);
    put(r, path, copy, size, lfs);
}

void fake_repo_add_text(fake_repo *r, const char *path, const char *text)
{
    fake_repo_add(r, path, text, strlen(text), false);
}

void fake_repo_add_weights(fake_repo *r, const char *path, size_t size)
{
    char header[128];
    size_t head = 8 + 80;
    unsigned char *data = fake_alloc(size);
    if (size <= head) fake_die("weights too small");
    memset(header, ' ', sizeof header);
    int n = snprintf(header, sizeof header, "{\"t\":{\"dtype\":\"U8\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}", size - head, size - head);
    header[n] = ' ';
    data[0] = 80;
    memcpy(data + 8, header, 80);
    uint32_t x = 2463534242u ^ (uint32_t)strlen(path); /* xorshift: no two places alike, the same in each run */
    for (size_t i = head; i < size; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        data[i] = (unsigned char)x;
    }
    put(r, path, data, size, true);
}

void fake_repo_list(fake_repo *r, const char *path)
{
    pthread_mutex_lock(&r->hub->mutex);
    fake_file *f = file_at(r, path);
    f->size = 10;
    git_hash(path, strlen(path), f->oid);
    new_commit(r, f);
    pthread_mutex_unlock(&r->hub->mutex);
}

const char *fake_repo_commit(const fake_repo *r)
{
    return r->commit;
}

void fake_repo_set_gated(fake_repo *r, bool gated)
{
    r->gated = gated;
}

void fake_repo_set_private(fake_repo *r, bool is_private)
{
    r->is_private = is_private;
}

void fake_repo_rename(fake_repo *r, const char *new_id)
{
    pthread_mutex_lock(&r->hub->mutex);
    snprintf(r->old_id, sizeof r->old_id, "%s", r->id);
    snprintf(r->id, sizeof r->id, "%s", new_id);
    pthread_mutex_unlock(&r->hub->mutex);
}

const fake_file *fake_find_file(const fake_repo *r, const char *path)
{
    for (size_t i = 0; i < r->count; i++)
        if (!strcmp(r->files[i].path, path)) return &r->files[i];
    return NULL;
}

const char *fake_repo_hash(const fake_repo *r, const char *path)
{
    const fake_file *f = fake_find_file(r, path);
    if (!f) fake_die(path);
    return f->lfs ? f->sha256 : f->oid;
}

const unsigned char *fake_repo_data(const fake_repo *r, const char *path, size_t *ret_size)
{
    const fake_file *f = fake_find_file(r, path);
    if (!f) fake_die(path);
    *ret_size = f->size;
    return f->data;
}

fake_repo *fake_find_repo(fake_hub *h, const char *id)
{
    for (fake_repo *r = h->repos; r; r = r->next)
        if (!strcmp(r->id, id) || !strcmp(r->old_id, id)) return r;
    return NULL;
}

void fake_free_repos(fake_hub *h)
{
    while (h->repos) {
        fake_repo *r = h->repos;
        h->repos = r->next;
        for (size_t i = 0; i < r->count; i++) {
            free(r->files[i].path);
            free(r->files[i].data);
        }
        for (size_t i = 0; i < r->old_count; i++) free(r->old[i]);
        free(r->old);
        free(r->files);
        free(r);
    }
}

/* ---- folders ---- */

static void join(char *ret, size_t size, const char *folder, const char *name)
{
    int n = snprintf(ret, size, "%s%s%s", folder, *folder ? "/" : "", name);
    if (n < 0 || (size_t)n >= size) fake_die(folder);
}

static void add_from_disk(fake_repo *r, const char *path, const char *name)
{
    struct stat st;
    const char *dot = strrchr(name, '.');
    FILE *f = fopen(path, "rb");
    if (!f || fstat(fileno(f), &st) != 0) fake_die(path);
    unsigned char *data = fake_alloc((size_t)st.st_size);
    if (fread(data, 1, (size_t)st.st_size, f) != (size_t)st.st_size) fake_die(path);
    fclose(f);
    put(r, name, data, (size_t)st.st_size, dot && (!strcmp(dot, ".safetensors") || !strcmp(dot, ".model")));
}

static void add_below(fake_repo *r, const char *folder, const char *within)
{
    char path[2048], name[1024];
    DIR *d = opendir(folder);
    if (!d) fake_die(folder);
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (e->d_name[0] == '.') continue;
        join(path, sizeof path, folder, e->d_name);
        join(name, sizeof name, within, e->d_name);
        if (stat(path, &st) != 0) fake_die(path);
        if (S_ISDIR(st.st_mode)) add_below(r, path, name);
        else add_from_disk(r, path, name);
    }
    closedir(d);
}

void fake_hub_add_folder(fake_hub *h, const char *root)
{
    char path[2048], place[2048], id[128];
    DIR *orgs = opendir(root);
    if (!orgs) fake_die(root);
    for (struct dirent *o; (o = readdir(orgs));) {
        if (o->d_name[0] == '.') continue;
        join(path, sizeof path, root, o->d_name);
        DIR *names = opendir(path);
        if (!names) fake_die(path);
        for (struct dirent *n; (n = readdir(names));) {
            if (n->d_name[0] == '.') continue;
            snprintf(id, sizeof id, "%.60s/%.60s", o->d_name, n->d_name);
            join(place, sizeof place, path, n->d_name);
            add_below(fake_hub_repo(h, id), place, "");
        }
        closedir(names);
    }
    closedir(orgs);
}
