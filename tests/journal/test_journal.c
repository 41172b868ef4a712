/* memmem is not POSIX. */
#define _GNU_SOURCE
/* The journal on a healthy disk: what it remembers, and what it does with a file that is damaged or of another kind. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/crc32c.h"
#include "core/limits.h"
#include "bed.h"
#include "worker/journal_format.h"

#define FOLDER "state"
static bed b;
static fault_io quick; /* never fails; its syncs take no time, for tests that open a journal a thousand times */

static int wipe(void **state)
{
    (void)state;
    bed_wipe(FOLDER);
    fault_io_init(&quick);
    return 0;
}

/* ---- what is remembered ---- */

static void full_record(sdw_job_record *r)
{
    bed_record(r, 7);
    r->kind = SDW_JOB_INPAINT;
    r->created_at = 1762203600.123456;
    r->params.prompt = "na\xc3\xafve \"cat\"\n\\ \xe7\x8c\xab";
    r->params.negative_prompt = "";
    r->params.seed = UINT64_MAX;
    r->params.guidance = 7.1;
    r->params.steps = 20;
    r->params.sampler = "euler";
    memset(r->init_image, '1', 64);
    memset(r->mask, 'f', 64);
    r->model = "org/model";
    r->model_hash = "abc";
    r->format = "webp";
    r->quality = 77;
    r->preview_every = -1;
    r->preview = SDW_PREVIEW_VAE;
    r->timeout_s = 0.1;
    r->face = "sdapi";
    r->tag = "task(1)";
    r->echo = "{\"prompt\":\"x\"}";
    r->is_idempotent = true;
    for (int i = 0; i < 32; i++) r->idempotency_key[i] = (uint8_t)(i * 7), r->body_hash[i] = (uint8_t)(255 - i);
}

static sdw_status compare_full(void *ctx, const sdw_job_record *r, sdw_error *err)
{
    sdw_job_record want;
    (void)err;
    full_record(&want);
    ++*(int *)ctx;
    assert_string_equal(r->id.text, want.id.text);
    assert_int_equal(r->kind, want.kind);
    assert_true(r->created_at == want.created_at);
    assert_string_equal(r->params.prompt, want.params.prompt);
    assert_string_equal(r->params.negative_prompt, "");
    assert_true(r->params.seed == UINT64_MAX && r->params.has_seed);
    assert_true(r->params.guidance == 7.1);
    assert_true(isnan(r->params.strength));
    assert_int_equal(r->params.steps, 20);
    assert_int_equal(r->params.truncate, -1);
    assert_string_equal(r->params.sampler, "euler");
    assert_null(r->params.schedule);
    assert_string_equal(r->init_image, want.init_image);
    assert_string_equal(r->mask, want.mask);
    assert_string_equal(r->model, want.model);
    assert_string_equal(r->model_hash, want.model_hash);
    assert_string_equal(r->format, want.format);
    assert_int_equal(r->quality, 77);
    assert_int_equal(r->preview_every, -1);
    assert_int_equal(r->preview, SDW_PREVIEW_VAE);
    assert_true(r->timeout_s == 0.1);
    assert_string_equal(r->face, want.face);
    assert_string_equal(r->tag, want.tag);
    assert_string_equal(r->echo, want.echo);
    assert_true(r->is_idempotent);
    assert_memory_equal(r->idempotency_key, want.idempotency_key, 32);
    assert_memory_equal(r->body_hash, want.body_hash, 32);
    assert_int_equal(r->end.status, SDW_JOB_QUEUED);
    return SDW_OK;
}

static void every_member_of_a_request_survives(void **state)
{
    (void)state;
    sdw_job_record r;
    int seen = 0;
    bed_open(&b, FOLDER, NULL, 0);
    full_record(&r);
    assert_int_equal(sdw_journal_accept(b.journal, &r, NULL), SDW_OK);
    bed_close(&b);
    bed_open(&b, FOLDER, NULL, 0);
    assert_int_equal(sdw_journal_each(b.journal, compare_full, &seen, NULL), SDW_OK);
    assert_int_equal(seen, 1);
    assert_string_equal(b.log, "");
    bed_close(&b);
}

static sdw_status compare_end(void *ctx, const sdw_job_record *r, sdw_error *err)
{
    (void)ctx;
    (void)err;
    const sdw_job_end *e = &r->end;
    if (bed_number(&r->id) != 3) return SDW_OK;
    assert_int_equal(e->status, SDW_JOB_COMPLETED);
    assert_true(e->started_at == 12.5 && e->finished_at == 13.25);
    assert_int_equal(e->output_count, 2);
    assert_true(e->outputs[1].output.seed == UINT64_MAX - 1);
    assert_int_equal(e->outputs[1].output.width, 640);
    assert_int_equal(e->outputs[1].output.height, 480);
    assert_int_equal(e->outputs[1].output.bytes, 123456);
    assert_string_equal(e->outputs[1].output.id.text, "00112233445566778899aabbccddeeff");
    assert_true(e->outputs[1].deleted);
    assert_false(e->outputs[0].deleted);
    assert_string_equal(e->resolved, "{\"steps\":20}");
    assert_true(e->last_event == 25 && e->step == 19 && e->total == 20);
    return SDW_OK;
}

static void ends_and_their_outputs_survive(void **state)
{
    (void)state;
    bed_open(&b, FOLDER, NULL, 0);
    for (int n = 1; n <= 5; n++) assert_int_equal(bed_accept(&b, n, NULL), SDW_OK);
    sdw_job_id id = bed_id(3);
    sdw_job_end e = { .status = SDW_JOB_COMPLETED, .started_at = 12.5, .finished_at = 13.25, .output_count = 2, .resolved = "{\"steps\":20}",
                      .last_event = 25, .step = 19, .total = 20 };
    for (int i = 0; i < 2; i++) {
        e.outputs[i].output = (sdw_job_output){ .id = { "00112233445566778899aabbccddeeff" }, .seed = UINT64_MAX - 1, .width = 640, .height = 480, .bytes = 123456 };
        memset(e.outputs[i].sha256, 'c', 64);
    }
    assert_int_equal(sdw_journal_end(b.journal, &id, &e, NULL), SDW_OK);
    assert_int_equal(sdw_journal_output_deleted(b.journal, &id, 1, NULL), SDW_OK);
    assert_int_equal(bed_fail(&b, 2, "NON_FINITE", NULL), SDW_OK);
    id = bed_id(5);
    assert_int_equal(sdw_journal_forget(b.journal, &id, NULL), SDW_OK);
    bed_close(&b);
    bed_open(&b, FOLDER, NULL, 0);
    bed_read(&b);
    assert_int_equal(b.count, 4);
    for (int i = 0; i < 4; i++) assert_int_equal(b.jobs[i].n, i + 1); /* order of acceptance */
    assert_int_equal(b.jobs[0].status, SDW_JOB_QUEUED);
    assert_int_equal(b.jobs[1].status, SDW_JOB_FAILED);
    assert_string_equal(b.jobs[1].code, "NON_FINITE");
    assert_int_equal(b.jobs[3].status, SDW_JOB_QUEUED);
    assert_int_equal(sdw_journal_each(b.journal, compare_end, NULL, NULL), SDW_OK);
    bed_close(&b);
}

static void starts_without_an_end_are_counted_but_stops_on_purpose_are_not(void **state)
{
    (void)state;
    sdw_job_id one = bed_id(1), two = bed_id(2);
    for (int life = 0; life < 3; life++) {
        bed_open(&b, FOLDER, NULL, 0);
        if (life == 0) {
            assert_int_equal(bed_accept(&b, 1, NULL), SDW_OK);
            assert_int_equal(bed_accept(&b, 2, NULL), SDW_OK);
        }
        bed_read(&b);
        assert_int_equal(b.jobs[0].attempts, life);
        assert_int_equal(b.jobs[1].attempts, 0);
        sdw_journal_start(b.journal, &one, 1, NULL);
        sdw_journal_start(b.journal, &two, 1, NULL);
        sdw_journal_keep(b.journal, &two, NULL);
        bed_close(&b);
    }
    /* The counts live through a rewrite. */
    bed_open(&b, FOLDER, NULL, 0);
    assert_int_equal(sdw_journal_rewrite(b.journal, 0, NULL), SDW_OK);
    sdw_journal_start(b.journal, &one, 1, NULL);
    bed_close(&b);
    bed_open(&b, FOLDER, NULL, 0);
    bed_read(&b);
    assert_int_equal(b.jobs[0].attempts, 4);
    assert_int_equal(b.jobs[1].attempts, 0);
    bed_close(&b);
}

static void a_job_is_accepted_once(void **state)
{
    (void)state;
    sdw_error err = { 0 };
    bed_open(&b, FOLDER, NULL, 0);
    assert_int_equal(bed_accept(&b, 1, NULL), SDW_OK);
    assert_int_equal(bed_accept(&b, 1, &err), SDW_EXISTS);
    sdw_job_record r;
    bed_record(&r, 2);
    r.tag = "\xff\xfe";
    assert_int_equal(sdw_journal_accept(b.journal, &r, &err), SDW_INVALID);
    char *huge = malloc(SDW_LIMIT_JOURNAL_RECORD + 1);
    memset(huge, 'x', SDW_LIMIT_JOURNAL_RECORD);
    huge[SDW_LIMIT_JOURNAL_RECORD] = '\0';
    bed_record(&r, 3);
    r.echo = huge;
    assert_int_equal(sdw_journal_accept(b.journal, &r, &err), SDW_LIMIT);
    free(huge);
    bed_close(&b);
    bed_open(&b, FOLDER, NULL, 0);
    bed_read(&b);
    assert_int_equal(b.count, 1);
    bed_close(&b);
}

static void a_request_that_cannot_be_read_any_more_is_shown_as_failed(void **state)
{
    (void)state;
    static unsigned char file[65536];
    bed_open(&b, FOLDER, NULL, 0);
    assert_int_equal(bed_accept(&b, 1, NULL), SDW_OK);
    assert_int_equal(bed_accept(&b, 2, NULL), SDW_OK);
    bed_close(&b);
    /* A width that this program refuses, under a good checksum: as another version might have written it. */
    size_t size = bed_load(FOLDER, file, sizeof file);
    char *width = memmem(file, size, "\"width\":64", 10);
    assert_non_null(width);
    memcpy(width, "\"width\":63", 10);
    unsigned char *head = file + SDW_JOURNAL_HEAD_SIZE;
    size_t n = head[4] | (size_t)head[5] << 8;
    uint32_t crc = sdw_crc32c(sdw_crc32c(sdw_crc32c(0, head + 4, 4), head + 12, 4), head + 16, n);
    for (int i = 0; i < 4; i++) head[8 + i] = (unsigned char)(crc >> (8 * i));
    bed_store(FOLDER, file, size);
    bed_open(&b, FOLDER, NULL, 0);
    bed_read(&b);
    assert_int_equal(b.count, 2);
    assert_int_equal(b.jobs[0].status, SDW_JOB_FAILED);
    assert_string_equal(b.jobs[0].code, "INVALID_REQUEST");
    assert_int_equal(b.jobs[1].status, SDW_JOB_QUEUED);
    assert_non_null(strstr(b.log, "width"));
    bed_close(&b);
}

/* ---- files that are not as they should be ---- */

static void a_torn_end_is_cut_at_every_byte(void **state)
{
    (void)state;
    static unsigned char file[65536];
    bed_open(&b, FOLDER, &quick.io, 0);
    assert_int_equal(bed_accept(&b, 1, NULL), SDW_OK);
    assert_int_equal(bed_accept(&b, 2, NULL), SDW_OK);
    bed_close(&b);
    size_t before = bed_load(FOLDER, file, sizeof file);
    bed_open(&b, FOLDER, &quick.io, 0);
    assert_int_equal(bed_accept(&b, 3, NULL), SDW_OK);
    bed_close(&b);
    size_t size = bed_load(FOLDER, file, sizeof file);
    for (size_t cut = before; cut <= size; cut++) {
        sdw_journal_stats st;
        bed_store(FOLDER, file, cut);
        bed_open(&b, FOLDER, &quick.io, 0);
        bed_read(&b);
        assert_int_equal(b.count, cut == size ? 3 : 2);
        sdw_journal_stats_of(b.journal, &st);
        assert_int_equal(st.bytes, cut == size ? size : before);
        assert_int_equal(st.cut_bytes, cut == size ? 0 : cut - before);
        assert_true((strstr(b.log, "were cut") != NULL) == (cut > before && cut < size));
        if (cut % 16 == 0 && cut < size) assert_int_equal(bed_accept(&b, 4, NULL), SDW_OK);
        bed_close(&b);
        if (cut % 16 || cut == size) continue;
        bed_open(&b, FOLDER, &quick.io, 0);
        bed_read(&b);
        assert_int_equal(b.count, 3);
        assert_int_equal(b.jobs[2].n, 4);
        assert_string_equal(b.log, "");
        bed_close(&b);
    }
}

/* Blocks of zeros, as a file system may leave behind a crash. */
static void an_end_of_zeros_is_cut(void **state)
{
    (void)state;
    static unsigned char file[65536];
    bed_open(&b, FOLDER, &quick.io, 0);
    assert_int_equal(bed_accept(&b, 1, NULL), SDW_OK);
    bed_close(&b);
    size_t size = bed_load(FOLDER, file, sizeof file);
    memset(file + size, 0, 8192);
    bed_store(FOLDER, file, size + 8192);
    bed_open(&b, FOLDER, &quick.io, 0);
    bed_read(&b);
    assert_int_equal(b.count, 1);
    bed_close(&b);
    assert_int_equal(bed_load(FOLDER, file, sizeof file), size);
}

/* One bit of one byte, each byte of the file in turn: at most the record that it stands in is lost. */
static void a_flipped_bit_loses_one_record_at_most(void **state)
{
    (void)state;
    static unsigned char file[65536];
    bed_open(&b, FOLDER, &quick.io, 0);
    for (int n = 1; n <= 5; n++) assert_int_equal(bed_accept(&b, n, NULL), SDW_OK);
    bed_close(&b);
    size_t size = bed_load(FOLDER, file, sizeof file);
    for (size_t i = 0; i < size; i++) {
        sdw_error err = { 0 };
        unsigned char bit = (unsigned char)(1u << (i * 5 % 8));
        file[i] ^= bit;
        bed_store(FOLDER, file, size);
        sdw_status s = bed_try_open(&b, FOLDER, &quick.io, 0, &err);
        if (i < SDW_JOURNAL_HEAD_SIZE) {
            assert_int_equal(s, SDW_FORMAT);
            assert_non_null(strstr(err.text, FOLDER "/journal"));
        } else {
            assert_int_equal(s, SDW_OK);
            bed_read(&b);
            assert_int_equal(b.count, 4);
            assert_true(b.log[0] != '\0');
            /* What was passed over is gone after a rewrite, the rest is not. */
            if (i % 97 == 0) {
                assert_int_equal(sdw_journal_rewrite(b.journal, 0, NULL), SDW_OK);
                bed_close(&b);
                bed_open(&b, FOLDER, &quick.io, 0);
                bed_read(&b);
                assert_int_equal(b.count, 4);
                assert_string_equal(b.log, "");
            }
            bed_close(&b);
        }
        file[i] ^= bit;
    }
}

static void records_of_unknown_kinds_are_passed_over(void **state)
{
    (void)state;
    static unsigned char file[65536];
    bed_open(&b, FOLDER, &quick.io, 0);
    assert_int_equal(bed_accept(&b, 1, NULL), SDW_OK);
    bed_close(&b);
    size_t size = bed_load(FOLDER, file, sizeof file);
    sdw_buf extra = { 0 };
    size_t at = sdw_journal_record_begin(&extra, (sdw_journal_type)99);
    sdw_buf_puts(&extra, "something of the future");
    assert_int_equal(sdw_journal_record_close(&extra, at, NULL), SDW_OK);
    at = sdw_journal_record_begin(&extra, SDW_JOURNAL_ENDED); /* of a job nobody knows */
    sdw_buf_puts(&extra, "{\"id\":\"job-00000009-1234-4567-89ab-0123456789ab\",\"status\":\"completed\"}");
    assert_int_equal(sdw_journal_record_close(&extra, at, NULL), SDW_OK);
    memcpy(file + size, extra.data, extra.size);
    bed_store(FOLDER, file, size + extra.size);
    sdw_buf_finish(&extra);
    bed_open(&b, FOLDER, &quick.io, 0);
    assert_int_equal(bed_accept(&b, 2, NULL), SDW_OK);
    bed_close(&b);
    bed_open(&b, FOLDER, &quick.io, 0);
    bed_read(&b);
    assert_int_equal(b.count, 2);
    assert_string_equal(b.log, "");
    bed_close(&b);
}

static void a_newer_format_is_refused_and_left_alone(void **state)
{
    (void)state;
    unsigned char head[SDW_JOURNAL_HEAD_SIZE + 4], after[64];
    sdw_error err = { 0 };
    bed_open(&b, FOLDER, &quick.io, 0);
    bed_close(&b);
    sdw_journal_head(head);
    head[8] = SDW_JOURNAL_FORMAT + 1;
    uint32_t crc = sdw_crc32c(0, head, 12);
    for (int i = 0; i < 4; i++) head[12 + i] = (unsigned char)(crc >> (8 * i));
    memcpy(head + SDW_JOURNAL_HEAD_SIZE, "more", 4);
    bed_store(FOLDER, head, sizeof head);
    assert_int_equal(bed_try_open(&b, FOLDER, &quick.io, 0, &err), SDW_UNSUPPORTED);
    assert_non_null(strstr(err.text, "has format 2, this program knows 1"));
    assert_int_equal(bed_load(FOLDER, after, sizeof after), sizeof head);
    assert_memory_equal(after, head, sizeof head);
    bed_store(FOLDER, (const unsigned char *)"#!/bin/sh\necho my own file\n", 27);
    assert_int_equal(bed_try_open(&b, FOLDER, &quick.io, 0, &err), SDW_FORMAT);
    assert_int_equal(bed_load(FOLDER, after, sizeof after), 27);
}

static void a_head_that_was_only_begun_is_begun_again(void **state)
{
    (void)state;
    unsigned char head[SDW_JOURNAL_HEAD_SIZE];
    sdw_journal_head(head);
    bed_open(&b, FOLDER, &quick.io, 0);
    bed_close(&b);
    for (size_t n = 0; n < sizeof head; n++) {
        bed_store(FOLDER, head, n);
        bed_open(&b, FOLDER, &quick.io, 0);
        assert_int_equal(bed_accept(&b, 1, NULL), SDW_OK);
        bed_close(&b);
        bed_open(&b, FOLDER, &quick.io, 0);
        bed_read(&b);
        assert_int_equal(b.count, 1);
        bed_close(&b);
    }
}

/* ---- the folder ---- */

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void folder_and_files_are_closed_to_others(void **state)
{
    (void)state;
    mode_t old = umask(0);
    bed_open(&b, FOLDER, NULL, 0);
    bed_accept(&b, 1, NULL);
    assert_int_equal(sdw_journal_rewrite(b.journal, 0, NULL), SDW_OK);
    bed_close(&b);
    assert_int_equal(mode_of(FOLDER), 0700);
    assert_int_equal(mode_of(FOLDER "/inputs"), 0700);
    assert_int_equal(mode_of(FOLDER "/outputs"), 0700);
    assert_int_equal(mode_of(FOLDER "/journal"), 0600);
    assert_int_equal(mode_of(FOLDER "/lock"), 0600);
    /* Opened to others meanwhile: closed again. */
    chmod(FOLDER, 0755);
    chmod(FOLDER "/journal", 0644);
    bed_open(&b, FOLDER "/", NULL, 0);
    bed_close(&b);
    assert_int_equal(mode_of(FOLDER), 0700);
    assert_int_equal(mode_of(FOLDER "/journal"), 0600);
    umask(old);
}

static void links_and_foreign_folders_are_refused(void **state)
{
    (void)state;
    sdw_error err = { 0 };
    bed_wipe("elsewhere");
    unlink("link");
    assert_int_equal(mkdir("elsewhere", 0700), 0);
    assert_int_equal(chmod("elsewhere", 0755), 0); /* whatever the umask */
    assert_int_equal(symlink("elsewhere", "link"), 0);
    assert_int_equal(bed_try_open(&b, "link", NULL, 0, &err), SDW_INVALID);
    assert_int_equal(bed_try_open(&b, "link/", NULL, 0, &err), SDW_INVALID);
    assert_int_equal(bed_try_open(&b, "", NULL, 0, &err), SDW_INVALID);
    assert_int_equal(bed_try_open(&b, "no/such/parent", NULL, 0, &err), SDW_NOT_FOUND);
    /* A folder in use for other things is not taken over. */
    assert_int_equal(mkdir("elsewhere/things", 0755), 0);
    assert_int_equal(bed_try_open(&b, "elsewhere", NULL, 0, &err), SDW_INVALID);
    assert_non_null(strstr(err.text, "0755"));
    assert_int_equal(mode_of("elsewhere"), 0755);
    /* Links within. */
    bed_open(&b, FOLDER, NULL, 0);
    bed_close(&b);
    assert_int_equal(rename(FOLDER "/journal", "elsewhere/journal"), 0);
    assert_int_equal(symlink("../elsewhere/journal", FOLDER "/journal"), 0);
    assert_int_equal(bed_try_open(&b, FOLDER, NULL, 0, &err), SDW_INVALID);
    unlink(FOLDER "/journal");
    rmdir(FOLDER "/outputs");
    assert_int_equal(symlink("../elsewhere", FOLDER "/outputs"), 0);
    assert_int_equal(bed_try_open(&b, FOLDER, NULL, 0, &err), SDW_INVALID);
    if (geteuid() != 0) return; /* only root can give files away */
    bed_wipe(FOLDER);
    assert_int_equal(mkdir(FOLDER, 0700), 0);
    assert_int_equal(chown(FOLDER, 4711, 4711), 0);
    assert_int_equal(bed_try_open(&b, FOLDER, NULL, 0, &err), SDW_INVALID);
    assert_non_null(strstr(err.text, "4711"));
}

static void one_worker_owns_the_folder(void **state)
{
    (void)state;
    int ready[2];
    char byte, want[64];
    sdw_error err = { 0 };
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        alarm(60); /* not longer than the test, should that fail */
        bed_open(&b, FOLDER, NULL, 0);
        bed_accept(&b, 1, NULL);
        (void)!write(ready[1], "x", 1);
        for (;;) pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(bed_try_open(&b, FOLDER, NULL, 0, &err), SDW_BUSY);
    snprintf(want, sizeof want, "process %ld,", (long)child);
    assert_non_null(strstr(err.text, want));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    bed_open(&b, FOLDER, NULL, 0); /* the dead hold nothing */
    bed_read(&b);
    assert_int_equal(b.count, 1);
    /* Nor can one process own it twice. */
    static bed second;
    assert_int_equal(bed_try_open(&second, FOLDER, NULL, 0, &err), SDW_BUSY);
    bed_close(&b);
    close(ready[0]);
    close(ready[1]);
}

/* ---- idempotency keys ---- */

static void keys_outlive_restart_job_and_rewrite(void **state)
{
    (void)state;
    sdw_job_record r;
    sdw_job_id got = { "" };
    bed_open(&b, FOLDER, NULL, 0);
    full_record(&r);
    assert_int_equal(sdw_journal_accept(b.journal, &r, NULL), SDW_OK);
    for (int life = 0; life < 4; life++) {
        bed_close(&b);
        bed_open(&b, FOLDER, NULL, 0);
        assert_int_equal(sdw_idempotency_begin(b.keys, r.idempotency_key, r.body_hash, r.created_at + 3600, &got, NULL), SDW_OK);
        assert_string_equal(got.text, r.id.text);
        if (life == 1) assert_int_equal(sdw_journal_forget(b.journal, &r.id, NULL), SDW_OK);
        if (life == 2) assert_int_equal(sdw_journal_rewrite(b.journal, r.created_at + 3600, NULL), SDW_OK);
        bed_read(&b);
        assert_int_equal(b.count, life == 0 ? 1 : 0);
    }
    /* A day later it is gone. */
    assert_int_equal(sdw_journal_rewrite(b.journal, r.created_at + 86400, NULL), SDW_OK);
    bed_close(&b);
    bed_open(&b, FOLDER, NULL, 0);
    assert_int_equal(sdw_idempotency_begin(b.keys, r.idempotency_key, r.body_hash, r.created_at + 1, &got, NULL), SDW_OK);
    assert_string_equal(got.text, "");
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_member_of_a_request_survives, wipe),
        cmocka_unit_test_setup(ends_and_their_outputs_survive, wipe),
        cmocka_unit_test_setup(starts_without_an_end_are_counted_but_stops_on_purpose_are_not, wipe),
        cmocka_unit_test_setup(a_job_is_accepted_once, wipe),
        cmocka_unit_test_setup(a_request_that_cannot_be_read_any_more_is_shown_as_failed, wipe),
        cmocka_unit_test_setup(a_torn_end_is_cut_at_every_byte, wipe),
        cmocka_unit_test_setup(an_end_of_zeros_is_cut, wipe),
        cmocka_unit_test_setup(a_flipped_bit_loses_one_record_at_most, wipe),
        cmocka_unit_test_setup(records_of_unknown_kinds_are_passed_over, wipe),
        cmocka_unit_test_setup(a_newer_format_is_refused_and_left_alone, wipe),
        cmocka_unit_test_setup(a_head_that_was_only_begun_is_begun_again, wipe),
        cmocka_unit_test_setup(folder_and_files_are_closed_to_others, wipe),
        cmocka_unit_test_setup(links_and_foreign_folders_are_refused, wipe),
        cmocka_unit_test_setup(one_worker_owns_the_folder, wipe),
        cmocka_unit_test_setup(keys_outlive_restart_job_and_rewrite, wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
