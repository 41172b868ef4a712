/* The hash table against a plain array. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/mem.h"
#include "core/strmap.h"

enum { KEYS = 500 };
static char keys[KEYS][16];
static int values[KEYS];

static void random_puts_and_removes_agree_with_an_array(void **state)
{
    (void)state;
    bool there[KEYS] = { 0 };
    size_t count = 0;
    sdw_strmap m = { 0 };
    srand(7);
    for (int i = 0; i < KEYS; i++) snprintf(keys[i], sizeof keys[i], "key-%d", i * 7919);
    assert_null(sdw_strmap_get(&m, "key-0"));
    assert_null(sdw_strmap_remove(&m, "key-0"));
    for (int turn = 0; turn < 40000; turn++) {
        int i = rand() % KEYS;
        /* Fills up in the first half, empties in the second. */
        if (rand() % 100 < (turn < 20000 ? 70 : 30)) {
            assert_true(sdw_strmap_put(&m, keys[i], &values[i]));
            count += !there[i];
            there[i] = true;
        } else {
            assert_ptr_equal(sdw_strmap_remove(&m, keys[i]), there[i] ? &values[i] : NULL);
            count -= there[i];
            there[i] = false;
        }
        assert_int_equal(m.count, count);
        if (turn % 100 == 0)
            for (int k = 0; k < KEYS; k++) assert_ptr_equal(sdw_strmap_get(&m, keys[k]), there[k] ? &values[k] : NULL);
    }
    sdw_strmap_finish(&m);
}

static void without_memory_nothing_changes(void **state)
{
    (void)state;
    sdw_strmap m = { 0 };
    int put = 0;
    for (; put < KEYS; put++) {
        sdw_mem_fail_at(1, true);
        bool ok = sdw_strmap_put(&m, keys[put], &values[put]);
        sdw_mem_fail_at(0, false);
        if (!ok) {
            assert_null(sdw_strmap_get(&m, keys[put]));
            assert_true(sdw_strmap_put(&m, keys[put], &values[put]));
        }
        for (int k = 0; k <= put; k++) assert_ptr_equal(sdw_strmap_get(&m, keys[k]), &values[k]);
    }
    sdw_strmap_finish(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_puts_and_removes_agree_with_an_array),
        cmocka_unit_test(without_memory_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
