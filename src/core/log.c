/* log.c - lines are formatted on the caller's stack and written under one mutex; nothing is allocated. */
#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"

#define BURST_SECONDS 5

/* Tokens of one kind of line; a line costs one. */
typedef struct bucket { double tokens; int64_t filled_ns; } bucket;

static struct {
    pthread_mutex_t lock; /* guards all below but the atomics */
    sdw_log_options options;
    char *path;           /* owned; NULL = the fd is borrowed */
    int fd;               /* -1 = closed */
    bucket loud, quiet;   /* errors and warnings; info and debug */
    uint64_t dropped, told;
    atomic_int level;     /* -1 = closed; read without the lock */
    atomic_bool reopen;
} sink = { .lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1, .level = -1 };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

const char *sdw_log_level_name(sdw_log_level level)
{
    return (unsigned)level < 4 ? level_names[level] : "?";
}

bool sdw_log_level_parse(const char *word, sdw_log_level *ret)
{
    static const struct { const char *word; sdw_log_level level; } words[] = {
        { "error", SDW_LOG_ERROR }, { "warn", SDW_LOG_WARNING }, { "warning", SDW_LOG_WARNING },
        { "info", SDW_LOG_INFO }, { "debug", SDW_LOG_DEBUG }, { "trace", SDW_LOG_DEBUG },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(word, words[i].word) == 0) {
            *ret = words[i].level;
            return true;
        }
    return false;
}

/* ---- a line ---- */

typedef struct line { char text[SDW_LOG_LINE_MAX]; size_t size; bool full; } line;

#define LINE_END 8 /* kept free for what closes a line */

static void put(line *l, const char *bytes, size_t size)
{
    if (l->full || size > sizeof l->text - LINE_END - l->size) {
        l->full = true;
        return;
    }
    memcpy(l->text + l->size, bytes, size);
    l->size += size;
}

static void puts_line(line *l, const char *s)
{
    put(l, s, strlen(s));
}

/* Length of the UTF-8 sequence at p, 0 if there is none (overlong forms and surrogates are none). */
static size_t utf8_length(const unsigned char *p)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

/* The escapes of JSON serve both forms. A byte that is no UTF-8 becomes U+FFFD. */
static void put_escaped(line *l, const char *text)
{
    const unsigned char *p = (const unsigned char *)text, *end = p + SDW_LOG_VALUE_MAX;
    for (size_t n; *p && p < end; p += n) {
        char escape[8];
        n = utf8_length(p);
        if (n == 0) {
            puts_line(l, "\xef\xbf\xbd");
            n = 1;
        } else if (*p == '"' || *p == '\\') {
            put(l, (const char[]){ '\\', (char)*p }, 2);
        } else if (*p < 0x20 || *p == 0x7f) {
            snprintf(escape, sizeof escape, "\\u%04x", *p);
            puts_line(l, *p == '\n' ? "\\n" : *p == '\t' ? "\\t" : *p == '\r' ? "\\r" : escape);
        } else {
            put(l, (const char *)p, n);
        }
    }
    if (*p) puts_line(l, "...");
}

static bool is_bare(const char *value)
{
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || *p == '"' || *p == '=' || *p == '\\') return false;
    return *value && strlen(value) <= SDW_LOG_VALUE_MAX;
}

static void put_quoted(line *l, const char *value)
{
    puts_line(l, "\"");
    put_escaped(l, value);
    puts_line(l, "\"");
}

/* A pair that does not fit is left out whole, so that the line stays well formed. */
static void put_pair(line *l, sdw_log_form form, const char *key, const char *value)
{
    size_t before = l->size;
    if (form == SDW_LOG_JSON) {
        puts_line(l, ",\"");
        puts_line(l, key);
        puts_line(l, "\":");
        put_quoted(l, value);
    } else {
        puts_line(l, " ");
        puts_line(l, key);
        puts_line(l, "=");
        if (is_bare(value)) puts_line(l, value);
        else put_quoted(l, value);
    }
    if (l->full) l->size = before;
    l->full = false;
}

static void begin_line(line *l, sdw_log_form form, sdw_log_level level, const char *message)
{
    char time[SDW_RFC3339_SIZE];
    sdw_rfc3339(sdw_clock_wall_ns(), SDW_ZONE_Z, time);
    l->size = 0;
    l->full = false;
    if (form == SDW_LOG_JSON) {
        puts_line(l, "{\"time\":\"");
        puts_line(l, time);
        puts_line(l, "\",\"level\":\"");
        puts_line(l, sdw_log_level_name(level));
        puts_line(l, "\",\"message\":");
        put_quoted(l, message);
    } else {
        puts_line(l, time);
        puts_line(l, " ");
        puts_line(l, sdw_log_level_name(level));
        puts_line(l, " ");
        put_escaped(l, message);
    }
}

static void end_line(line *l, sdw_log_form form)
{
    const char *end = form == SDW_LOG_JSON ? "}\n" : "\n";
    memcpy(l->text + l->size, end, strlen(end));
    l->size += strlen(end);
}

/* ---- the sink; its lock is held ---- */

static int open_path(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
}

/* Keeps the old file if the new one cannot be opened. */
static void reopen_if_asked(void)
{
    if (!atomic_exchange(&sink.reopen, false) || !sink.path) return;
    int fd = open_path(sink.path);
    if (fd < 0) return;
    close(sink.fd);
    sink.fd = fd;
}

static bool take_token(bucket *b)
{
    double rate = sink.options.lines_per_second, most = rate * BURST_SECONDS;
    if (rate <= 0) return true;
    int64_t now = sdw_clock_monotonic_ns();
    if (b->filled_ns == 0) b->tokens = most;
    else b->tokens += rate * (double)(now - b->filled_ns) / (double)SDW_SECOND_NS;
    b->filled_ns = now;
    if (b->tokens > most) b->tokens = most;
    if (b->tokens < 1) return false;
    b->tokens -= 1;
    return true;
}

static bool write_line(const line *l)
{
    struct pollfd p = { .fd = sink.fd, .events = POLLOUT };
    if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT)) return false;
    ssize_t n;
    do n = write(sink.fd, l->text, l->size);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)l->size;
}

static void tell_dropped(void)
{
    char count[24];
    line l;
    if (sink.dropped == sink.told) return;
    snprintf(count, sizeof count, "%llu", (unsigned long long)(sink.dropped - sink.told));
    begin_line(&l, sink.options.form, SDW_LOG_WARNING, "log lines were dropped");
    put_pair(&l, sink.options.form, "lines", count);
    end_line(&l, sink.options.form);
    if (write_line(&l)) sink.told = sink.dropped;
}

/* ---- public ---- */

bool sdw_log_wants(sdw_log_level level)
{
    return (int)level <= atomic_load_explicit(&sink.level, memory_order_relaxed);
}

void sdw_log(sdw_log_level level, const char *message, ...)
{
    line l;
    if (!sdw_log_wants(level)) return;
    va_list args;
    va_start(args, message);
    pthread_mutex_lock(&sink.lock);
    sdw_log_form form = sink.options.form;
    if (sink.fd >= 0) {
        begin_line(&l, form, level, message);
        for (const char *key; (key = va_arg(args, const char *));) {
            const char *value = va_arg(args, const char *);
            if (value) put_pair(&l, form, key, value);
        }
        end_line(&l, form);
        reopen_if_asked();
        if (take_token(level <= SDW_LOG_WARNING ? &sink.loud : &sink.quiet)) {
            tell_dropped();
            if (!write_line(&l)) sink.dropped++;
        } else {
            sink.dropped++;
        }
    }
    pthread_mutex_unlock(&sink.lock);
    va_end(args);
}

static void drop_sink(void)
{
    if (sink.path) close(sink.fd);
    sdw_free(sink.path);
    sink.path = NULL;
    sink.fd = -1;
    atomic_store(&sink.level, -1);
}

sdw_status sdw_log_open(const sdw_log_options *o, sdw_error *err)
{
    char *path = NULL;
    int fd = o->fd;
    if (o->path) {
        path = sdw_strdup(o->path);
        if (!path) return sdw_fail_memory(err, "path of the log", strlen(o->path) + 1);
        fd = open_path(path);
        if (fd < 0) {
            sdw_free(path);
            return sdw_fail(err, SDW_IO, "%s: cannot open the log: %s", o->path, strerror(errno));
        }
    }
    pthread_mutex_lock(&sink.lock);
    drop_sink();
    sink.options = *o;
    sink.options.path = NULL; /* borrowed; ours is sink.path */
    sink.path = path;
    sink.fd = fd;
    sink.loud = sink.quiet = (bucket){ 0 };
    sink.dropped = sink.told = 0;
    atomic_store(&sink.reopen, false);
    atomic_store(&sink.level, (int)o->level);
    pthread_mutex_unlock(&sink.lock);
    return SDW_OK;
}

void sdw_log_close(void)
{
    pthread_mutex_lock(&sink.lock);
    drop_sink();
    pthread_mutex_unlock(&sink.lock);
}

void sdw_log_reopen(void)
{
    atomic_store(&sink.reopen, true);
}

uint64_t sdw_log_dropped(void)
{
    pthread_mutex_lock(&sink.lock);
    uint64_t n = sink.dropped;
    pthread_mutex_unlock(&sink.lock);
    return n;
}
