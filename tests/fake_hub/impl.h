/* impl.h - what the files of the fake hub share. */
#ifndef FAKE_HUB_IMPL_H
#define FAKE_HUB_IMPL_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "fake_hub.h"

#define FILES_MAX 20000
#define RULES_MAX 32
#define CONNECTIONS_MAX 256

typedef struct fake_file {
    char *path;
    unsigned char *data; /* NULL: listed only */
    size_t size;
    bool lfs;
    char oid[41], sha256[65]; /* git's SHA-1 of the file or of its LFS pointer */
} fake_file;

struct fake_repo {
    fake_hub *hub;
    char id[128], old_id[128], commit[41];
    bool gated, is_private;
    fake_file *files;
    size_t count, capacity;
    unsigned char **old; /* contents that were replaced */
    size_t old_count;
    fake_repo *next;
};

typedef struct fake_listener {
    fake_hub *hub;
    fake_host host;
    int fd, port;
    pthread_t thread;
} fake_listener;

struct fake_hub {
    fake_hub_options options;
    char token[64], url[64], files_url[64], ca[256];
    SSL_CTX *tls;
    fake_listener listeners[2];
    fake_repo *repos;
    atomic_bool stopping;
    atomic_int connections, accepted;
    atomic_uint serial;
    pthread_mutex_t mutex; /* guards the rest, and the repositories */
    pthread_cond_t ended;
    int fds[CONNECTIONS_MAX];
    fake_rule rules[RULES_MAX];
    int hits[RULES_MAX], rule_count;
    fake_request *requests;
    size_t request_count, request_capacity;
};

/* One connection, and the request on it. */
typedef struct fake_connection {
    fake_hub *hub;
    fake_host host;
    int fd, slot;
    SSL *tls;
    char head[32768];
    size_t head_size;
    fake_request request;
    fake_rule rule; /* zero = none */
    bool close;     /* after this answer */
} fake_connection;

void fake_die(const char *what);
void *fake_alloc(size_t size);

/* answers.c: writes the answer to c->request; sets c->request.sent, .status and c->close. */
void fake_answer(fake_connection *c);
/* server.c */
bool fake_write(fake_connection *c, const void *data, size_t size);

/* repos.c; with the mutex held. A file's data stay valid until the hub stops. */
fake_repo *fake_find_repo(fake_hub *h, const char *id);
const fake_file *fake_find_file(const fake_repo *r, const char *path);
void fake_free_repos(fake_hub *h);

#endif
