/* harness.c - see harness.h: programs and requests. */
#include "service/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/tiny.h"

#define START_S 60.0
#define END_S 60.0

extern char **environ;

static void pause_ms(int ms)
{
    const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };
    nanosleep(&t, NULL);
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    if (!value) fail_msg("%s is not set: run this through ctest", name);
    return value;
}

const char *sdw(void)
{
    return variable("SDW");
}

const char *sdw_fake(void)
{
    return variable("SDW_FAKE");
}

const char *fake_model(const char *name)
{
    if (mkdir(name, 0777) != 0 && errno != EEXIST) fail_msg("%s: %s", name, strerror(errno));
    return name;
}

const char *tiny_model(void)
{
    tiny_write("tiny-sd15", &(tiny_options){ .kind = TINY_SD15 });
    return "tiny-sd15";
}

const char *tiny_inpaint_model(void)
{
    tiny_write("tiny-inpaint", &(tiny_options){ .kind = TINY_INPAINT });
    return "tiny-inpaint";
}

/* ---- programs ---- */

char *read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t size = 0, n;
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    while (f && size < (1 << 20) - 1 && (n = fread(text + size, 1, (1 << 20) - 1 - size, f)) > 0) size += n;
    if (f) fclose(f);
    return text;
}

/* Variables that would change what the program does; tests give their own. */
static const char *const cleared[] = { "PORT", "WORKER_ID", "MODEL_PATH", "SD_VERSION", "CALLBACK_URL", "USE_F16", "SDW_API_KEY",
                                       "LLORCH_API_TOKEN", "RUST_LOG", "LLORCH_LOG_FORMAT", "SDW_STATE", "SDW_CORS_ORIGINS", NULL };

/* In the child: never returns. */
static void become(const char *program, const char *as, const char *const *args, const char *const *env, int out, int err)
{
    const char *argv[64] = { as ? as : program };
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not stop what it started */
    for (int i = 0; args[i] && i < 60; i++) argv[i + 1] = args[i];
    for (int i = 0; cleared[i]; i++) unsetenv(cleared[i]);
    for (; *env; env++) putenv((char *)*env);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(out, 1);
    dup2(err, 2);
    execv(program, (char *const *)argv);
    _exit(127);
}

static void name_log(char log[64])
{
    static int count;
    snprintf(log, 64, "service-%d-%d.log", (int)getpid(), count++);
}

static int port_in(const char *log)
{
    char *text = read_file(log), *at = strstr(text, "listening on http://");
    int port = 0;
    if (at && strchr(at, '\n')) {
        at = strrchr(at, ':') ? strstr(at + 20, ":") : NULL;
        port = at ? atoi(at + 1) : 0;
    }
    free(text);
    return port;
}

service start_as(const char *program, const char *as, const char *const *args, const char *const *env)
{
    service s = { 0 };
    name_log(s.log);
    int fd = open(s.log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666);
    assert_true(fd >= 0);
    s.pid = fork();
    if (s.pid == 0) become(program, as, args, env, fd, fd);
    close(fd);
    for (double until = now_s() + START_S; !s.port; pause_ms(5)) {
        s.port = port_in(s.log);
        int status;
        if (!s.port && (now_s() > until || waitpid(s.pid, &status, WNOHANG) == s.pid)) {
            char *text = read_file(s.log);
            kill(s.pid, SIGKILL);
            print_message("%s\n", text);
            free(text);
            fail_msg("%s does not listen", program);
        }
    }
    return s;
}

service start_env(const char *program, const char *const *args, const char *const *env)
{
    const char *all[64] = { 0 };
    int n = 0;
    if (program == sdw()) all[n++] = "serve";
    all[n++] = "--port";
    all[n++] = "0";
    for (int i = 0; args[i] && n < 60; i++) all[n++] = args[i];
    return start_as(program, NULL, all, env);
}

service start(const char *program, const char *const *args)
{
    return start_env(program, args, NO_ENV);
}

void wait_ready(const service *s)
{
    reply r = { 0 };
    for (double until = now_s() + START_S; r.status != 200; pause_ms(10)) {
        if (now_s() > until) fail_msg("not ready: %s", r.body);
        get(s->port, "/ready", "", &r);
    }
    reply_finish(&r);
}

service start_loaded(const char *program, const char *const *args)
{
    service s = start(program, args);
    wait_ready(&s);
    return s;
}

static int wait_exit(pid_t pid, double timeout_s)
{
    int status;
    for (double until = now_s() + timeout_s; waitpid(pid, &status, WNOHANG) != pid; pause_ms(2)) {
        if (now_s() < until) continue;
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return 128 + SIGKILL;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int stop(service *s, int signal_number, double *ret_seconds)
{
    double began = now_s();
    if (signal_number) kill(s->pid, signal_number);
    int code = wait_exit(s->pid, END_S);
    if (ret_seconds) *ret_seconds = now_s() - began;
    s->pid = 0;
    return code;
}

int run(const char *program, const char *const *args, const char *const *env, char *out, char *err, size_t size)
{
    int o = open("run.out", O_RDWR | O_CREAT | O_TRUNC, 0666), e = open("run.err", O_RDWR | O_CREAT | O_TRUNC, 0666);
    assert_true(o >= 0 && e >= 0);
    pid_t pid = fork();
    if (pid == 0) become(program, NULL, args, env, o, e);
    int code = wait_exit(pid, END_S);
    close(o);
    close(e);
    const char *const names[2] = { "run.out", "run.err" };
    char *const to[2] = { out, err };
    for (int i = 0; i < 2; i++) {
        char *text = read_file(names[i]);
        if (to[i]) snprintf(to[i], size, "%s", text);
        free(text);
    }
    return code;
}

/* ---- requests ---- */

const char *gen(int steps)
{
    static char text[8][512];
    static int turn;
    char *to = text[turn++ % 8];
    snprintf(to, sizeof text[0], "{\"operation\":\"image_generation\",\"hive_id\":\"localhost\",\"model\":\"stable-diffusion-v1-5\","
             "\"prompt\":\"a photo of a cat\",\"seed\":42,\"steps\":%d,\"width\":64,\"height\":64}", steps);
    return to;
}

const char *gen_prompt(int steps, const char *prompt)
{
    static char text[8][512];
    static int turn;
    char *to = text[turn++ % 8];
    snprintf(to, sizeof text[0], "{\"operation\":\"image_generation\",\"prompt\":\"%s\",\"steps\":%d,\"width\":64,\"height\":64}", prompt, steps);
    return to;
}

void post(int port, const char *target, const char *body, reply *r)
{
    ask_for(port, "POST", target, JSON_TYPE, body, r);
}

void get(int port, const char *target, const char *headers, reply *r)
{
    ask_for(port, "GET", target, headers, NULL, r);
}

void expect(const reply *r, int status, const char *text)
{
    bool has = !text || strstr(r->body, text);
    if (r->status != status || !has) print_message("got %d %.400s\nwant %d %s\n", r->status, r->body, status, text ? text : "");
    assert_int_equal(r->status, status);
    assert_true(has);
}

void post_expect(int port, const char *target, const char *body, int status, const char *text)
{
    reply r = { 0 };
    post(port, target, body, &r);
    if (r.status != status) print_message("%.200s\n", body);
    expect(&r, status, text);
    reply_finish(&r);
}

const char *submit(int port, const char *body)
{
    static char ids[64][64];
    static int turn;
    char *id = ids[turn++ % 64];
    reply r = { 0 };
    post(port, "/v1/jobs", body, &r);
    expect(&r, 200, "\"job_id\"");
    snprintf(id, sizeof ids[0], "%s", value_of(r.body, "job_id"));
    reply_finish(&r);
    return id;
}

/* ---- JSON, as far as tests need it ---- */

static const char *find_value(const char *text, const char *key, size_t *ret_size)
{
    char quoted[80];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(text, quoted);
    *ret_size = 0;
    if (!at) return "";
    at += strlen(quoted);
    bool string = *at == '"';
    at += string;
    *ret_size = strcspn(at, string ? "\"" : ",}] \n");
    return at;
}

const char *value_of(const char *text, const char *key)
{
    static char values[8][256];
    static int turn;
    size_t size;
    const char *at = find_value(text, key, &size);
    char *to = values[turn++ % 8];
    snprintf(to, sizeof values[0], "%.*s", (int)(size < 255 ? size : 255), at);
    return to;
}

char *long_value_of(const char *text, const char *key)
{
    size_t size;
    const char *at = find_value(text, key, &size);
    char *to = malloc(size + 1);
    assert_non_null(to);
    memcpy(to, at, size);
    to[size] = '\0';
    return to;
}

int count_of(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part)) n++;
    return n;
}

static void wait_for(int port, const char *id, const char *key, const char *want, int at_least)
{
    char target[80];
    reply r = { 0 };
    snprintf(target, sizeof target, "/v1/jobs/%s", id);
    for (double until = now_s() + START_S;; pause_ms(5)) {
        get(port, target, "", &r);
        const char *is = value_of(r.body, key);
        if (want ? !strcmp(is, want) : atoi(is) >= at_least) break;
        if (now_s() > until) fail_msg("%s: %s is %s: %.300s", id, key, is, r.body);
    }
    reply_finish(&r);
}

void wait_status(int port, const char *id, const char *status)
{
    wait_for(port, id, "status", status, 0);
}

void wait_step(int port, const char *id, int step)
{
    wait_for(port, id, "step", NULL, step);
}
