/* bed.c - see bed.h. */
#define _GNU_SOURCE /* nftw */

#include "bed.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void bed_wipe(const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0) assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void keep_line(void *ctx, int level, const sdw_job_id *id, const char *sentence)
{
    bed *b = ctx;
    (void)level;
    (void)id;
    size_t n = strlen(b->log);
    snprintf(b->log + n, sizeof b->log - n, "%s\n", sentence);
}

sdw_status bed_try_open(bed *b, const char *path, const sdw_io *io, uint64_t rewrite_bytes, sdw_error *err)
{
    memset(b, 0, sizeof *b);
    b->path = path;
    assert_int_equal(sdw_idempotency_open(0, 0, &b->keys, NULL), SDW_OK);
    sdw_status s = sdw_state_dir_open(path, io, &b->dir, err);
    const sdw_journal_options o = { .keys = b->keys, .rewrite_bytes = rewrite_bytes, .log = keep_line, .log_ctx = b };
    if (s == SDW_OK) s = sdw_journal_open(b->dir, &o, &b->journal, err);
    if (s != SDW_OK) bed_close(b);
    return s;
}

void bed_open(bed *b, const char *path, const sdw_io *io, uint64_t rewrite_bytes)
{
    sdw_error err = { 0 };
    if (bed_try_open(b, path, io, rewrite_bytes, &err) != SDW_OK) fail_msg("%s", err.text);
}

void bed_close(bed *b)
{
    sdw_journal_close(b->journal);
    sdw_state_dir_close(b->dir);
    sdw_idempotency_close(b->keys);
    b->journal = NULL;
    b->dir = NULL;
    b->keys = NULL;
}

static sdw_status take_job(void *ctx, const sdw_job_record *r, sdw_error *err)
{
    bed *b = ctx;
    (void)err;
    assert_true(b->count < BED_JOBS_MAX);
    bed_job *job = &b->jobs[b->count++];
    *job = (bed_job){ .n = bed_number(&r->id), .attempts = r->attempts, .outputs = r->end.output_count, .status = r->end.status };
    memcpy(job->code, r->end.error.code, sizeof job->code);
    for (int i = 0; i < r->end.output_count; i++) job->deleted += r->end.outputs[i].deleted;
    return SDW_OK;
}

void bed_read(bed *b)
{
    sdw_error err = { 0 };
    b->count = 0;
    if (sdw_journal_each(b->journal, take_job, b, &err) != SDW_OK) fail_msg("%s", err.text);
}

const bed_job *bed_find(const bed *b, int n)
{
    for (int i = 0; i < b->count; i++)
        if (b->jobs[i].n == n) return &b->jobs[i];
    return NULL;
}

sdw_job_id bed_id(int n)
{
    sdw_job_id id;
    snprintf(id.text, sizeof id.text, "job-%08x-1234-4567-89ab-0123456789ab", (unsigned)n);
    return id;
}

int bed_number(const sdw_job_id *id)
{
    return (int)strtoul(id->text + 4, NULL, 16);
}

void bed_record(sdw_job_record *r, int n)
{
    *r = (sdw_job_record){ .id = bed_id(n), .created_at = 1000 + n, .model = "tiny", .face = "native", .format = "png" };
    sdw_params_init(&r->params);
    r->params.prompt = "a lighthouse at dawn";
    r->params.width = r->params.height = 64;
    r->params.seed = (uint64_t)n;
    r->params.has_seed = 1;
}

sdw_status bed_accept(bed *b, int n, sdw_error *err)
{
    sdw_job_record r;
    bed_record(&r, n);
    return sdw_journal_accept(b->journal, &r, err);
}

sdw_status bed_complete(bed *b, int n, int outputs, sdw_error *err)
{
    sdw_job_id id = bed_id(n);
    sdw_job_end end = { .status = SDW_JOB_COMPLETED, .started_at = 2000 + n, .finished_at = 3000 + n, .output_count = outputs };
    for (int i = 0; i < outputs; i++) {
        snprintf(end.outputs[i].output.id.text, SDW_OUTPUT_ID_SIZE, "%016x%016x", (unsigned)n, (unsigned)i);
        memset(end.outputs[i].sha256, 'a', SDW_SHA256_HEX_SIZE - 1);
        end.outputs[i].output.bytes = 100;
    }
    return sdw_journal_end(b->journal, &id, &end, err);
}

sdw_status bed_fail(bed *b, int n, const char *code, sdw_error *err)
{
    sdw_job_id id = bed_id(n);
    sdw_job_end end = { .status = SDW_JOB_FAILED, .finished_at = 3000 + n };
    snprintf(end.error.code, sizeof end.error.code, "%s", code);
    snprintf(end.error.message, sizeof end.error.message, "because of %s", code);
    return sdw_journal_end(b->journal, &id, &end, err);
}

static void journal_path(const char *path, char *to, size_t size)
{
    snprintf(to, size, "%s/journal", path);
}

size_t bed_load(const char *path, unsigned char *to, size_t room)
{
    char name[300];
    journal_path(path, name, sizeof name);
    int fd = open(name, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, to, room);
    assert_true(n >= 0 && (size_t)n < room);
    close(fd);
    return (size_t)n;
}

void bed_store(const char *path, const unsigned char *from, size_t size)
{
    char name[300];
    journal_path(path, name, sizeof name);
    int fd = open(name, O_WRONLY | O_TRUNC | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, from, size), size);
    close(fd);
}
