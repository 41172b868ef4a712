/* impl.h - the parts of a running server, for the files of this folder that make it up; handlers see http.h.
 *
 * Threads. The loop calls the HTTP library and by it everything in exchange.c, reply.c and connection.c; the watchdog
 * looks at the table of connections; desk threads run handlers of suspended connections. What two of them touch is
 * guarded by `lock`, and marked so. The loop alone suspends; everybody resumes, through sdw_conn_wake, under the lock: a
 * suspended connection is never freed, so a wake that finds `suspended` set is safe, and one that does not leaves
 * `woken`, which the loop looks at before it suspends. */
#ifndef SDW_SERVER_IMPL_H
#define SDW_SERVER_IMPL_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/arena.h"
#include "core/uuid.h"
#include "server/access.h"
#include "server/head.h"
#include "server/listener.h"
#include "server/metrics.h"
#include "server/router.h"
#include "server/waker.h"

typedef struct sdw_conn sdw_conn;
typedef struct sdw_exchange sdw_exchange;

/* ---- connections ---- */

typedef enum sdw_conn_phase {
    SDW_CONN_IDLE,   /* between two requests */
    SDW_CONN_HEAD,   /* a head is arriving */
    SDW_CONN_BODY,   /* a body is arriving */
    SDW_CONN_WORK,   /* a handler runs */
    SDW_CONN_WAIT,   /* the answer waits for a job */
    SDW_CONN_STREAM, /* events are sent when there are some */
    SDW_CONN_SEND    /* an answer is being sent */
} sdw_conn_phase;

struct sdw_conn {
    sdw_server *server;
    struct MHD_Connection *mhd;
    int fd, slot;
    char peer[SDW_PEER_SIZE];
    bool loopback;
    /* Guarded by the server's lock. */
    sdw_conn_phase phase;
    sdw_exchange *exchange; /* NULL between two requests */
    double deadline;        /* monotonic seconds; 0 = none */
    bool suspended;         /* MHD does not look at it; whoever clears this resumes it */
    bool on_desk;           /* a desk thread works for it: wakes only leave `woken` */
    bool woken, gone;       /* news since the loop last looked; the client left or was given up */
    bool in_last_places;    /* accepted when only the places for health routes were left */
    double quiet_since;     /* STREAM: when its last byte was handed over */
    uint64_t received, acked; /* bytes, as the kernel counts them; see tcp.h */
    double next_bytes;      /* when to ask it again */
    double left_at;         /* the deadline it had when its client was seen to have closed its side; 0 = not seen */
    double acked_at;        /* when `acked` last moved, or nothing was on its way */
    sdw_job_id job;         /* WAIT, STREAM: whose news it waits for; "" = everybody's */
    uint32_t job_hash;
    sdw_conn *next, **link; /* in a list of sdw_server.waiting; link NULL = in none */
};

#define SDW_WAIT_LISTS 256

/* ---- one request and its answer ---- */

typedef enum sdw_exchange_phase {
    SDW_EXCHANGE_HEAD,    /* the head is not complete */
    SDW_EXCHANGE_BODY,    /* the body is kept */
    SDW_EXCHANGE_DISCARD, /* the body is read and thrown away; `answer` is a refusal */
    SDW_EXCHANGE_READY,   /* the handler may run */
    SDW_EXCHANGE_WAITING, /* `later` is polled */
    SDW_EXCHANGE_FILLED,  /* `answer` can be sent */
    SDW_EXCHANGE_SENT     /* it was handed to the library */
} sdw_exchange_phase;

/* Belongs to the loop, or while its connection is on_desk to that desk thread. */
struct sdw_exchange {
    sdw_server *server;
    sdw_conn *conn;
    sdw_exchange_phase phase;
    char *raw_target;       /* owned until the head is complete */
    sdw_head head;
    sdw_http_request seen;
    sdw_route_match match;
    char request_id[129];
    sdw_job_id job;         /* for the log; "" = none */
    bool head_only;         /* HEAD */
    bool preflight;         /* OPTIONS */
    sdw_buf body;
    size_t body_limit, body_counted; /* counted: into the server's sum */
    uint64_t thrown_away;
    sdw_http_response answer;
    sdw_http_later later;   /* WAITING */
    bool is_stream, stream_ended;
    bool pulled_all;        /* stream: the last pull left nothing; it sleeps once that is sent */
    bool spoke;             /* stream: something was sent since it last slept */
    sdw_buf out;            /* stream: pulled and not yet sent */
    size_t out_at;
    double started;         /* monotonic seconds */
    uint64_t sent;          /* bytes of the answer's body */
    sdw_exchange *desk_next;
};

/* ---- desk ---- */

typedef struct sdw_desk {
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t news;
    sdw_exchange *first, *last;
    bool stop;
    pthread_t *thread;
    int threads;
} sdw_desk;

sdw_status sdw_desk_start(sdw_desk *d, int threads, sdw_error *err);
/* Any number of exchanges may wait: each holds its own connection, and those are counted. */
void sdw_desk_push(sdw_desk *d, sdw_exchange *x);
/* Takes back what no thread has begun; false: it is being worked on, or done. */
bool sdw_desk_take_back(sdw_desk *d, sdw_exchange *x);
/* Lets the running handlers end, leaves the rest; joins the threads. */
void sdw_desk_stop(sdw_desk *d);

/* ---- the server ---- */

struct sdw_server {
    sdw_server_options o;   /* texts in `arena`, limits filled in */
    sdw_arena arena;
    sdw_access_rules access;
    struct MHD_Daemon *daemon;
    sdw_listener listener;
    char url[96];
    sdw_waker *waker, *own_waker;
    sdw_metrics *metrics;
    sdw_desk desk;
    pthread_t loop, watchdog;
    bool loop_runs, watchdog_runs;
    int epoll_fd;           /* what the loop waits for */
    atomic_bool draining, no_more_connections, loop_stop;

    /* Loop thread only. */
    size_t body_bytes;      /* of all bodies in memory */

    pthread_mutex_t lock;   /* guards what follows, and the marked members of connections */
    pthread_cond_t quiet;   /* an exchange ended */
    pthread_cond_t round;   /* the watchdog shall end */
    bool watchdog_stop;
    sdw_conn **slot;        /* open connections; NULL where none is */
    int slots;
    int connections, exchanges, streams;
    bool closing;           /* nothing is suspended any more */
    sdw_conn *waiting[SDW_WAIT_LISTS + 1]; /* by job; the last list waits for everybody's news */
};

/* connection.c */
enum MHD_Result sdw_conn_accept(void *server, const struct sockaddr *a, socklen_t size);
void sdw_conn_notify(void *server, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code);
void sdw_conn_enter(sdw_conn *c, sdw_conn_phase phase, double deadline);
/* Loop thread. False: there was news meanwhile, or the server closes; look again. */
bool sdw_conn_suspend(sdw_conn *c);
/* The same for a stream that has sent all there is. spoke: something was sent since it last slept. */
typedef enum sdw_conn_rest { SDW_CONN_SLEEPS, SDW_CONN_NEWS, SDW_CONN_SILENT /* it wants a comment */ } sdw_conn_rest;
sdw_conn_rest sdw_conn_rest_stream(sdw_conn *c, bool spoke);
/* Lock held; any thread. */
void sdw_conn_wake(sdw_conn *c);
/* Everybody who waits for one of these jobs. Takes the lock; loop thread. Returns how many streams are open. */
int sdw_conn_wake_all(sdw_server *s, const sdw_wakes *news);
/* From now on wakes of this job reach it; takes the lock. Done before the first look, so that none is lost. */
void sdw_conn_wait_for(sdw_conn *c, sdw_conn_phase phase, const sdw_job_id *job);
/* What happened since the last call: clears `woken`. */
typedef struct sdw_conn_news { bool gone, closing; } sdw_conn_news;
sdw_conn_news sdw_conn_look(sdw_conn *c);
void sdw_conn_exchange_began(sdw_conn *c, sdw_exchange *x);
void sdw_conn_exchange_ended(sdw_conn *c);

/* exchange.c: callbacks of the library, and what a desk thread does with an exchange. */
void *sdw_exchange_begin(void *server, const char *raw_target, struct MHD_Connection *mhd);
enum MHD_Result sdw_exchange_handle(void *server, struct MHD_Connection *mhd, const char *url, const char *method,
                                    const char *version, const char *data, size_t *data_size, void **context);
void sdw_exchange_end(void *server, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode why);
void sdw_exchange_work(sdw_exchange *x);

/* guards.c: what the head alone decides. False: `answer` is the refusal. */
bool sdw_guard_head(sdw_exchange *x);
void sdw_refuse(sdw_exchange *x, int status, const char *code, const char *message);
/* The 413 of a body over x->body_limit. */
void sdw_refuse_body(sdw_exchange *x);
/* Counts bytes into the sum of all bodies; false: `answer` is the 503. */
bool sdw_body_reserve(sdw_exchange *x, size_t more);

/* reply.c: hands `answer` to the library. */
enum MHD_Result sdw_reply(sdw_exchange *x);

/* loop.c */
sdw_status sdw_loop_start(sdw_server *s, sdw_error *err);
void sdw_loop_stop(sdw_server *s);

/* watchdog.c */
void *sdw_watchdog_main(void *server);

#endif
