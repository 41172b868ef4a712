/* face_bed.h - the whole service over the fake executor, for tests of the faces: worker, server with every real route. */
#ifndef SDW_TEST_SERVER_FACE_BED_H
#define SDW_TEST_SERVER_FACE_BED_H

#include <yyjson.h>

#include "core/buf.h"
#include "server/client.h"
#include "server/server.h"

/* Starts both and waits until the model is loaded. key may be NULL. Fails the test if that does not work. */
void face_open(const char *key);
void face_close(void);
int face_port(void);
sdw_worker *face_worker(void);
/* Waits until the worker has ended so many jobs since it was opened, however; false after 20 s. */
bool face_wait_ended(unsigned jobs);

/* A PNG of one colour; alpha < 0: without an alpha channel, else `hole` marks every pixel of the left half as clear. */
void face_png(int width, int height, int alpha, bool hole, sdw_buf *out);
/* Sends a body as JSON and parses the answer; *ret_status. The document is the caller's. */
yyjson_doc *face_json(const char *method, const char *target, const char *body, int *ret_status);
/* Sends parts "name=bytes" (with file: a file name too) as multipart/form-data; chunked in pieces of 1000 bytes if asked. */
typedef struct face_part { const char *name; const void *bytes; size_t size; bool file; } face_part;
void face_multipart(const char *target, const face_part *parts, int count, bool chunked, const char *extra, reply *r);

#endif
