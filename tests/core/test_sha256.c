/* SHA-256: the published examples, and files in pieces. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/sha256.h"

static void published_examples_are_met(void **state)
{
    (void)state;
    char hex[SDW_SHA256_HEX_SIZE];
    assert_int_equal(sdw_sha256_bytes("", 0, hex, NULL), SDW_OK);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(sdw_sha256_bytes("abc", 3, hex, NULL), SDW_OK);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void a_file_hashes_as_its_bytes(void **state)
{
    (void)state;
    char path[] = "sha256_test_XXXXXX", from_file[SDW_SHA256_HEX_SIZE], from_bytes[SDW_SHA256_HEX_SIZE];
    const size_t size = ((size_t)2 << 20) + 17; /* two whole pieces and a bit */
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)(i * 31 >> 3);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    assert_int_equal(sdw_sha256_file(path, from_file, NULL), SDW_OK);
    assert_int_equal(sdw_sha256_bytes(bytes, size, from_bytes, NULL), SDW_OK);
    assert_string_equal(from_file, from_bytes);
    unlink(path);
    free(bytes);
}

static void missing_files_and_folders_are_told_apart(void **state)
{
    (void)state;
    sdw_error err = { 0 };
    char hex[SDW_SHA256_HEX_SIZE] = "kept";
    assert_int_equal(sdw_sha256_file("/nonexistent/file", hex, &err), SDW_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nonexistent/file"));
    assert_int_equal(sdw_sha256_file("/", hex, &err), SDW_IO);
    assert_string_equal(hex, "kept");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples_are_met),
        cmocka_unit_test(a_file_hashes_as_its_bytes),
        cmocka_unit_test(missing_files_and_folders_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
