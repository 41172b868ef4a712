/* Header lines, redirect rules, settings: what is read from strangers and from the environment. */
#include "bed.h"

#include "hub/address.h"
#include "hub/headers.h"
#include "hub/rate.h"

static sdw_hub_headers head_of(const char *lines)
{
    sdw_hub_headers h;
    sdw_hub_headers_clear(&h);
    while (*lines) {
        size_t n = strcspn(lines, "\n") + 1;
        sdw_hub_headers_line(&h, lines, n);
        lines += n;
    }
    return h;
}

static void an_answer_of_the_hub_is_read(void **state)
{
    (void)state;
    sdw_hub_headers h = head_of("HTTP/2 302 \r\nX-Repo-Commit: 0123456789abcdef0123456789abcdef01234567\r\nx-linked-etag: \"abc\"\r\nETag: W/\"xyz\"\r\n"
                                "X-Linked-Size: 5135149760\r\nContent-Length: 12\r\nLocation: https://cdn.example/x?a=b&c=\"d\"\r\n"
                                "Link: <https://a/b,c;d>; rel=\"xet-auth\", <https://h/next?cursor=1,2>; title=x; rel=\"next\"\r\n"
                                "Content-Range: bytes 5-9/10\r\nX-Request-Id: r1\r\nX-Amzn-Trace-Id: r2\r\n\n");
    assert_int_equal(h.status, 302);
    assert_true(h.has_commit);
    assert_string_equal(h.linked_etag, "abc");
    assert_string_equal(h.etag, "xyz");
    assert_true(h.weak_etag);
    assert_int_equal(h.linked_size, UINT64_C(5135149760));
    assert_int_equal(h.length, 12);
    assert_string_equal(h.location, "https://cdn.example/x?a=b&c=\"d\"");
    assert_string_equal(h.next, "https://h/next?cursor=1,2");
    assert_true(h.has_range);
    assert_int_equal(h.range_first, 5);
    assert_int_equal(h.range_total, 10);
    assert_string_equal(h.request_id, "r1");
}

static void a_new_status_line_forgets_the_answer_before(void **state)
{
    (void)state;
    sdw_hub_headers h = head_of("HTTP/1.1 100 Continue\r\nETag: \"a\"\r\nHTTP/1.1 200 OK\r\n");
    assert_int_equal(h.status, 200);
    assert_string_equal(h.etag, "");
}

static void what_does_not_parse_counts_as_absent(void **state)
{
    (void)state;
    sdw_hub_headers h = head_of("HTTP/1.1 2x0\r\nContent-Length: -5\r\nX-Linked-Size: 99999999999999999999\r\nContent-Range: bytes 9-5/10\r\n"
                                "no colon\r\n: x\r\nLink: <x; rel=\"next\"\r\nLink: rel=next\r\nETag: \r\nRetry-After: soon\r\nX-Error-Code: a\tb\r\n");
    assert_int_equal(h.status, 0);
    assert_false(h.has_length);
    assert_false(h.has_linked_size);
    assert_false(h.has_range);
    assert_string_equal(h.next, "");
    assert_string_equal(h.error_code, "");
    assert_int_equal(sdw_hub_headers_wait_s(&h), -1);
    h = head_of("HTTP/1.1 416\r\nContent-Range: bytes */10\r\n");
    assert_false(h.has_range);
    assert_int_equal(h.range_total, 10);
    h = head_of("HTTP/1.1 206\r\nContent-Range: bytes 1-2/*\r\n");
    assert_true(h.has_range);
    assert_int_equal(h.range_total, UINT64_MAX);
}

static void only_a_bucket_that_is_empty_makes_us_wait(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int64_t wait;
    } cases[] = {
        { "RateLimit: \"api\";r=0;t=55\r\n", 56 },
        { "RateLimit: \"api\";r=12;t=55\r\n", -1 },
        { "RateLimit: \"api\";r=3;t=9, \"resolvers\";r=0;t=4\r\n", 5 },
        { "RateLimit: \"api\";t=55\r\n", -1 },
        { "Retry-After: 7\r\n", 8 },
        { "Retry-After: 7\r\nRateLimit: \"api\";r=0;t=2\r\n", 3 },
        { "Retry-After: Thu, 01 Jan 1998 00:00:00 GMT\r\n", 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sdw_hub_headers h = head_of(cases[i].line);
        if (sdw_hub_headers_wait_s(&h) != cases[i].wait) fail_msg("%s", cases[i].line);
    }
}

/* ---- redirects ---- */

static void expect_hop(const char *from, const char *location, const char *to, bool relative)
{
    sdw_hub_hop hop;
    sdw_error err = { 0 };
    if (sdw_hub_next_hop(from, location, &hop, &err) != SDW_OK) fail_msg("%s", err.text);
    assert_string_equal(hop.url, to);
    assert_int_equal(hop.relative, relative);
}

static void redirects_lead_where_they_say(void **state)
{
    (void)state;
    expect_hop("https://h/a/b?x=1", "/c?d=\"e\"", "https://h/c?d=\"e\"", true);
    expect_hop("https://h/a/b", "c", "https://h/a/c", true);
    expect_hop("https://h/a/b", "https://g:444/c", "https://g:444/c", false);
    expect_hop("https://h/a/b", "//g/c", "https://g/c", false);
    expect_hop("http://h/a/b", "https://h/c", "https://h/c", false);
    expect_hop("https://h/a", "/b:c", "https://h/b:c", true);
    static const char *const bad[] = { "http://h/x", "ftp://h/x", "file:///etc/passwd", "javascript:x", "https://", "//", "http:x" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        sdw_hub_hop hop;
        sdw_error err = { 0 };
        if (sdw_hub_next_hop("https://h/a", bad[i], &hop, &err) != SDW_FORMAT) fail_msg("'%s' gives '%s'", bad[i], hop.url);
        assert_true(err.text[0] != '\0');
    }
}

static void origins_are_scheme_host_and_port(void **state)
{
    (void)state;
    assert_true(sdw_hub_same_origin("https://h/a", "https://H:443/b"));
    assert_false(sdw_hub_same_origin("https://h/a", "https://h:444/a"));
    assert_false(sdw_hub_same_origin("https://h/a", "http://h/a"));
    assert_false(sdw_hub_same_origin("https://h/a", "https://h.evil/a"));
    assert_false(sdw_hub_same_origin("https://h/a", "https://h@evil/a"));
    assert_false(sdw_hub_same_origin("", ""));
    assert_true(sdw_hub_is_hub_host("https://huggingface.co/x", NULL));
    assert_true(sdw_hub_is_hub_host("https://hf.co/x", NULL));
    assert_false(sdw_hub_is_hub_host("http://huggingface.co/x", NULL));
    assert_false(sdw_hub_is_hub_host("https://huggingface.co.evil/x", NULL));
    assert_false(sdw_hub_is_hub_host("https://cdn-lfs.hf.co/x", NULL));
    assert_true(sdw_hub_is_hub_host("http://mirror:8080/x", "http://mirror:8080"));
}

static void the_last_part_of_an_address_is_the_name(void **state)
{
    (void)state;
    char name[64];
    assert_int_equal(sdw_hub_address_file("https://h/a/b%20c.safetensors?x=/y", name, sizeof name, NULL), SDW_OK);
    assert_string_equal(name, "b c.safetensors");
    static const char *const bad[] = { "https://h/", "https://h", "https://h/a/..%2fb", "https://h/%2e%2e", "https://h/a%5c..%5cb", "https://h/a%00b", "https://h/a%0ab" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (sdw_hub_address_file(bad[i], name, sizeof name, NULL) == SDW_OK) fail_msg("'%s' gives '%s'", bad[i], name);
}

/* ---- settings ---- */

typedef struct environment {
    const char *variables[16];
} environment;

static const char *get(void *ctx, const char *name)
{
    const environment *e = ctx;
    size_t n = strlen(name);
    for (const char *const *v = e->variables; *v; v++)
        if (!strncmp(*v, name, n) && (*v)[n] == '=') return *v + n + 1;
    return NULL;
}

static sdw_hub_settings settings_of(environment e)
{
    sdw_hub_settings s = { 0 };
    sdw_error err = { 0 };
    if (sdw_hub_settings_read(&s, get, &e, &err) != SDW_OK) fail_msg("%s", err.text);
    return s;
}

static void places_follow_the_variables(void **state)
{
    (void)state;
    static const struct {
        environment e;
        const char *cache;
    } cases[] = {
        { { { "HOME=/h" } }, "/h/.cache/huggingface/hub" },
        { { { "HOME=/h", "XDG_CACHE_HOME=/x" } }, "/x/huggingface/hub" },
        { { { "HOME=/h", "XDG_CACHE_HOME=/x", "HF_HOME=~/hf/" } }, "/h/hf/hub" },
        { { { "HOME=/h", "HF_HOME=$DISK/hf", "DISK=/d" } }, "/d/hf/hub" },
        { { { "HOME=/h", "HF_HOME=${DISK}x/$NONE", "DISK=/d" } }, "/dx/$NONE/hub" },
        { { { "HOME=/h", "HUGGINGFACE_HUB_CACHE=/old" } }, "/old" },
        { { { "HOME=/h", "HUGGINGFACE_HUB_CACHE=/old", "HF_HUB_CACHE=/new/" } }, "/new" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sdw_hub_settings s = settings_of(cases[i].e);
        assert_string_equal(s.cache, cases[i].cache);
        sdw_hub_settings_finish(&s);
    }
}

static void expect_token(environment e, const char *token)
{
    sdw_hub_settings s = settings_of(e);
    if (token) {
        assert_non_null(s.token);
        assert_string_equal(s.token, token);
    } else {
        assert_null(s.token);
    }
    sdw_hub_settings_finish(&s);
}

static void the_token_comes_from_the_first_place_that_has_one(void **state)
{
    (void)state;
    char folder[] = "token_test_XXXXXX", home[64], path[64], variable[96], credentials[96];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/token", folder);
    FILE *f = fopen(path, "w");
    fputs("  hf_file\n", f);
    fclose(f);
    snprintf(home, sizeof home, "HF_HOME=%s", folder);
    snprintf(variable, sizeof variable, "HF_TOKEN_PATH=%s", path);
    expect_token((environment){ { "HOME=/h" } }, NULL);
    expect_token((environment){ { "HOME=/h", home } }, "hf_file");
    expect_token((environment){ { "HOME=/h", variable } }, "hf_file");
    expect_token((environment){ { "HOME=/h", home, "HF_TOKEN=hf_one", "HUGGING_FACE_HUB_TOKEN=hf_two" } }, "hf_one");
    expect_token((environment){ { "HOME=/h", home, "HF_TOKEN= ", "HUGGING_FACE_HUB_TOKEN=hf_two" } }, "hf_two");
    expect_token((environment){ { "HOME=/h", home, "HF_TOKEN=hf_one", "HF_HUB_DISABLE_IMPLICIT_TOKEN=1" } }, NULL);
    char hidden[64];
    snprintf(hidden, sizeof hidden, "%s/hf_token", folder);
    rename(path, hidden);
    snprintf(credentials, sizeof credentials, "CREDENTIALS_DIRECTORY=%s", folder);
    expect_token((environment){ { "HOME=/h", credentials } }, "hf_file");
    remove(hidden);
    remove(folder);
}

static void bad_values_name_their_variable(void **state)
{
    (void)state;
    static const struct {
        environment e;
        const char *words;
    } cases[] = {
        { { { "HOME=/h", "HF_ENDPOINT=ftp://x" } }, "HF_ENDPOINT: 'ftp://x' given" },
        { { { "HOME=/h", "HF_ENDPOINT=https://x?y" } }, "HF_ENDPOINT" },
        { { { "HOME=/h", "HF_HUB_ETAG_TIMEOUT=soon" } }, "HF_HUB_ETAG_TIMEOUT: 'soon' given" },
        { { { "HOME=/h", "HF_HUB_DOWNLOAD_TIMEOUT=-1" } }, "HF_HUB_DOWNLOAD_TIMEOUT" },
        { { { "HOME=/h", "HF_TOKEN=two words" } }, "HF_TOKEN: does not hold a token" },
        { { { "HOME=/h", "HF_TOKEN=a\r\nX-Evil: 1" } }, "HF_TOKEN: does not hold a token" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sdw_hub_settings s = { 0 };
        sdw_error err = { 0 };
        environment e = cases[i].e;
        assert_int_equal(sdw_hub_settings_read(&s, get, &e, &err), SDW_INVALID);
        if (!strstr(err.text, cases[i].words)) fail_msg("'%s' does not hold '%s'", err.text, cases[i].words);
        assert_null(strstr(err.text, "two words"));
        assert_null(s.endpoint);
    }
}

static void switches_and_proxies_are_read(void **state)
{
    (void)state;
    sdw_hub_settings s = settings_of((environment){ { "HOME=/h", "HF_HUB_OFFLINE=on", "HF_HUB_DISABLE_SYMLINKS=0", "HF_ENDPOINT=https://m//", "HTTP_PROXY=http://p",
                                                      "REQUESTS_CA_BUNDLE=/ca", "HF_HUB_ETAG_TIMEOUT=0.5", "HF_HUB_USER_AGENT_ORIGIN=me" } });
    assert_true(s.offline);
    assert_false(s.no_symlinks);
    assert_string_equal(s.endpoint, "https://m");
    assert_string_equal(s.http_proxy, "http://p");
    assert_string_equal(s.ca_file, "/ca");
    assert_int_equal(s.head_timeout_s, 1);
    assert_int_equal(s.stall_timeout_s, 10);
    assert_true(strncmp(s.agent, "sdw/", 4) == 0 && strstr(s.agent, "; libcurl/") && strstr(s.agent, "; origin/me"));
    sdw_hub_settings_finish(&s);
    s = settings_of((environment){ { "HOME=/h", "HTTP_PROXY=http://p", "http_proxy=http://q", "DO_NOT_TRACK=1" } });
    assert_null(s.http_proxy); /* libcurl's own */
    assert_null(strstr(s.agent, "libcurl"));
    sdw_hub_settings_finish(&s);
    s = settings_of((environment){ { "HOME=/h", "HTTP_PROXY=http://p", "REQUEST_METHOD=GET" } });
    assert_null(s.http_proxy);
    sdw_hub_settings_finish(&s);
}

static void time_left_follows_the_rate(void **state)
{
    (void)state;
    sdw_hub_rate r;
    sdw_hub_rate_init(&r);
    r.begin -= 10;
    sdw_hub_progress p = { .bytes = 1000, .bytes_done = 0 };
    sdw_hub_rate_fill(&r, &p);
    assert_true(p.seconds >= 10 && p.seconds_left == -1 && p.bytes_per_second == 0);
    r.samples[0].time -= 2;
    p.bytes_done = p.bytes_fetched = 200;
    sdw_hub_rate_fill(&r, &p);
    assert_true(p.bytes_per_second > 90 && p.bytes_per_second <= 100);
    assert_true(p.seconds_left >= 8 && p.seconds_left < 9);
    p.bytes_done = 1000;
    sdw_hub_rate_fill(&r, &p);
    assert_true(p.seconds_left == 0);
    for (int i = 0; i < 1000; i++) sdw_hub_rate_fill(&r, &p); /* the ring turns */
    assert_in_range(r.count, 1, SDW_HUB_RATE_SAMPLES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_of_the_hub_is_read),
        cmocka_unit_test(a_new_status_line_forgets_the_answer_before),
        cmocka_unit_test(what_does_not_parse_counts_as_absent),
        cmocka_unit_test(only_a_bucket_that_is_empty_makes_us_wait),
        cmocka_unit_test(redirects_lead_where_they_say),
        cmocka_unit_test(origins_are_scheme_host_and_port),
        cmocka_unit_test(the_last_part_of_an_address_is_the_name),
        cmocka_unit_test(places_follow_the_variables),
        cmocka_unit_test(the_token_comes_from_the_first_place_that_has_one),
        cmocka_unit_test(bad_values_name_their_variable),
        cmocka_unit_test(switches_and_proxies_are_read),
        cmocka_unit_test(time_left_follows_the_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
