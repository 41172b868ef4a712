/* Random names: form, variety, and the checks that read them back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/uuid.h"

static void uuids_are_version_4_and_differ(void **state)
{
    (void)state;
    char last[SDW_UUID_SIZE] = "", now[SDW_UUID_SIZE];
    unsigned variants = 0;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(sdw_uuid_v4(now, NULL), SDW_OK);
        assert_int_equal(strlen(now), 36);
        assert_true(sdw_is_uuid_v4(now));
        assert_string_not_equal(now, last);
        variants |= 1u << (strchr("89ab", now[19]) - "89ab");
        memcpy(last, now, sizeof last);
    }
    assert_int_equal(variants, 15); /* the two free bits of that digit take all four values */
}

static void every_bit_of_a_name_varies(void **state)
{
    (void)state;
    unsigned seen[32] = { 0 };
    char text[SDW_HEX128_SIZE];
    for (int i = 0; i < 400; i++) {
        assert_int_equal(sdw_hex128(text, NULL), SDW_OK);
        assert_true(sdw_is_hex128(text));
        for (int k = 0; k < 32; k++) seen[k] |= 1u << (strchr("0123456789abcdef", text[k]) - "0123456789abcdef");
    }
    for (int k = 0; k < 32; k++) assert_int_equal(seen[k], 0xffff);
}

static void other_spellings_are_not_ours(void **state)
{
    (void)state;
    assert_true(sdw_is_uuid_v4("6fa459ea-ee8a-4ca4-894e-db77e160355e"));
    static const char *const bad[] = {
        "", "6fa459ea", "6FA459EA-ee8a-4ca4-894e-db77e160355e", "6fa459ea-ee8a-3ca4-894e-db77e160355e",
        "6fa459ea-ee8a-4ca4-c94e-db77e160355e", "6fa459ea-ee8a-4ca4-894e-db77e160355e0", "6fa459ea-ee8a-4ca4-894e-db77e160355",
        "6fa459eaaee8aa4ca4a894eadb77e160355e", "../../../../../../etc/passwd/0000000",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(sdw_is_uuid_v4(bad[i]));
    assert_true(sdw_is_hex("0af", 3));
    assert_false(sdw_is_hex("0af0", 3));
    assert_false(sdw_is_hex("0a", 3));
    assert_false(sdw_is_hex("0Af", 3));
    assert_false(sdw_is_hex128("0123456789abcdef0123456789abcde/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uuids_are_version_4_and_differ),
        cmocka_unit_test(every_bit_of_a_name_varies),
        cmocka_unit_test(other_spellings_are_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
