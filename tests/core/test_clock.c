/* Clocks, RFC 3339 and the checksum. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "core/crc32c.h"

static void clocks_run_forward(void **state)
{
    (void)state;
    int64_t a = sdw_clock_monotonic_ns(), b = sdw_clock_monotonic_ns();
    assert_true(b >= a);
    assert_true(sdw_clock_wall_s() > 1.6e9);
    assert_true(sdw_clock_monotonic_s() > 0);
}

static void known_instants_are_written(void **state)
{
    (void)state;
    static const struct { int64_t s, ns; const char *text; } cases[] = {
        { 0, 0, "1970-01-01T00:00:00.000000000" }, { 1762203600, 123456789, "2025-11-03T21:00:00.123456789" },
        { 951782399, 999999999, "2000-02-28T23:59:59.999999999" }, { 951782400, 0, "2000-02-29T00:00:00.000000000" },
        { -1, 0, "1969-12-31T23:59:59.000000000" }, { 4107542400, 1, "2100-03-01T00:00:00.000000001" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[SDW_RFC3339_SIZE], want[SDW_RFC3339_SIZE + 8];
        int64_t t = cases[i].s * SDW_SECOND_NS + cases[i].ns;
        sdw_rfc3339(t, SDW_ZONE_OFFSET, text);
        snprintf(want, sizeof want, "%s+00:00", cases[i].text);
        assert_string_equal(text, want);
        sdw_rfc3339(t, SDW_ZONE_Z, text);
        snprintf(want, sizeof want, "%sZ", cases[i].text);
        assert_string_equal(text, want);
    }
    char text[SDW_RFC3339_SIZE];
    sdw_rfc3339(-1, SDW_ZONE_Z, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999999Z");
    sdw_rfc3339(INT64_MIN, SDW_ZONE_OFFSET, text);
    assert_string_equal(text, "1677-09-21T00:12:43.145224192+00:00");
    sdw_rfc3339(INT64_MAX, SDW_ZONE_OFFSET, text);
    assert_string_equal(text, "2262-04-11T23:47:16.854775807+00:00");
}

static void every_day_agrees_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t day = -100000; day < 100000; day += 7) {
        char ours[SDW_RFC3339_SIZE], theirs[SDW_RFC3339_SIZE];
        time_t t = (time_t)(day * 86400 + (day & 0xffff));
        struct tm tm;
        sdw_rfc3339((int64_t)t * SDW_SECOND_NS, SDW_ZONE_Z, ours);
        assert_non_null(gmtime_r(&t, &tm));
        strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%S.000000000Z", &tm);
        assert_string_equal(ours, theirs);
    }
}

/* Bit by bit, from the polynomial alone. */
static uint32_t slow_crc(const unsigned char *p, size_t n)
{
    uint32_t crc = 0xffffffffu;
    while (n--) {
        crc ^= *p++;
        for (int i = 0; i < 8; i++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void checksums_are_those_of_castagnoli(void **state)
{
    (void)state;
    unsigned char data[200];
    assert_int_equal(sdw_crc32c(0, "123456789", 9), 0xe3069283u);
    memset(data, 0, 32);
    assert_int_equal(sdw_crc32c(0, data, 32), 0x8a9136aau); /* RFC 3720, B.4 */
    memset(data, 0xff, 32);
    assert_int_equal(sdw_crc32c(0, data, 32), 0x62a8ab43u);
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * i + 7 * i);
    for (size_t n = 0; n < sizeof data; n++)
        for (size_t cut = 0; cut <= n; cut += 13) assert_int_equal(sdw_crc32c(sdw_crc32c(0, data, cut), data + cut, n - cut), slow_crc(data, n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_run_forward),
        cmocka_unit_test(known_instants_are_written),
        cmocka_unit_test(every_day_agrees_with_the_c_library),
        cmocka_unit_test(checksums_are_those_of_castagnoli),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
