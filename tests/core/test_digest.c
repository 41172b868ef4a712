/* Digests of files: both kinds, and what cannot be read. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/digest.h"

#define FILE_NAME "digest.txt"

static int write_file(void **state)
{
    (void)state;
    FILE *f = fopen(FILE_NAME, "w");
    if (!f || fputs("hello\n", f) < 0) return -1;
    return fclose(f);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(FILE_NAME);
}

static void both_kinds_are_those_of_sha256sum_and_git(void **state)
{
    (void)state;
    char hex[SDW_DIGEST_HEX_SIZE];
    sdw_error err = { 0 };
    assert_int_equal(sdw_digest_file(SDW_DIGEST_SHA256, FILE_NAME, NULL, NULL, hex, &err), SDW_OK);
    assert_string_equal(hex, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    assert_int_equal(sdw_digest_file(SDW_DIGEST_GIT_BLOB, FILE_NAME, NULL, NULL, hex, &err), SDW_OK);
    assert_string_equal(hex, "ce013625030ba8dba906f756967f9e9ca394464a");
}

static bool at_the_second_piece(void *ctx)
{
    int *asked = ctx;
    return ++*asked == 2;
}

static void it_stops_when_asked(void **state)
{
    (void)state;
    char hex[SDW_DIGEST_HEX_SIZE];
    sdw_error err = { 0 };
    int asked = 0;
    assert_int_equal(sdw_digest_file(SDW_DIGEST_SHA256, FILE_NAME, at_the_second_piece, &asked, hex, &err), SDW_CANCELLED);
    assert_non_null(strstr(err.text, FILE_NAME));
    assert_int_equal(asked, 2);
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    char hex[SDW_DIGEST_HEX_SIZE];
    sdw_error err = { 0 };
    assert_int_equal(sdw_digest_file(SDW_DIGEST_SHA256, "not-here.txt", NULL, NULL, hex, &err), SDW_NOT_FOUND);
    assert_non_null(strstr(err.text, "not-here.txt"));
    assert_int_equal(sdw_digest_file(SDW_DIGEST_SHA256, ".", NULL, NULL, hex, &err), SDW_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_are_those_of_sha256sum_and_git),
        cmocka_unit_test(it_stops_when_asked),
        cmocka_unit_test(what_cannot_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, write_file, remove_file);
}
