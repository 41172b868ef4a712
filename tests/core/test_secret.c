/* Comparing secrets and naming them in logs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/secret.h"

static void only_the_same_bytes_are_equal(void **state)
{
    (void)state;
    assert_true(sdw_secret_equal("s3cret", "s3cret", 6));
    assert_true(sdw_secret_equal("s3cret", "s3cret and more", 6));
    assert_false(sdw_secret_equal("s3cret", "s3cret", 5));
    assert_false(sdw_secret_equal("s3cret", "s3creT", 6));
    assert_false(sdw_secret_equal("s3cret", "x3cret", 6));
    assert_false(sdw_secret_equal("s3cret", "s3cret\0", 7));
    assert_false(sdw_secret_equal("s3cret", "", 0));
    assert_true(sdw_secret_equal("", "", 0));
}

static void a_fingerprint_is_the_start_of_the_hash(void **state)
{
    (void)state;
    char print[SDW_SECRET_FINGERPRINT_SIZE];
    sdw_secret_fingerprint("abc", print);
    assert_string_equal(print, "ba7816"); /* of SHA-256("abc") */
    sdw_secret_fingerprint("abd", print);
    assert_string_not_equal(print, "ba7816");
}

static void wiped_bytes_are_zero(void **state)
{
    (void)state;
    char bytes[16];
    memset(bytes, 'x', sizeof bytes);
    sdw_secret_wipe(bytes, 8);
    for (int i = 0; i < 16; i++) assert_int_equal(bytes[i], i < 8 ? 0 : 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_same_bytes_are_equal),
        cmocka_unit_test(a_fingerprint_is_the_start_of_the_hash),
        cmocka_unit_test(wiped_bytes_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
