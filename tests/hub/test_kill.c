/* kill -9 in the middle of a download, again and again (trap 16): the next run goes on where the last one was, nothing
 * beyond the last 10 MiB is fetched twice, and in the end the hash is right. SDW_PULL_KILLS and SDW_PULL_MB make it longer:
 * the default is 3 kills in 20 MB. Ctrl-C is tried the same way. */
#include "bed.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNET BED_UNET_PATH
#define TWICE_MAX ((uint64_t)10 << 20)

static int from_environment(const char *name, int fallback)
{
    const char *v = getenv(name);
    return v && *v ? (int)strtol(v, NULL, 10) : fallback;
}

/* sdw pull org/model against the fake hub, its output in a file. */
static pid_t start_pull(const bed *b)
{
    char endpoint[128], cache[600], home[600], out[600];
    snprintf(endpoint, sizeof endpoint, "HF_ENDPOINT=%s", fake_hub_url(b->hub));
    snprintf(cache, sizeof cache, "HF_HUB_CACHE=%s", b->cache);
    snprintf(home, sizeof home, "HOME=%s", b->folder);
    snprintf(out, sizeof out, "%s/out.txt", b->folder);
    char *argv[] = { (char *)"sdw", (char *)"pull", (char *)"org/model", NULL };
    char *env[] = { endpoint, cache, home, (char *)"ASAN_OPTIONS=detect_leaks=0", NULL };
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    assert_int_equal(posix_spawn(&pid, SDW_PROGRAM, &actions, NULL, argv, env), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static int wait_for(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Waits until the partial file has that many bytes; false if the program ended before. */
static bool wait_for_bytes(const bed *b, pid_t pid, size_t bytes)
{
    const char *path = bed_place(b, SDW_HUB_PARTIAL, fake_repo_hash(b->repo, UNET));
    siginfo_t ended;
    while (bed_size(path) < bytes) {
        ended.si_pid = 0;
        if (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == pid) return false;
        usleep(500);
    }
    return true;
}

/* Large enough to be caught in the middle, and slow enough too: of what is left at the last kill the hub makes at least some tenths
 * of a second. */
static void open_slow(bed *b, size_t bytes)
{
    bed_open(b, NULL);
    fake_repo_add_weights(b->repo, UNET, bytes);
    fake_hub_rule(b->hub, &(fake_rule){ .host = FAKE_FILES, .match = fake_repo_hash(b->repo, UNET), .trickle_ms = 20, .trickle_bytes = 256 << 10 });
}

/* Where the nth run began, and how far the one before it had come when it was killed. */
static uint64_t range_of(bed *b, int n)
{
    fake_request r;
    unsigned long long from = 0;
    assert_true(bed_file_request(b, UNET, n, &r));
    if (r.range[0]) assert_int_equal(sscanf(r.range, "bytes=%llu-", &from), 1);
    return from;
}

static void a_killed_download_goes_on(void **state)
{
    (void)state;
    bed b;
    int kills = from_environment("SDW_PULL_KILLS", 3);
    size_t bytes = (size_t)from_environment("SDW_PULL_MB", 20) * 1000000;
    uint64_t reached[256];
    open_slow(&b, bytes);
    assert_in_range(kills, 1, 255);
    for (int i = 0; i < kills; i++) {
        pid_t pid = start_pull(&b);
        if (!wait_for_bytes(&b, pid, bytes / (size_t)(kills + 1) * (size_t)(i + 1))) fail_msg("run %d ended by itself (%d)", i, wait_for(pid));
        kill(pid, SIGKILL);
        assert_int_equal(wait_for(pid), 1000 + SIGKILL);
        reached[i] = bed_size(bed_place(&b, SDW_HUB_PARTIAL, fake_repo_hash(b.repo, UNET)));
        assert_false(bed_exists(bed_place(&b, SDW_HUB_BLOB, fake_repo_hash(b.repo, UNET))));
    }
    assert_int_equal(wait_for(start_pull(&b)), 0);
    assert_int_equal(bed_gets(&b, UNET), kills + 1);
    for (int i = 0; i < kills; i++) assert_int_equal(range_of(&b, i + 1), reached[i]); /* not one byte of the file twice */
    uint64_t sent = fake_hub_sent(b.hub, FAKE_FILES, fake_repo_hash(b.repo, UNET));
    printf("%d kills in %zu bytes: %llu bytes sent\n", kills, bytes, (unsigned long long)sent);
    assert_in_range(sent, bytes, bytes + (uint64_t)kills * TWICE_MAX); /* what was under way in sockets */
    bed_check_blobs(&b);
    assert_int_equal(bed_size(bed_place(&b, SDW_HUB_BLOB, fake_repo_hash(b.repo, UNET))), bytes);
    bed_close(&b);
}

static void ctrl_c_leaves_only_what_can_be_continued(void **state)
{
    (void)state;
    static const int signals[] = { SIGINT, SIGTERM };
    bed b;
    char text[512] = "", out[600];
    open_slow(&b, 24000000);
    for (int i = 0; i < 2; i++) {
        pid_t pid = start_pull(&b);
        assert_true(wait_for_bytes(&b, pid, i ? 15000000 : 3000000));
        kill(pid, signals[i]);
        assert_int_equal(wait_for(pid), 128 + signals[i]);
        snprintf(out, sizeof out, "%s/out.txt", b.folder);
        FILE *f = fopen(out, "r");
        assert_non_null(f);
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        fclose(f);
        if (!strstr(text, "Error: org/model: stopped; what was fetched is kept")) fail_msg("%s", text);
        assert_false(bed_exists(bed_place(&b, SDW_HUB_REF, "main")));
    }
    assert_int_equal(wait_for(start_pull(&b)), 0);
    assert_true(range_of(&b, 1) >= 3000000 && range_of(&b, 2) >= 15000000);
    bed_check_blobs(&b);
    bed_close(&b);
}

static void two_programs_wait_for_one_another(void **state)
{
    (void)state;
    bed b;
    open_slow(&b, 8000000);
    pid_t one = start_pull(&b);
    assert_true(wait_for_bytes(&b, one, 1000000));
    pid_t two = start_pull(&b);
    assert_int_equal(wait_for(one), 0);
    assert_int_equal(wait_for(two), 0);
    assert_int_equal(bed_gets(&b, UNET), 1);
    bed_check_blobs(&b);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_download_goes_on),
        cmocka_unit_test(ctrl_c_leaves_only_what_can_be_continued),
        cmocka_unit_test(two_programs_wait_for_one_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
