/* log.h - the log of the process: one line per event, for a person or a collector. The one global that the library has;
 * until sdw_log_open nothing is written anywhere.
 *
 *     sdw_log(SDW_LOG_INFO, "job accepted", "job", id, "request", request_id, NULL);
 *     2025-11-03T21:00:00.123456789Z info job accepted job=job-6f... request=ab12         (logfmt)
 *     {"time":"2025-...Z","level":"info","message":"job accepted","job":"job-6f...",...}  (JSON lines)
 *
 * A line is at most SDW_LOG_LINE_MAX bytes and leaves in one write, so lines of several processes do not mix. Nobody
 * waits for a reader: a line that a full pipe or stopped terminal does not take at once is dropped and counted. Values
 * are escaped, also what is no UTF-8. Secrets and pictures are the caller's to leave out. Any thread. */
#ifndef SDW_CORE_LOG_H
#define SDW_CORE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

#define SDW_LOG_LINE_MAX 4096 /* PIPE_BUF of Linux: a pipe takes it whole or not at all */
#define SDW_LOG_VALUE_MAX 1024 /* bytes of one message or value; the rest is cut and marked "..." */

/* The numbers are those of sdw_worker_log_fn. */
typedef enum sdw_log_level { SDW_LOG_ERROR, SDW_LOG_WARNING, SDW_LOG_INFO, SDW_LOG_DEBUG } sdw_log_level;
typedef enum sdw_log_form { SDW_LOG_LOGFMT, SDW_LOG_JSON } sdw_log_form;

typedef struct sdw_log_options {
    const char *path;      /* appended to, created with mode 0600; NULL = fd */
    int fd;                /* borrowed; such as 2 */
    sdw_log_form form;
    sdw_log_level level;   /* this one and those before it are written */
    int lines_per_second;  /* of info and debug lines, and as many again of errors and warnings, with bursts of five
                              times that; 0 = no limit. Lines beyond are counted and the count is told later */
} sdw_log_options;

/* Replaces the sink that was there. On failure the old one stays. */
sdw_status sdw_log_open(const sdw_log_options *o, sdw_error *err);
void sdw_log_close(void);
/* The next line opens the path again (after it was renamed away). May be called from a signal handler. */
void sdw_log_reopen(void);

bool sdw_log_wants(sdw_log_level level);
/* Pairs of key and value, then NULL. A key is [a-z0-9_]; a pair whose value is NULL is left out. */
#if defined(__GNUC__)
__attribute__((sentinel))
#endif
void sdw_log(sdw_log_level level, const char *message, ...);

/* Lines lost since open: over the rate, or not taken by the reader. */
uint64_t sdw_log_dropped(void);

/* "error", "warn", "info", "debug". */
const char *sdw_log_level_name(sdw_log_level level);
/* Also "warning", "trace" (as debug), "off" is not one; case does not matter. false: unknown word. */
bool sdw_log_level_parse(const char *word, sdw_log_level *ret);

#endif
