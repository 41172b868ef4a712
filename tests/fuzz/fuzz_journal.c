/* Any bytes as the records of a journal: they are read to their end, what is good is understood or refused with a
 * sentence, and reading the good part again gives the same. The bytes stand in memory, behind the io table. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "worker/job_record.h"
#include "worker/journal_format.h"
#include "worker/journal_index.h"

typedef struct text { const uint8_t *data; size_t size; } text;

static ssize_t read_text(void *ctx, int fd, void *to, size_t size, off_t at)
{
    const text *t = ctx;
    (void)fd;
    if ((uint64_t)at >= t->size) return 0;
    if (size > t->size - (size_t)at) size = t->size - (size_t)at;
    memcpy(to, t->data + at, size);
    return (ssize_t)size;
}

static void try_payload(const sdw_journal_record *r)
{
    sdw_error err = { 0 };
    sdw_job_record record = { 0 };
    sdw_job_end end = { 0 };
    void *owner = NULL;
    sdw_status s = sdw_job_record_read(r->payload, r->size, &record, &err);
    if (s != SDW_OK && !err.text[0]) abort();
    if (s == SDW_OK) {
        /* What can be read can be written, and is then read the same. */
        sdw_buf again = { 0 };
        sdw_job_record second = { 0 };
        if (sdw_job_record_write(&record, &again, &err) != SDW_OK) abort();
        if (sdw_job_record_read(again.data, again.size, &second, &err) != SDW_OK) abort();
        if (strcmp(record.id.text, second.id.text) != 0 || record.params.seed != second.params.seed) abort();
        sdw_job_record_finish(&second);
        sdw_buf_finish(&again);
    }
    sdw_job_record_finish(&record);
    s = sdw_job_end_read(r->payload, r->size, &end, &owner, &err);
    if (s == SDW_OK && (end.output_count < 0 || end.output_count > SDW_JOB_PICTURES_MAX)) abort();
    sdw_job_end_free(owner);
}

/* Returns the number of good records. */
static size_t read_all(const text *t, sdw_journal_index *index, sdw_idempotency *keys, uint64_t *ret_end)
{
    const sdw_io io = { .pread = read_text, .ctx = (void *)(uintptr_t)t };
    sdw_journal_scan scan;
    sdw_journal_record r;
    sdw_error err = { 0 };
    bool more = true;
    size_t count = 0;
    sdw_journal_scan_begin(&scan, &io, 0, "fuzz", t->size);
    for (;;) {
        if (sdw_journal_scan_next(&scan, &r, &more, &err) != SDW_OK) abort();
        if (!more) break;
        if (r.at < SDW_JOURNAL_HEAD_SIZE || r.at + SDW_JOURNAL_RECORD_HEAD + r.size > t->size) abort();
        sdw_status s = sdw_journal_index_apply(index, &r, keys, &err);
        if (s != SDW_OK && s != SDW_FORMAT) abort();
        if (s == SDW_OK && keys) try_payload(&r);
        count++;
    }
    *ret_end = scan.good_end;
    sdw_journal_scan_finish(&scan);
    return count;
}

/* Damaged checksums would hide everything behind them: the input's records get the right ones, where they have a head. */
static void mend(uint8_t *data, size_t size)
{
    static const uint8_t marker[4] = { 0xff, 'S', 'J', 0x01 };
    for (size_t at = SDW_JOURNAL_HEAD_SIZE; at + SDW_JOURNAL_RECORD_HEAD <= size;) {
        uint8_t *head = data + at;
        size_t n = head[4] | (size_t)head[5] << 8 | (size_t)head[6] << 16 | (size_t)head[7] << 24;
        if (memcmp(head, marker, 4) != 0 || n > size - at - SDW_JOURNAL_RECORD_HEAD) {
            at++;
            continue;
        }
        uint32_t crc = sdw_crc32c(sdw_crc32c(sdw_crc32c(0, head + 4, 4), head + 12, 4), head + SDW_JOURNAL_RECORD_HEAD, n);
        for (int i = 0; i < 4; i++) head[8 + i] = (uint8_t)(crc >> (8 * i));
        at += SDW_JOURNAL_RECORD_HEAD + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    if (!copy) return 0;
    memcpy(copy, data, size);
    for (int round = 0; round < 2; round++) {
        sdw_journal_index first = { 0 }, second = { 0 };
        sdw_idempotency *keys = NULL;
        uint64_t end = 0, end_again = 0;
        if (round == 1) mend(copy, size);
        if (sdw_idempotency_open(8, 0, &keys, NULL) != SDW_OK) abort();
        text t = { copy, size };
        size_t count = read_all(&t, &first, keys, &end);
        text good = { copy, end < size ? (size_t)end : size };
        if (size >= SDW_JOURNAL_HEAD_SIZE && read_all(&good, &second, NULL, &end_again) != count) abort();
        if (size >= SDW_JOURNAL_HEAD_SIZE && (first.jobs.count != second.jobs.count || first.live_bytes != second.live_bytes)) abort();
        sdw_journal_index_finish(&first);
        sdw_journal_index_finish(&second);
        sdw_idempotency_close(keys);
    }
    free(copy);
    return 0;
}
