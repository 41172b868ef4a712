/* harness.h - the real program, started and stopped, and what a client of it needs: jobs, streams read as they come.
 * Everything fails the running test when something goes wrong that the test is not about. */
#ifndef TESTS_SERVICE_HARNESS_H
#define TESTS_SERVICE_HARNESS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "server/client.h"

/* ---- programs ---- */

typedef struct service {
    pid_t pid;
    int port;
    char log[64];           /* what it wrote to standard error */
} service;

#define ARGS(...) (const char *const[]){ __VA_ARGS__, NULL }
#define NO_ENV (const char *const[]){ NULL }

const char *sdw(void);      /* the program */
const char *sdw_fake(void); /* the same over the executor without weights */
/* A folder in the working folder whose name is the fake model's; "fake", "fake load-ms=500". */
const char *fake_model(const char *name);
/* Small random models of the engine's tests: their folders. */
const char *tiny_model(void);
const char *tiny_inpaint_model(void);

/* Starts `program args...` with further variables "NAME=value" and waits until it listens. as: argv[0], NULL = program. */
service start_as(const char *program, const char *as, const char *const *args, const char *const *env);
/* start_as with --port 0 in front, "serve" for the real program. */
service start(const char *program, const char *const *args);
service start_loaded(const char *program, const char *const *args); /* and waits for /ready */
service start_env(const char *program, const char *const *args, const char *const *env);
void wait_ready(const service *s);
/* Sends the signal (0 = none) and waits; the exit code, 128 + N for a signal. *ret_seconds may be NULL. */
int stop(service *s, int signal_number, double *ret_seconds);
/* Runs to the end, at most 10 s: exit code; standard output and error into `out` and `err` (each may be NULL). */
int run(const char *program, const char *const *args, const char *const *env, char *out, char *err, size_t size);
/* The whole file; freed by the caller. */
char *read_file(const char *path);

/* ---- requests ---- */

#define JSON_TYPE "Content-Type: application/json\r\n"

/* {"operation":"image_generation",...,"steps":k}: GEN(k) of the protocol; in static storage of eight turns. */
const char *gen(int steps);
/* The same with another prompt and without seed. */
const char *gen_prompt(int steps, const char *prompt);
void post(int port, const char *target, const char *body, reply *r);
void get(int port, const char *target, const char *headers, reply *r);
/* Posts to /v1/jobs, expects 200, the job's id; static storage of 64 turns. */
const char *submit(int port, const char *body);
/* Expects this status and, in the body, this text (NULL = any). */
void expect(const reply *r, int status, const char *text);
void post_expect(int port, const char *target, const char *body, int status, const char *text);

/* The value of "key":"..." or "key":number in a text, from its first occurrence; "" if it is not there. Static, eight turns
 * of 256 bytes. */
const char *value_of(const char *text, const char *key);
/* The same of any length; freed by the caller. */
char *long_value_of(const char *text, const char *key);
int count_of(const char *text, const char *part);

/* Waits until GET /v1/jobs/ID says so; fails after a minute. */
void wait_status(int port, const char *id, const char *status);
void wait_step(int port, const char *id, int step);

/* ---- streams ---- */

typedef struct stream {
    int fd, status;
    char head[4096];
    char *text; size_t size;   /* the decoded body so far, NUL behind it */
    char *raw; size_t raw_size, raw_at; /* received, not yet decoded */
    bool headed, ended;        /* ended: the last chunk came, or the connection closed */
} stream;

/* GET target with these further header lines. */
stream open_stream(int port, const char *target, const char *headers);
stream open_job(int port, const char *id, const char *headers); /* /v1/jobs/ID/stream, Accept: any */
/* Any request whose answer is a stream. */
stream open_raw(int port, const char *request);
/* Reads until its head has come, with which it has begun: fails if it does not come. */
void stream_begun(stream *s);
/* Reads until `text` has come (then true), the end, or a multiple of timeout_s. */
bool stream_until(stream *s, const char *text, double timeout_s);
/* Reads for timeout_s: true if `text` did not come in it. */
bool stream_lacks(stream *s, const char *text, double timeout_s);
/* Reads to the end: fails if that does not come within timeout_s. Returns the text. */
const char *stream_end(stream *s, double timeout_s);
void close_stream(stream *s);
/* The whole stream of a job from its beginning, as text; freed by the caller. */
char *whole_stream(int port, const char *id, const char *query, const char *headers);
/* Does text end with this? */
bool ends_with(const char *text, const char *end);

/* ---- pictures ---- */

/* PNG of a smooth picture, or a mask that is white in its left half; base64 in static storage. */
const char *picture_base64(int width, int height);
const char *mask_base64(int width, int height);
/* RGBA, its left half transparent. */
const char *hole_base64(int width, int height);
/* Pixels of a picture in base64, 3 bytes each; freed by the caller. */
unsigned char *pixels_of(const char *base64, int *ret_width, int *ret_height);
/* Size of a picture in base64. */
void picture_size(const char *base64, int *ret_width, int *ret_height);

#endif
