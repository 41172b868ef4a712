/* The log: forms, escapes, cuts, rates, readers that do not read, reopening, many threads. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json.h"
#include "core/log.h"

#define TEXT_MAX (1 << 20)
static char text[TEXT_MAX];

static const char *read_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, text, sizeof text - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    close(fd);
    return text;
}

static void open_log(const char *path, sdw_log_form form, sdw_log_level level, int rate)
{
    unlink(path);
    const sdw_log_options o = { .path = path, .form = form, .level = level, .lines_per_second = rate };
    assert_int_equal(sdw_log_open(&o, NULL), SDW_OK);
}

static void nothing_happens_before_open_and_after_close(void **state)
{
    (void)state;
    assert_false(sdw_log_wants(SDW_LOG_ERROR));
    sdw_log(SDW_LOG_ERROR, "into nothing", NULL);
    open_log("closed.log", SDW_LOG_LOGFMT, SDW_LOG_DEBUG, 0);
    sdw_log_close();
    sdw_log(SDW_LOG_ERROR, "into nothing", NULL);
    assert_string_equal(read_file("closed.log"), "");
}

static void logfmt_quotes_what_needs_it(void **state)
{
    (void)state;
    open_log("fmt.log", SDW_LOG_LOGFMT, SDW_LOG_INFO, 0);
    sdw_log(SDW_LOG_INFO, "job accepted", "job", "job-1", "prompt", "a \"cat\"\n= b", "absent", (const char *)NULL, "empty", "", "name", "\xe7\x8c\xab", NULL);
    sdw_log(SDW_LOG_DEBUG, "not wanted", NULL);
    sdw_log(SDW_LOG_WARNING, "two\nlines", NULL);
    const char *got = read_file("fmt.log");
    assert_non_null(strstr(got, "Z info job accepted job=job-1 prompt=\"a \\\"cat\\\"\\n= b\" empty=\"\" name=\"\xe7\x8c\xab\"\n"));
    assert_non_null(strstr(got, "Z warn two\\nlines\n"));
    assert_null(strstr(got, "not wanted"));
    struct stat st;
    assert_int_equal(stat("fmt.log", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    sdw_log_close();
}

/* Every line must parse, whatever is logged. */
static void json_lines_stay_json(void **state)
{
    (void)state;
    char all[256], huge[3 * SDW_LOG_VALUE_MAX];
    for (int i = 0; i < 255; i++) all[i] = (char)(i + 1);
    all[255] = '\0';
    memset(huge, '"', sizeof huge);
    huge[sizeof huge - 1] = '\0';
    open_log("json.log", SDW_LOG_JSON, SDW_LOG_INFO, 0);
    sdw_log(SDW_LOG_INFO, "all bytes", "value", all, NULL);
    sdw_log(SDW_LOG_INFO, huge, "a", huge, "b", huge, "c", huge, "last", "here", NULL);
    sdw_log(SDW_LOG_ERROR, "overlong \xc0\xaf surrogate \xed\xa0\x80 cut \xe7\x8c", NULL);
    size_t lines = 0;
    char *rest = (char *)(uintptr_t)read_file("json.log");
    for (char *end; (end = strchr(rest, '\n')); rest = end + 1) {
        yyjson_doc *doc = NULL;
        sdw_error err = { 0 };
        const sdw_json_limits limits = { .top = SDW_JSON_OBJECT };
        if (sdw_json_parse(rest, (size_t)(end - rest), "line", &limits, &doc, &err) != SDW_OK) fail_msg("%s", err.text);
        yyjson_val *o = yyjson_doc_get_root(doc);
        assert_non_null(yyjson_get_str(yyjson_obj_get(o, "time")));
        assert_non_null(yyjson_get_str(yyjson_obj_get(o, "message")));
        if (lines == 1) assert_string_equal(yyjson_get_str(yyjson_obj_get(o, "last")), "here");
        if (lines == 2)
            assert_string_equal(yyjson_get_str(yyjson_obj_get(o, "message")),
                                "overlong \xef\xbf\xbd\xef\xbf\xbd surrogate \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd cut \xef\xbf\xbd\xef\xbf\xbd");
        assert_true(end - rest < SDW_LOG_LINE_MAX);
        yyjson_doc_free(doc);
        lines++;
    }
    assert_int_equal(lines, 3);
    sdw_log_close();
}

static size_t count_of(const char *haystack, const char *needle)
{
    size_t n = 0;
    for (const char *p = haystack; (p = strstr(p, needle)); p++) n++;
    return n;
}

static void a_flood_is_cut_and_counted_and_errors_have_a_place_of_their_own(void **state)
{
    (void)state;
    open_log("rate.log", SDW_LOG_LOGFMT, SDW_LOG_DEBUG, 10);
    for (int i = 0; i < 1000; i++) sdw_log(SDW_LOG_INFO, "flood", NULL);
    sdw_log(SDW_LOG_ERROR, "trouble", NULL);
    const char *got = read_file("rate.log");
    size_t floods = count_of(got, " info flood");
    assert_in_range(floods, 50, 100);
    assert_int_equal(count_of(got, " error trouble"), 1);
    assert_non_null(strstr(got, "log lines were dropped lines="));
    assert_int_equal(sdw_log_dropped(), 1000 - floods);
    sdw_log_close();
}

static void a_reader_that_does_not_read_blocks_nobody(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const sdw_log_options o = { .fd = ends[1], .level = SDW_LOG_INFO };
    assert_int_equal(sdw_log_open(&o, NULL), SDW_OK);
    for (int i = 0; i < 20000; i++) sdw_log(SDW_LOG_INFO, "a line of some length to fill the pipe with", NULL);
    uint64_t lost = sdw_log_dropped();
    assert_true(lost > 0);
    while (read(ends[0], text, sizeof text) == 65536) {}
    sdw_log(SDW_LOG_INFO, "room again", NULL);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "log lines were dropped lines="));
    assert_non_null(strstr(text, "room again"));
    sdw_log_close();
    assert_int_equal(fcntl(ends[1], F_GETFD), 0); /* borrowed: still open */
    close(ends[0]);
    close(ends[1]);
}

static void a_renamed_file_is_opened_anew_on_demand(void **state)
{
    (void)state;
    unlink("old.log");
    open_log("turn.log", SDW_LOG_LOGFMT, SDW_LOG_INFO, 0);
    sdw_log(SDW_LOG_INFO, "one", NULL);
    assert_int_equal(rename("turn.log", "old.log"), 0);
    sdw_log(SDW_LOG_INFO, "two", NULL);
    sdw_log_reopen();
    sdw_log(SDW_LOG_INFO, "three", NULL);
    assert_non_null(strstr(read_file("old.log"), "info two"));
    assert_null(strstr(read_file("old.log"), "three"));
    assert_non_null(strstr(read_file("turn.log"), "info three"));
    sdw_error err = { 0 };
    const sdw_log_options bad = { .path = "no/such/folder.log" };
    assert_int_equal(sdw_log_open(&bad, &err), SDW_IO);
    assert_non_null(strstr(err.text, "no/such/folder.log"));
    sdw_log(SDW_LOG_INFO, "four", NULL);
    assert_non_null(strstr(read_file("turn.log"), "info four"));
    sdw_log_close();
}

static void *chatter(void *name)
{
    for (int i = 0; i < 300; i++) sdw_log(SDW_LOG_INFO, "said", "by", (const char *)name, "words", "one two three four five six seven eight", NULL);
    return NULL;
}

static void lines_of_many_threads_do_not_mix(void **state)
{
    (void)state;
    pthread_t threads[4];
    static char names[4][2] = { "a", "b", "c", "d" };
    open_log("thread.log", SDW_LOG_LOGFMT, SDW_LOG_INFO, 0);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, chatter, names[i]), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    const char *got = read_file("thread.log");
    assert_int_equal(count_of(got, " words=\"one two three four five six seven eight\"\n"), 1200);
    assert_int_equal(count_of(got, "\n"), 1200);
    sdw_log_close();
}

static void words_for_levels_are_known(void **state)
{
    (void)state;
    sdw_log_level level = SDW_LOG_ERROR;
    assert_true(sdw_log_level_parse("WARN", &level) && level == SDW_LOG_WARNING);
    assert_true(sdw_log_level_parse("trace", &level) && level == SDW_LOG_DEBUG);
    assert_false(sdw_log_level_parse("loud", &level));
    assert_int_equal(level, SDW_LOG_DEBUG);
    assert_string_equal(sdw_log_level_name(SDW_LOG_INFO), "info");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_happens_before_open_and_after_close),
        cmocka_unit_test(logfmt_quotes_what_needs_it),
        cmocka_unit_test(json_lines_stay_json),
        cmocka_unit_test(a_flood_is_cut_and_counted_and_errors_have_a_place_of_their_own),
        cmocka_unit_test(a_reader_that_does_not_read_blocks_nobody),
        cmocka_unit_test(a_renamed_file_is_opened_anew_on_demand),
        cmocka_unit_test(lines_of_many_threads_do_not_mix),
        cmocka_unit_test(words_for_levels_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
