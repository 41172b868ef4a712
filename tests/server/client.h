/* client.h - a client that sends exactly the bytes it is told to, for what no HTTP library would send. Fails the test on
 * anything unexpected of its own (no connection, no memory); what the server does is returned. */
#ifndef SDW_TEST_SERVER_CLIENT_H
#define SDW_TEST_SERVER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

double now_s(void);

/* Measures how long something takes until that is below `bar`, five times at most, and fails if it never is: others use the
 * machine too. What comes before `least` fails in any case. Returns the best. */
double best_of_five(double (*measure)(void *ctx), void *ctx, double least, double bar);

int client_open(int port);
void client_close(int fd);
/* All of it, or as much as the server takes: false once the connection is gone. */
bool client_send(int fd, const void *bytes, size_t size);
bool client_text(int fd, const char *text);
/* Reads what comes within `timeout_s`, at most size bytes. 0 = nothing in time, -1 = the end of the connection. */
long client_read(int fd, void *to, size_t size, double timeout_s);
/* Seconds until the server closed it; -1 if it did not within timeout_s. */
double client_closed_after(int fd, double timeout_s);

typedef struct reply {
    int status;         /* 0 = no answer */
    char head[8192];    /* up to and without the empty line */
    char *body;         /* without chunk framing, NUL behind it; freed by reply_finish */
    size_t body_size;
    bool chunked, whole; /* whole: the body came to its end */
    int chunks;         /* with chunked, but for the last, empty one */
    size_t chunk_size[64];
    char rest[4096]; size_t rest_size; /* read beyond this answer */
} reply;

/* One answer; bytes that came too early are taken from `r->rest` of the call before (zero r first). */
void client_reply(int fd, bool to_head, double timeout_s, reply *r);
/* Opens, sends, reads one answer, closes. */
void ask(int port, const char *request, reply *r);
/* Sends "METHOD target HTTP/1.1", Host, the extra header lines (each with CRLF, may be "") and the body if any. */
void ask_for(int port, const char *method, const char *target, const char *extra, const char *body, reply *r);
void reply_finish(reply *r);
/* Value of a header without blanks around it, "" if absent; in static storage of two turns. */
const char *reply_header(const reply *r, const char *name);

#endif
