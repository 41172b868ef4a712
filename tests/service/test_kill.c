/* kill -9 of the real program at random moments, with jobs being posted, waiting and running: whatever was answered with
 * 200 is there after the restart, and every picture is, byte for byte, that of an undisturbed run.
 * $SDW_KILLS rounds (3), $SDW_KILL_SEED for the moments; `make kill-test` does 30. */
#include "service/harness.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS = 6 };

/* Of one round; the same requests in every round. The last one has no seed. */
typedef struct job { char body[24576]; char *picture; char id[64]; bool accepted; } job;
static job jobs[JOBS];

static const char *model(void)
{
    const char *demo = getenv("SDW_DEMO_MODEL");
    return demo ? demo : tiny_model();
}

static void fill_bodies(void)
{
    static const char *const prompts[] = { "a red circle", "a cat", "blue sky", "a house" };
    for (int i = 0; i < 4; i++)
        snprintf(jobs[i].body, sizeof jobs[i].body, "{\"prompt\":\"%s\",\"seed\":%d,\"steps\":%d,\"width\":64,\"height\":64,\"num_samples\":%d}", prompts[i], 100 + i,
                 2 + i % 2, i == 1 ? 2 : 1);
    snprintf(jobs[4].body, sizeof jobs[4].body, "{\"prompt\":\"from a picture\",\"seed\":9,\"steps\":3,\"strength\":0.7,\"image\":\"%s\"}", picture_base64(64, 64));
    snprintf(jobs[5].body, sizeof jobs[5].body, "{\"prompt\":\"drawn\",\"steps\":2,\"width\":64,\"height\":64}");
}

/* The pictures of a job's complete events, one behind the other. Previews before them are of the steps that this process did. */
static char *pictures_of(int port, const char *id)
{
    char *text = whole_stream(port, id, "", ""), *at = strstr(text, "event: complete\n");
    char *all = calloc(1, strlen(text) + 1);
    if (!at) fail_msg("job %s did not complete: %.600s", id, text);
    while ((at = strstr(at, "\"image\":\""))) {
        char *end = strchr(at + 9, '"');
        strncat(all, at, (size_t)(end - at));
        at = end;
    }
    free(text);
    assert_true(all[0] != '\0');
    return all;
}

static void undisturbed(void)
{
    service s = start_loaded(sdw(), ARGS("--model", model(), "--max-batch", "4"));
    for (int i = 0; i < JOBS - 1; i++) snprintf(jobs[i].id, sizeof jobs[i].id, "%s", submit(s.port, jobs[i].body));
    for (int i = 0; i < JOBS - 1; i++) jobs[i].picture = pictures_of(s.port, jobs[i].id);
    assert_int_equal(stop(&s, SIGTERM, NULL), 0);
}


/* -1 where client_open would fail the test. */
static int try_connect(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

/* Like submit, but the server may die at any moment. */
static bool post_one(int port, job *j)
{
    char head[256];
    size_t n = strlen(j->body);
    reply r = { 0 };
    int fd = try_connect(port);
    if (fd < 0) return false;
    snprintf(head, sizeof head, "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n" JSON_TYPE "Content-Length: %zu\r\n\r\n", n);
    bool ok = client_send(fd, head, strlen(head)) && client_send(fd, j->body, n);
    if (ok) client_reply(fd, false, 20, &r);
    ok = ok && r.status == 200 && r.whole;
    if (ok) snprintf(j->id, sizeof j->id, "%s", value_of(r.body, "job_id"));
    client_close(fd);
    reply_finish(&r);
    return ok;
}

static unsigned seed;
static int draw(int below)
{
    seed = seed * 1103515245u + 12345u;
    return (int)((seed >> 16) % (unsigned)below);
}

static void nap_ms(int ms)
{
    const struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    nanosleep(&t, NULL);
}

/* Posts all jobs from a process of its own, which the test does not wait for longer than the server lives; what it was
 * answered comes through a pipe. */
static void post_all(int port, int to)
{
    for (int i = 0; i < JOBS; i++) {
        if (!post_one(port, &jobs[i])) _exit(0);
        char line[sizeof jobs[i].id + 1];
        line[0] = (char)i;
        memcpy(line + 1, jobs[i].id, sizeof jobs[i].id);
        if (write(to, line, sizeof line) != sizeof line) _exit(1);
    }
    _exit(0);
}

static void hear(int from)
{
    char line[sizeof jobs[0].id + 1];
    while (read(from, line, sizeof line) == sizeof line) {
        job *j = &jobs[(int)line[0]];
        memcpy(j->id, line + 1, sizeof j->id);
        j->accepted = true;
    }
}

static void kill_somewhere(int round)
{
    int ends[2];
    service s = start(sdw(), ARGS("--model", model(), "--state", "kill-state", "--max-batch", round % 2 ? "4" : "1"));
    if (draw(4)) wait_ready(&s); /* else also while it loads */
    for (int i = 0; i < JOBS; i++) jobs[i].accepted = false;
    assert_int_equal(pipe(ends), 0);
    pid_t client = fork();
    assert_true(client >= 0);
    if (client == 0) {
        close(ends[0]);
        post_all(s.port, ends[1]);
    }
    close(ends[1]);
    nap_ms(draw(2) ? draw(300) : draw(1500)); /* half of them while jobs are still posted */
    assert_int_equal(stop(&s, SIGKILL, NULL), 128 + SIGKILL);
    hear(ends[0]); /* to the end of the client, which has nobody to talk to now */
    close(ends[0]);
    waitpid(client, NULL, 0);
}

static int check_round(const service *s)
{
    int accepted = 0;
    for (int i = 0; i < JOBS; i++) {
        if (!jobs[i].accepted) continue;
        accepted++;
        char *now = pictures_of(s->port, jobs[i].id);
        if (i < JOBS - 1 && strcmp(now, jobs[i].picture) != 0) fail_msg("job %d (%s) has another picture than undisturbed", i, jobs[i].id);
        if (i == JOBS - 1) { /* the seed that was drawn: once more with it */
            char again[sizeof jobs[i].body + 64], *text = whole_stream(s->port, jobs[i].id, "", ""), *seed_at = strstr(text, "event: complete\n");
            snprintf(again, sizeof again, "{\"prompt\":\"drawn\",\"steps\":2,\"width\":64,\"height\":64,\"seed\":%s}", value_of(seed_at, "seed"));
            char *same = pictures_of(s->port, submit(s->port, again));
            assert_string_equal(now, same);
            free(same);
            free(text);
        }
        free(now);
    }
    return accepted;
}

static void kills_lose_nothing_and_change_nothing(void **state)
{
    (void)state;
    const char *rounds_text = getenv("SDW_KILLS"), *seed_text = getenv("SDW_KILL_SEED");
    int rounds = rounds_text ? atoi(rounds_text) : 3, accepted = 0, partly = 0;
    seed = seed_text ? (unsigned)strtoul(seed_text, NULL, 10) : (unsigned)time(NULL);
    print_message("SDW_KILL_SEED=%u\n", seed);
    fill_bodies();
    undisturbed();
    assert_int_equal(system("rm -rf kill-state"), 0);
    for (int round = 0; round < rounds; round++) {
        kill_somewhere(round);
        service s = start_loaded(sdw(), ARGS("--model", model(), "--state", "kill-state", "--max-batch", round % 3 ? "4" : "1"));
        int n = check_round(&s);
        accepted += n;
        partly += n > 0 && n < JOBS;
        assert_int_equal(stop(&s, round % 2 ? SIGKILL : SIGTERM, NULL), round % 2 ? 128 + SIGKILL : 0);
    }
    print_message("%d kills, %d accepted jobs, %d kills while jobs were being posted\n", rounds, accepted, partly);
    assert_true(accepted > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(kills_lose_nothing_and_change_nothing) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
