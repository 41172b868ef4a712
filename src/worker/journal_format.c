/* journal_format.c - head, records, and finding the next good record behind a damaged one. */
#include "worker/journal_format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/file.h"
#include "core/limits.h"
#include "core/mem.h"

static const char magic[8] = { 'S', 'D', 'W', 'J', 'R', 'N', 'L', '\n' };
/* Cannot occur in a payload: JSON text is UTF-8 without control bytes. */
static const uint8_t marker[4] = { 0xff, 'S', 'J', 0x01 };

static void put_le32(uint8_t *to, uint32_t v)
{
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void sdw_journal_head(uint8_t ret[SDW_JOURNAL_HEAD_SIZE])
{
    memcpy(ret, magic, sizeof magic);
    put_le32(ret + 8, SDW_JOURNAL_FORMAT);
    put_le32(ret + 12, sdw_crc32c(0, ret, 12));
}

sdw_status sdw_journal_head_check(const uint8_t head[SDW_JOURNAL_HEAD_SIZE], const char *path, sdw_error *err)
{
    uint32_t format = get_le32(head + 8);
    if (memcmp(head, magic, sizeof magic) != 0 || get_le32(head + 12) != sdw_crc32c(0, head, 12))
        return sdw_fail(err, SDW_FORMAT, "%s/journal: is no journal, or its first 16 bytes are damaged; it is left as it is", path);
    if (format != SDW_JOURNAL_FORMAT)
        return sdw_fail(err, SDW_UNSUPPORTED, "%s/journal: has format %u, this program knows %d; it is left as it is", path, (unsigned)format,
                        SDW_JOURNAL_FORMAT);
    return SDW_OK;
}

/* ---- writing ---- */

size_t sdw_journal_record_begin(sdw_buf *out, sdw_journal_type type)
{
    uint8_t head[SDW_JOURNAL_RECORD_HEAD] = { 0 };
    size_t at = out->size;
    memcpy(head, marker, sizeof marker);
    put_le32(head + 12, type);
    sdw_buf_append(out, head, sizeof head);
    return at;
}

/* Over length, type and payload. */
static uint32_t checksum(const uint8_t head[SDW_JOURNAL_RECORD_HEAD], const void *payload, size_t size)
{
    uint32_t crc = sdw_crc32c(0, head + 4, 4);
    crc = sdw_crc32c(crc, head + 12, 4);
    return sdw_crc32c(crc, payload, size);
}

sdw_status sdw_journal_record_close(sdw_buf *out, size_t at, sdw_error *err)
{
    if (out->failed) return sdw_fail_memory(err, "record of the journal", out->size);
    size_t size = out->size - at - SDW_JOURNAL_RECORD_HEAD;
    if (size > SDW_LIMIT_JOURNAL_RECORD)
        return sdw_fail(err, SDW_LIMIT, "record of the journal: %zu bytes, want at most %zu", size, SDW_LIMIT_JOURNAL_RECORD);
    uint8_t *head = (uint8_t *)out->data + at;
    put_le32(head + 4, (uint32_t)size);
    put_le32(head + 8, checksum(head, head + SDW_JOURNAL_RECORD_HEAD, size));
    return SDW_OK;
}

/* ---- reading ---- */

/* size bytes at `at`; fewer where the file ends. */
static sdw_status read_at(const sdw_io *io, int fd, const char *path, uint64_t at, void *to, size_t size, size_t *ret_have, sdw_error *err)
{
    size_t have = 0;
    while (have < size) {
        ssize_t n = io->pread(io->ctx, fd, (char *)to + have, size - have, (off_t)(at + have));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return sdw_fail_errno(err, path, "cannot read the journal");
        if (n == 0) break;
        have += (size_t)n;
    }
    *ret_have = have;
    return SDW_OK;
}

void sdw_journal_scan_begin(sdw_journal_scan *s, const sdw_io *io, int fd, const char *path, uint64_t size)
{
    *s = (sdw_journal_scan){ .io = io, .fd = fd, .path = path, .size = size, .at = SDW_JOURNAL_HEAD_SIZE, .good_end = SDW_JOURNAL_HEAD_SIZE };
    sdw_buf_init(&s->payload, SDW_LIMIT_JOURNAL_RECORD);
}

void sdw_journal_scan_finish(sdw_journal_scan *s)
{
    sdw_buf_finish(&s->payload);
}

/* *ret_good: a whole record with the right checksum stands at `at`. */
static sdw_status try_record(sdw_journal_scan *s, uint64_t at, sdw_journal_record *ret, bool *ret_good, sdw_error *err)
{
    uint8_t head[SDW_JOURNAL_RECORD_HEAD];
    size_t have = 0;
    *ret_good = false;
    if (s->size - at < sizeof head) return SDW_OK;
    sdw_status status = read_at(s->io, s->fd, s->path, at, head, sizeof head, &have, err);
    if (status != SDW_OK || have < sizeof head || memcmp(head, marker, sizeof marker) != 0) return status;
    size_t size = get_le32(head + 4);
    if (size > SDW_LIMIT_JOURNAL_RECORD || size > s->size - at - sizeof head) return SDW_OK;
    s->payload.size = 0;
    char *to = sdw_buf_reserve(&s->payload, size);
    if (!to) return sdw_fail_memory(err, "record of the journal", size);
    status = read_at(s->io, s->fd, s->path, at + sizeof head, to, size, &have, err);
    if (status != SDW_OK || have < size) return status;
    s->payload.size = size;
    to[size] = '\0';
    if (checksum(head, to, size) != get_le32(head + 8)) return SDW_OK;
    *ret = (sdw_journal_record){ .type = get_le32(head + 12), .at = at, .payload = to, .size = size };
    *ret_good = true;
    return SDW_OK;
}

/* The first place from `at` on where a record might begin; s->size if there is none. */
static sdw_status find_marker(const sdw_journal_scan *s, uint64_t at, uint64_t *ret_at, sdw_error *err)
{
    uint8_t piece[4096];
    while (s->size - at >= sizeof marker) {
        size_t have = 0, want = s->size - at < sizeof piece ? (size_t)(s->size - at) : sizeof piece;
        sdw_status status = read_at(s->io, s->fd, s->path, at, piece, want, &have, err);
        if (status != SDW_OK) return status;
        if (have < sizeof marker) break;
        for (size_t i = 0; i + sizeof marker <= have; i++)
            if (memcmp(piece + i, marker, sizeof marker) == 0) {
                *ret_at = at + i;
                return SDW_OK;
            }
        at += have - (sizeof marker - 1);
    }
    *ret_at = s->size;
    return SDW_OK;
}

sdw_status sdw_journal_scan_next(sdw_journal_scan *s, sdw_journal_record *ret, bool *ret_more, sdw_error *err)
{
    uint64_t at = s->at;
    bool good = false;
    while (at < s->size) {
        sdw_status status = try_record(s, at, ret, &good, err);
        if (status != SDW_OK) return status;
        if (good) break;
        status = find_marker(s, at + 1, &at, err);
        if (status != SDW_OK) return status;
    }
    if (good) {
        if (at != s->at) s->damaged++;
        s->good_end = s->at = at + SDW_JOURNAL_RECORD_HEAD + ret->size;
    }
    *ret_more = good;
    return SDW_OK;
}

sdw_status sdw_journal_read_at(const sdw_io *io, int fd, const char *path, uint64_t at, size_t size, sdw_buf *out, sdw_error *err)
{
    size_t have = 0, whole = SDW_JOURNAL_RECORD_HEAD + size;
    out->size = 0;
    char *to = sdw_buf_reserve(out, whole);
    if (!to) return sdw_fail_memory(err, "record of the journal", whole);
    sdw_status status = read_at(io, fd, path, at, to, whole, &have, err);
    if (status != SDW_OK) return status;
    const uint8_t *head = (const uint8_t *)to;
    if (have < whole || memcmp(head, marker, sizeof marker) != 0 || get_le32(head + 4) != size ||
        checksum(head, to + SDW_JOURNAL_RECORD_HEAD, size) != get_le32(head + 8))
        return sdw_fail(err, SDW_FORMAT, "%s/journal: the record at byte %llu is damaged", path, (unsigned long long)at);
    out->size = whole;
    to[whole] = '\0';
    return SDW_OK;
}
