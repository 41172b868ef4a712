/* Idempotency keys: first, again, other body, still under way; age and number. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "bed.h"
#include "core/mem.h"
#include "worker/idempotency.h"

static sdw_idempotency *table;

static sdw_status ask(const char *key, int body, double now, sdw_job_id *ret)
{
    uint8_t hash[32], of_body[32] = { (uint8_t)body };
    assert_int_equal(sdw_idempotency_hash("scope", key, hash, NULL), SDW_OK);
    return sdw_idempotency_begin(table, hash, of_body, now, ret, NULL);
}

static void commit(const char *key, int job, double now)
{
    uint8_t hash[32];
    sdw_job_id id = bed_id(job);
    assert_int_equal(sdw_idempotency_hash("scope", key, hash, NULL), SDW_OK);
    sdw_idempotency_commit(table, hash, &id, now);
}

static void abort_key(const char *key)
{
    uint8_t hash[32];
    assert_int_equal(sdw_idempotency_hash("scope", key, hash, NULL), SDW_OK);
    sdw_idempotency_abort(table, hash);
}

static void a_key_stands_for_one_request(void **state)
{
    (void)state;
    sdw_job_id id;
    assert_int_equal(sdw_idempotency_open(0, 0, &table, NULL), SDW_OK);
    assert_int_equal(ask("k", 1, 0, &id), SDW_OK);
    assert_string_equal(id.text, "");
    assert_int_equal(ask("k", 1, 1, &id), SDW_LIMIT); /* under way */
    assert_int_equal(ask("k", 2, 1, &id), SDW_EXISTS);
    commit("k", 5, 2);
    assert_int_equal(ask("k", 1, 3, &id), SDW_OK);
    assert_int_equal(bed_number(&id), 5);
    assert_int_equal(ask("k", 2, 3, &id), SDW_EXISTS);
    abort_key("k"); /* too late */
    assert_int_equal(ask("k", 1, 3, &id), SDW_OK);
    assert_int_equal(bed_number(&id), 5);
    /* A request that was refused leaves its key free. */
    assert_int_equal(ask("other", 1, 3, &id), SDW_OK);
    abort_key("other");
    assert_int_equal(ask("other", 2, 3, &id), SDW_OK);
    assert_string_equal(id.text, "");
    sdw_idempotency_close(table);
}

static void scope_and_key_are_told_apart(void **state)
{
    (void)state;
    uint8_t a[32], b[32], c[32];
    assert_int_equal(sdw_idempotency_hash("ab", "c", a, NULL), SDW_OK);
    assert_int_equal(sdw_idempotency_hash("a", "bc", b, NULL), SDW_OK);
    assert_int_equal(sdw_idempotency_hash("ab", "c", c, NULL), SDW_OK);
    assert_memory_not_equal(a, b, 32);
    assert_memory_equal(a, c, 32);
}

static void keys_live_a_day_and_the_newest_remain(void **state)
{
    (void)state;
    sdw_job_id id;
    char key[16];
    assert_int_equal(sdw_idempotency_open(100, 0, &table, NULL), SDW_OK);
    for (int i = 0; i < 150; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(ask(key, 1, i, &id), SDW_OK);
        commit(key, i, i);
    }
    sdw_idempotency_entry *all = NULL;
    size_t count = 0;
    assert_int_equal(sdw_idempotency_copy(table, 150, &all, &count, NULL), SDW_OK);
    assert_int_equal(count, 100);
    for (size_t i = 0; i < count; i++) assert_int_equal(bed_number(&all[i].job), 50 + i);
    assert_int_equal(ask("50", 1, 86449, &id), SDW_OK);
    assert_int_equal(bed_number(&id), 50);
    assert_int_equal(ask("50", 1, 86450, &id), SDW_OK); /* a day old */
    assert_string_equal(id.text, "");
    assert_int_equal(ask("51", 1, 86450, &id), SDW_OK);
    assert_int_equal(bed_number(&id), 51);
    sdw_idempotency_close(table);
    /* Restored in any order, the newest remain. */
    assert_int_equal(sdw_idempotency_open(10, 0, &table, NULL), SDW_OK);
    for (size_t i = 0; i < count; i++) assert_int_equal(sdw_idempotency_restore(table, &all[i * 37 % count], NULL), SDW_OK);
    sdw_free(all);
    assert_int_equal(sdw_idempotency_copy(table, 150, &all, &count, NULL), SDW_OK);
    assert_int_equal(count, 10);
    for (size_t i = 0; i < count; i++) assert_int_equal(bed_number(&all[i].job), 140 + i);
    sdw_free(all);
    sdw_idempotency_close(table);
}

static atomic_int firsts, busy, again;

static void *race(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        char key[16];
        uint8_t hash[32], body[32] = { 1 };
        sdw_job_id id, mine = bed_id(i);
        snprintf(key, sizeof key, "%d", i);
        sdw_idempotency_hash("scope", key, hash, NULL);
        sdw_status s = sdw_idempotency_begin(table, hash, body, 1, &id, NULL);
        if (s == SDW_LIMIT) {
            atomic_fetch_add(&busy, 1);
        } else if (id.text[0]) {
            atomic_fetch_add(&again, 1);
        } else {
            atomic_fetch_add(&firsts, 1);
            sdw_idempotency_commit(table, hash, &mine, 1);
        }
    }
    return NULL;
}

static void of_many_at_once_one_is_first(void **state)
{
    (void)state;
    pthread_t threads[4];
    assert_int_equal(sdw_idempotency_open(0, 0, &table, NULL), SDW_OK);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, race, NULL), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    assert_int_equal(firsts, 200);
    assert_int_equal(busy + again, 600);
    sdw_idempotency_close(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_stands_for_one_request),
        cmocka_unit_test(scope_and_key_are_told_apart),
        cmocka_unit_test(keys_live_a_day_and_the_newest_remain),
        cmocka_unit_test(of_many_at_once_one_is_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
