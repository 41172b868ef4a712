/* What a service manager sees: the messages themselves, and the program started the way a manager starts it. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server/client.h"
#include "server/systemd.h"

/* The manager's end. name: a path, or "@name". */
static int manager(const char *name)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    size_t size = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(a.sun_path, name, size);
    if (name[0] == '@') a.sun_path[0] = '\0';
    else unlink(name);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (name[0] != '@'))), 0);
    return fd;
}

/* The next message within the time; "" if none came. */
static const char *heard(int fd, double timeout_s)
{
    static char text[600];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    text[0] = '\0';
    if (poll(&p, 1, (int)(timeout_s * 1e3)) <= 0) return text;
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static char *socket_path(void)
{
    static char path[200]; /* in /tmp: the address is short, a deep build folder would not fit */
    snprintf(path, sizeof path, "/tmp/sdw-test-notify-%d", (int)getpid());
    return path;
}

static void without_the_variables_nothing_is_sent(void **state)
{
    (void)state;
    sdw_systemd s;
    assert_int_equal(sdw_systemd_open(&s, NULL), SDW_OK);
    assert_int_equal(s.to_size, 0);
    assert_int_equal(s.listen_fd, 0);
    sdw_systemd_tell(&s, "READY=1");
    sdw_systemd_look(&s, &(sdw_worker_state){ .phase = SDW_WORKER_IDLE }, 1);
    sdw_systemd_close(&s);
    sdw_systemd zero = { 0 };
    sdw_systemd_close(&zero);
    assert_true(fcntl(0, F_GETFD) >= 0);
}

static void loading_ready_life_and_stopping_are_told(void **state)
{
    (void)state;
    const char *names[] = { socket_path(), "@sdw-test-notify" };
    for (int i = 0; i < 2; i++) {
        char name[200], pid[20];
        snprintf(name, sizeof name, i ? "%s-%d" : "%s", names[i], (int)getpid());
        int fd = manager(name);
        setenv("NOTIFY_SOCKET", name, 1);
        setenv("WATCHDOG_USEC", "4000000", 1);
        snprintf(pid, sizeof pid, "%d", (int)getpid());
        setenv("WATCHDOG_PID", pid, 1);
        sdw_systemd s;
        assert_int_equal(sdw_systemd_open(&s, NULL), SDW_OK);
        assert_null(getenv("NOTIFY_SOCKET"));
        assert_null(getenv("WATCHDOG_USEC"));
        sdw_worker_state w = { .phase = SDW_WORKER_LOADING, .model_id = "m", .layers_loaded = 43, .layers_total = 100 };
        sdw_systemd_look(&s, &w, 100);
        assert_string_equal(heard(fd, 1), "STATUS=Loading m 43%\nEXTEND_TIMEOUT_USEC=30000000");
        assert_string_equal(heard(fd, 1), "WATCHDOG=1");
        w.phase = SDW_WORKER_IDLE;
        sdw_systemd_look(&s, &w, 100.1);
        assert_string_equal(heard(fd, 1), "READY=1");
        assert_string_equal(heard(fd, 1), "STATUS=Model m, 0 running, 0 queued");
        sdw_systemd_look(&s, &w, 100.2);
        assert_string_equal(heard(fd, 0.05), ""); /* neither is due */
        sdw_systemd_look(&s, &w, 102.01);
        assert_string_equal(heard(fd, 1), "STATUS=Model m, 0 running, 0 queued");
        assert_string_equal(heard(fd, 1), "WATCHDOG=1");
        sdw_systemd_stopping(&s, 25);
        assert_string_equal(heard(fd, 1), "STOPPING=1\nSTATUS=Stopping\nEXTEND_TIMEOUT_USEC=30000000");
        sdw_systemd_close(&s);
        close(fd);
        if (!i) unlink(name);
    }
}

static void an_engine_that_hangs_gives_no_sign_of_life(void **state)
{
    (void)state;
    char name[64];
    snprintf(name, sizeof name, "@sdw-test-hang-%d", (int)getpid());
    int fd = manager(name);
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "200000", 1);
    sdw_systemd s;
    assert_int_equal(sdw_systemd_open(&s, NULL), SDW_OK);
    s.next_status = 1e9;
    s.ready = true;
    sdw_worker_state busy = { .phase = SDW_WORKER_BUSY };
    sdw_systemd_look(&s, &busy, 1);
    assert_string_equal(heard(fd, 1), "WATCHDOG=1"); /* the first one is free */
    sdw_systemd_look(&s, &busy, 1.15);
    assert_string_equal(heard(fd, 0.05), ""); /* nobody used the processor since */
    for (clock_t from = clock(); clock() - from < CLOCKS_PER_SEC / 20;) { }
    sdw_systemd_look(&s, &busy, 1.3);
    assert_string_equal(heard(fd, 1), "WATCHDOG=1");
    busy.phase = SDW_WORKER_IDLE;
    sdw_systemd_look(&s, &busy, 1.5);
    assert_string_equal(heard(fd, 1), "WATCHDOG=1");
    sdw_systemd_close(&s);
    close(fd);
}

static void other_processes_variables_are_not_ours(void **state)
{
    (void)state;
    sdw_systemd s;
    sdw_error err = { 0 };
    char pid[20];
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_PID", "1", 1);
    setenv("WATCHDOG_USEC", "1000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    assert_int_equal(sdw_systemd_open(&s, &err), SDW_OK);
    assert_int_equal(s.listen_fd, 0);
    assert_true(s.watchdog_s == 0);
    sdw_systemd_close(&s);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    static const char *const bad[] = { "2", "x", "-1", "" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("LISTEN_FDS", bad[i], 1);
        setenv("LISTEN_PID", pid, 1);
        assert_int_equal(sdw_systemd_open(&s, &err), SDW_UNSUPPORTED);
        assert_non_null(strstr(err.text, "LISTEN_FDS"));
        assert_null(getenv("LISTEN_FDS"));
        sdw_systemd_close(&s);
    }
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_int_equal(sdw_systemd_open(&s, &err), SDW_UNSUPPORTED);
    sdw_systemd_close(&s);
}

/* ---- the program ---- */

static int listening(int *ret_port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
    *ret_port = ntohs(a.sin_port);
    return fd;
}

/* Starts the service with `sockets` copies of fd from 3 on. */
static pid_t start(const char *name, int fd, int sockets)
{
    const char *program = getenv("SDW"), *model = getenv("SDW_DEMO_MODEL");
    pid_t pid = fork();
    if (pid != 0) return pid;
    char number[20];
    int high = fcntl(fd, F_DUPFD, 20), null = open("/dev/null", O_RDWR);
    for (int i = 0; i < sockets; i++) dup2(high, 3 + i);
    dup2(null, 2);
    close(high);
    setenv("NOTIFY_SOCKET", name, 1);
    setenv("WATCHDOG_USEC", "600000", 1);
    snprintf(number, sizeof number, "%d", (int)getpid());
    setenv("LISTEN_PID", number, 1);
    snprintf(number, sizeof number, "%d", sockets);
    setenv("LISTEN_FDS", number, 1);
    setenv("LISTEN_FDNAMES", "http", 1);
    execl(program, program, "serve", "--model", model, "--port", "1", NULL);
    _exit(99);
}

static bool hears(int fd, const char *words, double timeout_s)
{
    double until = now_s() + timeout_s;
    while (now_s() < until)
        if (strstr(heard(fd, 0.5), words)) return true;
    return false;
}

static void the_program_serves_an_inherited_socket_and_reports(void **state)
{
    (void)state;
    char name[64];
    int port, status;
    reply r = { 0 };
    if (!getenv("SDW") || !getenv("SDW_DEMO_MODEL")) skip();
    snprintf(name, sizeof name, "@sdw-test-run-%d", (int)getpid());
    int to = manager(name), fd = listening(&port);
    pid_t pid = start(name, fd, 1);
    close(fd);
    assert_true(hears(to, "READY=1", 60));
    ask_for(port, "GET", "/readyz", "", NULL, &r);
    assert_int_equal(r.status, 200);
    assert_true(hears(to, "WATCHDOG=1", 60));
    kill(pid, SIGTERM);
    assert_true(hears(to, "STOPPING=1", 60));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fd = listening(&port);
    pid = start(name, fd, 2);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    close(to);
    reply_finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_variables_nothing_is_sent),
        cmocka_unit_test(loading_ready_life_and_stopping_are_told),
        cmocka_unit_test(an_engine_that_hangs_gives_no_sign_of_life),
        cmocka_unit_test(other_processes_variables_are_not_ours),
        cmocka_unit_test(the_program_serves_an_inherited_socket_and_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
