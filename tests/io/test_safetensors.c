/* The header of a .safetensors file: what is accepted, and every way to damage it; the writer. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "io/checkpoint.h"
#include "io/safetensors.h"
#include "io/safetensors_write.h"

/* A file in a block of exactly its size: header text of the stated length, then `data` zero bytes. */
static unsigned char *build(const char *header, uint64_t length, size_t data, size_t *ret_size)
{
    size_t n = strlen(header);
    unsigned char *file = calloc(1, 8 + n + data);
    assert_non_null(file);
    for (int i = 0; i < 8; i++) file[i] = (unsigned char)(length >> (8 * i));
    memcpy(file + 8, header, n);
    *ret_size = 8 + n + data;
    return file;
}

static sdw_status parse(const char *header, size_t data, sdw_safetensors *ret, sdw_error *err)
{
    size_t size;
    unsigned char *file = build(header, strlen(header), data, &size);
    sdw_status s = sdw_safetensors_parse(file, size, "m.safetensors", ret, err);
    free(file);
    return s;
}

static void refuse(const char *header, size_t data, const char *words)
{
    sdw_safetensors h = { 0 };
    sdw_error err = { 0 };
    if (parse(header, data, &h, &err) == SDW_OK) fail_msg("accepted: %s", header);
    assert_non_null(strstr(err.text, "m.safetensors"));
    if (!strstr(err.text, words)) fail_msg("\"%s\" does not hold \"%s\"", err.text, words);
    assert_null(h.doc);
}

static void tensors_of_all_kinds_are_read(void **state)
{
    (void)state;
    sdw_safetensors h = { 0 };
    sdw_error err = { 0 };
    const char *header = "{\"__metadata__\":{\"format\":\"pt\"},"
                         "\"b\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[4,16]},"
                         "\"scalar\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
                         "\"none\":{\"dtype\":\"BF16\",\"shape\":[0,7],\"data_offsets\":[4,4]},"
                         "\"end\":{\"dtype\":\"I64\",\"shape\":[0],\"data_offsets\":[16,16]}}";
    if (parse(header, 16, &h, &err) != SDW_OK) fail_msg("%s", err.text);
    assert_int_equal(h.count, 4);
    assert_string_equal(h.entries[0].name, "scalar");
    assert_int_equal(h.entries[0].rank, 0);
    assert_string_equal(h.entries[1].name, "none");
    assert_int_equal(h.entries[1].bytes, 0);
    assert_string_equal(h.entries[2].name, "b");
    assert_int_equal(h.entries[2].shape[1], 3);
    assert_int_equal(h.entries[2].begin, 8 + strlen(header) + 4);
    assert_string_equal(yyjson_get_str(yyjson_obj_get(h.metadata, "format")), "pt");
    sdw_safetensors_finish(&h);
    assert_int_equal(parse("{}", 0, &h, &err), SDW_OK);
    assert_int_equal(h.count, 0);
    sdw_safetensors_finish(&h);
}

static void every_damage_of_an_entry_is_named(void **state)
{
    (void)state;
#define T(dtype, shape, offsets) "{\"t\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
    refuse(T("\"F32\"", "[2]", "[0,8]"), 4, "tensor t: data at bytes 0..8 of 4");
    refuse(T("\"F32\"", "[2]", "[8,0]"), 8, "bytes 8..0");
    refuse(T("\"F32\"", "[2]", "[0,9223372036854775807]"), 8, "cut short");
    refuse(T("\"F32\"", "[2]", "[-8,0]"), 8, "data_offsets");
    refuse(T("\"F32\"", "[2]", "[0,8.0]"), 8, "data_offsets");
    refuse(T("\"F32\"", "[2]", "[0]"), 8, "data_offsets");
    refuse(T("\"F32\"", "[2]", "{\"0\":0,\"1\":8}"), 8, "data_offsets");
    refuse(T("\"F32\"", "[3]", "[0,8]"), 8, "8 bytes of data, want 12");
    refuse(T("\"F32\"", "[1]", "[0,8]"), 8, "8 bytes of data, want 4");
    refuse(T("\"F32\"", "[4611686018427387904,2]", "[0,8]"), 8, "more elements than memory");
    refuse(T("\"F32\"", "[18446744073709551615]", "[0,8]"), 8, "dimension 0");
    refuse(T("\"F32\"", "[-2]", "[0,8]"), 8, "dimension 0");
    refuse(T("\"F32\"", "[2,\"1\"]", "[0,8]"), 8, "dimension 1");
    refuse(T("\"F32\"", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), 8, "list of at most 8");
    refuse(T("\"F32\"", "2", "[0,8]"), 8, "\"shape\"");
    refuse(T("\"F7\"", "[2]", "[0,8]"), 8, "unknown dtype \"F7\"");
    refuse(T("7", "[2]", "[0,8]"), 8, "unknown dtype");
    refuse("{\"t\":[]}", 0, "want an object");
    refuse("{\"t\":{}}", 0, "dtype");
    refuse("{\"\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "name has 0 bytes");
    refuse("{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "control character 0x00");
    refuse("{\"a\\u001b[2J\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "control character 0x1b");
    refuse("{\"__metadata__\":[]}", 0, "__metadata__");
    refuse("{\"__metadata__\":{\"n\":1}}", 0, "key \"n\"");
    refuse("{\"t\":{\"dtype\":\"U8\",\"shape\":[[[[0]]]],\"data_offsets\":[0,0]}}", 0, "levels deep");
#undef T
}

static void the_data_must_be_filled_exactly_once(void **state)
{
    (void)state;
#define U8(name, from, to, n) "\"" name "\":{\"dtype\":\"U8\",\"shape\":[" #n "],\"data_offsets\":[" #from "," #to "]}"
    refuse("{" U8("a", 0, 4, 4) "," U8("b", 2, 6, 4) "}", 6, "tensors a and b overlap");
    refuse("{" U8("a", 0, 4, 4) "," U8("b", 0, 4, 4) "}", 4, "overlap");
    refuse("{" U8("a", 0, 4, 4) "," U8("b", 5, 6, 1) "}", 6, "1 bytes before the data of tensor b");
    refuse("{" U8("a", 1, 4, 3) "}", 4, "1 bytes before");
    refuse("{" U8("a", 0, 4, 4) "}", 7, "3 bytes at the end");
    refuse("{" U8("a", 0, 1, 1) "," U8("a", 1, 2, 1) "}", 2, "\"a\" stands twice");
#undef U8
}

static void the_header_length_is_checked_before_it_is_used(void **state)
{
    (void)state;
    static const struct {
        uint64_t length;
        const char *header, *words;
    } bad[] = {
        { 3, "{}", "header of 3 bytes in a file of 10" },
        { UINT64_MAX, "{}", "damaged, cut short" },
        { UINT64_MAX - 7, "{}", "damaged, cut short" },
        { 0, "{}", "is empty" },
        { 1, "{}", "not valid JSON" },
        { 2, "[]", "begins with byte 0x5b" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t size;
        sdw_safetensors h = { 0 };
        sdw_error err = { 0 };
        unsigned char *file = build(bad[i].header, bad[i].length, 0, &size);
        assert_int_not_equal(sdw_safetensors_parse(file, size, "m", &h, &err), SDW_OK);
        if (!strstr(err.text, bad[i].words)) fail_msg("\"%s\" does not hold \"%s\"", err.text, bad[i].words);
        free(file);
    }
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    const char *header = "{\"t\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[0,6]}}";
    size_t size;
    unsigned char *file = build(header, strlen(header), 6, &size);
    for (size_t n = 0; n < size; n++) {
        unsigned char *cut = malloc(n ? n : 1);
        sdw_safetensors h = { 0 };
        assert_non_null(cut);
        memcpy(cut, file, n);
        assert_int_not_equal(sdw_safetensors_parse(cut, n, "m", &h, NULL), SDW_OK);
        free(cut);
    }
    free(file);
}

static void put(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

static void what_is_no_safetensors_file_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        sdw_status status;
        const char *words;
    } files[] = {
        { "version https://git-lfs.github.com/spec/v1\noid sha256:1a\nsize 7703324286\n", 70, SDW_FORMAT, "Git LFS pointer" },
        { "PK\003\004\000\000\000\000archive/data.pkl", 24, SDW_UNSUPPORTED, "convert it to .safetensors" },
        { "\200\002}q\000(X\005\000\000\000state", 16, SDW_UNSUPPORTED, "pickle" },
        { "GGUF\003\000\000\000\000\000\000\000", 12, SDW_UNSUPPORTED, "GGUF" },
        { "<!DOCTYPE html><html>", 21, SDW_FORMAT, "web page" },
        { "", 0, SDW_FORMAT, "is empty" },
        { "short", 5, SDW_FORMAT, "5 bytes" },
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        sdw_checkpoint *c = NULL;
        sdw_error err = { 0 };
        put("foreign.tmp", files[i].bytes, files[i].size);
        assert_int_equal(sdw_checkpoint_open("foreign.tmp", &c, &err), files[i].status);
        assert_non_null(strstr(err.text, "foreign.tmp"));
        if (!strstr(err.text, files[i].words)) fail_msg("\"%s\" does not hold \"%s\"", err.text, files[i].words);
    }
    unlink("foreign.tmp");
    sdw_checkpoint *c = NULL;
    sdw_error err = { 0 };
    assert_int_equal(sdw_checkpoint_open("no-such-file.safetensors", &c, &err), SDW_NOT_FOUND);
    assert_int_equal(sdw_checkpoint_open(".", &c, &err), SDW_FORMAT);
}

/* Names in the current folder that begin with `prefix`. */
static int files_beginning(const char *prefix)
{
    int n = 0;
    DIR *d = opendir(".");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
    closedir(d);
    return n;
}

static void what_is_written_is_read_back(void **state)
{
    (void)state;
    const float a[] = { 1, 2, 3, 4, 5, 6 };
    const unsigned char b[] = { 9, 8, 7 };
    const int64_t matrix[] = { 2, 3 }, bytes[] = { 3 }, empty[] = { 4, 0 };
    sdw_safetensors_writer *w = NULL;
    sdw_error err = { 0 };
    assert_int_equal(sdw_safetensors_writer_open("written.safetensors", true, &w, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_metadata(w, "note", "a \"quoted\" \\ line\nend", &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_declare(w, "z.bytes", SDW_U8, 1, bytes, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_declare(w, "none", SDW_F16, 2, empty, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_declare(w, "a.matrix", SDW_F32, 2, matrix, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_data_bytes(w), 27);
    assert_int_equal(sdw_safetensors_writer_begin(w, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_write(w, b, 3, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_write(w, a, 10, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_write(w, (const char *)a + 10, 14, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_commit(w, &err), SDW_OK);
    sdw_safetensors_writer_close(w);
    sdw_checkpoint *c = NULL;
    assert_int_equal(sdw_checkpoint_open("written.safetensors", &c, &err), SDW_OK);
    assert_int_equal(sdw_checkpoint_count(c), 3);
    assert_string_equal(sdw_checkpoint_at(c, 0)->name, "a.matrix");
    assert_memory_equal(sdw_checkpoint_find(c, "a.matrix")->data, a, sizeof a);
    assert_memory_equal(sdw_checkpoint_find(c, "z.bytes")->data, b, 3);
    assert_int_equal(sdw_checkpoint_find(c, "none")->bytes, 0);
    assert_null(sdw_checkpoint_find(c, "a"));
    assert_string_equal(sdw_checkpoint_metadata(c, "note"), "a \"quoted\" \\ line\nend");
    assert_null(sdw_checkpoint_metadata(c, "other"));
    sdw_checkpoint_close(c);
    unlink("written.safetensors");
}

static void a_writer_that_is_not_committed_leaves_nothing(void **state)
{
    (void)state;
    const int64_t shape[] = { 4 };
    sdw_safetensors_writer *w = NULL;
    sdw_error err = { 0 };
    int before = files_beginning("left.safetensors");
    assert_int_equal(sdw_safetensors_writer_open("left.safetensors", false, &w, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_declare(w, "t", SDW_U8, 1, shape, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_begin(w, &err), SDW_OK);
    assert_int_equal(files_beginning("left.safetensors"), before + 1);
    assert_int_equal(sdw_safetensors_writer_write(w, "abc", 3, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_commit(w, &err), SDW_INVALID);
    assert_non_null(strstr(err.text, "3 bytes of data were written, want the 4"));
    assert_int_equal(sdw_safetensors_writer_write(w, "de", 2, &err), SDW_INVALID);
    sdw_safetensors_writer_close(w);
    assert_int_equal(files_beginning("left.safetensors"), before);
}

static void the_writer_refuses_what_the_reader_would(void **state)
{
    (void)state;
    const int64_t shape[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 }, negative[] = { -1 };
    sdw_safetensors_writer *w = NULL;
    sdw_error err = { 0 };
    put("there.safetensors", "x", 1);
    assert_int_equal(sdw_safetensors_writer_open("there.safetensors", false, &w, &err), SDW_EXISTS);
    unlink("there.safetensors");
    assert_int_equal(sdw_safetensors_writer_open("bad.safetensors", false, &w, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_declare(w, "", SDW_U8, 1, shape, &err), SDW_INVALID);
    assert_int_equal(sdw_safetensors_writer_declare(w, "a\nb", SDW_U8, 1, shape, &err), SDW_INVALID);
    assert_int_equal(sdw_safetensors_writer_declare(w, "t", SDW_U8, 9, shape, &err), SDW_INVALID);
    assert_int_equal(sdw_safetensors_writer_declare(w, "t", SDW_U8, 1, negative, &err), SDW_INVALID);
    assert_int_equal(sdw_safetensors_writer_declare(w, "t", SDW_U8, 1, shape, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_declare(w, "t", SDW_U8, 1, shape, &err), SDW_OK);
    assert_int_equal(sdw_safetensors_writer_begin(w, &err), SDW_INVALID);
    assert_non_null(strstr(err.text, "\"t\" stands twice"));
    sdw_safetensors_writer_close(w);
    assert_int_equal(files_beginning("bad.safetensors"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_of_all_kinds_are_read),
        cmocka_unit_test(every_damage_of_an_entry_is_named),
        cmocka_unit_test(the_data_must_be_filled_exactly_once),
        cmocka_unit_test(the_header_length_is_checked_before_it_is_used),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(what_is_no_safetensors_file_is_named),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(a_writer_that_is_not_committed_leaves_nothing),
        cmocka_unit_test(the_writer_refuses_what_the_reader_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
