/* server.c - listeners, connections, TLS and the record of requests. A thread per connection. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "impl.h"

/* ---- TLS: a certificate of our own for both names ---- */

static void add_extension(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    if (!e || !X509_add_ext(x, e, -1)) fake_die("certificate");
    X509_EXTENSION_free(e);
}

static void make_tls(fake_hub *h)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    if (!key || !x) fake_die("certificate");
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"fake hub", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_set_pubkey(x, key);
    add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(x, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    if (!X509_sign(x, key, EVP_sha256())) fake_die("certificate");
    snprintf(h->ca, sizeof h->ca, "/tmp/fake_hub_%ld_%d.pem", (long)getpid(), h->listeners[0].port);
    FILE *f = fopen(h->ca, "w");
    if (!f || !PEM_write_X509(f, x) || fclose(f) != 0) fake_die(h->ca);
    h->tls = SSL_CTX_new(TLS_server_method());
    if (!h->tls || SSL_CTX_use_certificate(h->tls, x) != 1 || SSL_CTX_use_PrivateKey(h->tls, key) != 1) fake_die("TLS");
    X509_free(x);
    EVP_PKEY_free(key);
}

/* ---- one connection ---- */

bool fake_write(fake_connection *c, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        size_t piece = size > 1048576 ? 1048576 : size;
        ssize_t n = c->tls ? (ssize_t)SSL_write(c->tls, at, (int)piece) : send(c->fd, at, piece, MSG_NOSIGNAL);
        if (n <= 0) {
            c->close = true;
            return false;
        }
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static ssize_t read_some(fake_connection *c)
{
    size_t room = sizeof c->head - 1 - c->head_size;
    return c->tls ? (ssize_t)SSL_read(c->tls, c->head + c->head_size, (int)room) : recv(c->fd, c->head + c->head_size, room, 0);
}

/* Reads up to the empty line; what follows it (the next request) is kept in front by drop_head. */
static size_t read_head(fake_connection *c)
{
    for (;;) {
        c->head[c->head_size] = '\0';
        char *end = strstr(c->head, "\r\n\r\n");
        if (end) return (size_t)(end - c->head) + 4;
        if (c->head_size + 1 >= sizeof c->head) return 0;
        ssize_t n = read_some(c);
        if (n <= 0) return 0;
        c->head_size += (size_t)n;
    }
}

static void header(const char *head, const char *name, char *ret, size_t size)
{
    size_t n = strlen(name);
    ret[0] = '\0';
    for (const char *line = strstr(head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, n) != 0 || line[2 + n] != ':') continue;
        const char *value = line + 3 + n;
        while (*value == ' ') value++;
        snprintf(ret, size, "%.*s", (int)strcspn(value, "\r"), value);
        return;
    }
}

static void parse(fake_connection *c)
{
    fake_request *r = &c->request;
    memset(r, 0, sizeof *r);
    r->host = c->host;
    sscanf(c->head, "%7s %2047s", r->method, r->target);
    if (!strncmp(r->target, "http://", 7)) { /* we are somebody's proxy: the rest is for us all the same */
        const char *path = strchr(r->target + 7, '/');
        r->proxied = true;
        memmove(r->target, path ? path : "/", strlen(path ? path : "/") + 1);
    }
    header(c->head, "Authorization", r->authorization, sizeof r->authorization);
    header(c->head, "Range", r->range, sizeof r->range);
    header(c->head, "Accept-Encoding", r->accept_encoding, sizeof r->accept_encoding);
    header(c->head, "If-Range", r->if_range, sizeof r->if_range);
}

static bool fits(const fake_request *r, fake_host host, const char *method, const char *match)
{
    return (host == FAKE_ANY || host == r->host) && (!method || !strcmp(method, r->method)) && (!match || strstr(r->target, match));
}

static void choose_rule(fake_connection *c)
{
    fake_hub *h = c->hub;
    memset(&c->rule, 0, sizeof c->rule);
    pthread_mutex_lock(&h->mutex);
    for (int i = 0; i < h->rule_count; i++) {
        const fake_rule *r = &h->rules[i];
        if (!fits(&c->request, r->host, r->method, r->match)) continue;
        int hit = h->hits[i]++;
        if (hit < r->skip || (r->times && hit >= r->skip + r->times)) continue;
        c->rule = *r;
        break;
    }
    pthread_mutex_unlock(&h->mutex);
}

/* The record is made before the answer, so that a client that got it finds it; the counts follow. */
static size_t record(fake_connection *c)
{
    fake_hub *h = c->hub;
    pthread_mutex_lock(&h->mutex);
    if (h->request_count == h->request_capacity) {
        h->request_capacity = h->request_capacity ? h->request_capacity * 2 : 64;
        h->requests = realloc(h->requests, h->request_capacity * sizeof *h->requests);
        if (!h->requests) fake_die("fake hub");
    }
    size_t index = h->request_count++;
    h->requests[index] = c->request;
    pthread_mutex_unlock(&h->mutex);
    return index;
}

static void record_end(fake_connection *c, size_t index)
{
    pthread_mutex_lock(&c->hub->mutex);
    if (index < c->hub->request_count && !strcmp(c->hub->requests[index].target, c->request.target)) {
        c->hub->requests[index].sent = c->request.sent;
        c->hub->requests[index].status = c->request.status;
    }
    pthread_mutex_unlock(&c->hub->mutex);
}

static void serve(fake_connection *c)
{
    if (c->hub->tls) {
        c->tls = SSL_new(c->hub->tls);
        if (!c->tls || SSL_set_fd(c->tls, c->fd) != 1 || SSL_accept(c->tls) != 1) return;
    }
    while (!c->close && !c->hub->stopping) {
        size_t size = read_head(c);
        if (!size) return;
        parse(c);
        choose_rule(c);
        size_t index = record(c);
        fake_answer(c);
        record_end(c, index);
        memmove(c->head, c->head + size, c->head_size - size);
        c->head_size -= size;
    }
}

static void *connection_thread(void *ctx)
{
    fake_connection *c = ctx;
    fake_hub *h = c->hub;
    serve(c);
    pthread_mutex_lock(&h->mutex);
    h->fds[c->slot] = -1;
    pthread_mutex_unlock(&h->mutex);
    if (c->tls) SSL_free(c->tls);
    close(c->fd);
    free(c);
    pthread_mutex_lock(&h->mutex);
    h->connections--;
    pthread_cond_signal(&h->ended);
    pthread_mutex_unlock(&h->mutex);
    return NULL;
}

static void start_connection(fake_listener *l, int fd)
{
    fake_hub *h = l->hub;
    fake_connection *c = fake_alloc(sizeof *c);
    pthread_t thread;
    int one = 1, slot = -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    pthread_mutex_lock(&h->mutex);
    for (int i = 0; i < CONNECTIONS_MAX && slot < 0; i++)
        if (h->fds[i] < 0) slot = i;
    if (slot >= 0 && !h->stopping) {
        h->fds[slot] = fd;
        h->connections++;
        h->accepted++;
    }
    pthread_mutex_unlock(&h->mutex);
    if (slot < 0) fake_die("too many connections");
    *c = (fake_connection){ .hub = h, .host = l->host, .fd = fd, .slot = slot };
    if (pthread_create(&thread, NULL, connection_thread, c) != 0) fake_die("thread");
    pthread_detach(thread);
}

static void *listen_thread(void *ctx)
{
    fake_listener *l = ctx;
    while (!l->hub->stopping) {
        int fd = accept(l->fd, NULL, NULL);
        if (fd < 0) continue;
        if (l->hub->stopping) close(fd);
        else start_connection(l, fd);
    }
    return NULL;
}

/* ---- the hub ---- */

static void listen_on(fake_hub *h, int index, fake_host host)
{
    fake_listener *l = &h->listeners[index];
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    *l = (fake_listener){ .hub = h, .host = host, .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(l->fd, 64) != 0 ||
        getsockname(l->fd, (struct sockaddr *)&a, &size) != 0)
        fake_die("listen");
    l->port = ntohs(a.sin_port);
}

fake_hub *fake_hub_start(const fake_hub_options *o)
{
    fake_hub *h = fake_alloc(sizeof *h);
    if (o) h->options = *o;
    if (!h->options.page) h->options.page = 1000;
    snprintf(h->token, sizeof h->token, "%s", h->options.token ? h->options.token : "hf_good");
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->ended, NULL);
    for (int i = 0; i < CONNECTIONS_MAX; i++) h->fds[i] = -1;
    signal(SIGPIPE, SIG_IGN); /* TLS writes with write() */
    listen_on(h, 0, FAKE_HUB);
    listen_on(h, 1, FAKE_FILES);
    if (h->options.tls) make_tls(h);
    snprintf(h->url, sizeof h->url, "http%s://127.0.0.1:%d", h->tls ? "s" : "", h->listeners[0].port);
    snprintf(h->files_url, sizeof h->files_url, "http%s://localhost:%d", h->tls ? "s" : "", h->listeners[1].port);
    for (int i = 0; i < 2; i++)
        if (pthread_create(&h->listeners[i].thread, NULL, listen_thread, &h->listeners[i]) != 0) fake_die("thread");
    return h;
}

void fake_hub_stop(fake_hub *h)
{
    h->stopping = true;
    for (int i = 0; i < 2; i++) {
        shutdown(h->listeners[i].fd, SHUT_RDWR); /* wakes accept */
        pthread_join(h->listeners[i].thread, NULL);
        close(h->listeners[i].fd);
    }
    pthread_mutex_lock(&h->mutex);
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        if (h->fds[i] >= 0) shutdown(h->fds[i], SHUT_RDWR);
    while (h->connections > 0) pthread_cond_wait(&h->ended, &h->mutex);
    pthread_mutex_unlock(&h->mutex);
    if (h->tls) {
        unlink(h->ca);
        SSL_CTX_free(h->tls);
    }
    fake_free_repos(h);
    free(h->requests);
    pthread_mutex_destroy(&h->mutex);
    pthread_cond_destroy(&h->ended);
    free(h);
}

const char *fake_hub_url(const fake_hub *h)
{
    return h->url;
}

const char *fake_hub_files(const fake_hub *h)
{
    return h->files_url;
}

const char *fake_hub_ca(const fake_hub *h)
{
    return h->ca;
}

/* ---- rules and records ---- */

void fake_hub_rule(fake_hub *h, const fake_rule *r)
{
    pthread_mutex_lock(&h->mutex);
    if (h->rule_count == RULES_MAX) fake_die("too many rules");
    h->hits[h->rule_count] = 0;
    h->rules[h->rule_count++] = *r;
    pthread_mutex_unlock(&h->mutex);
}

void fake_hub_no_rules(fake_hub *h)
{
    pthread_mutex_lock(&h->mutex);
    h->rule_count = 0;
    pthread_mutex_unlock(&h->mutex);
}

int fake_hub_count(fake_hub *h, fake_host host, const char *method, const char *match)
{
    int n = 0;
    pthread_mutex_lock(&h->mutex);
    for (size_t i = 0; i < h->request_count; i++) n += fits(&h->requests[i], host, method, match);
    pthread_mutex_unlock(&h->mutex);
    return n;
}

bool fake_hub_request(fake_hub *h, fake_host host, const char *match, int index, fake_request *ret)
{
    bool found = false;
    pthread_mutex_lock(&h->mutex);
    for (size_t i = 0; i < h->request_count && !found; i++)
        if (fits(&h->requests[i], host, NULL, match) && index-- == 0) {
            *ret = h->requests[i];
            found = true;
        }
    pthread_mutex_unlock(&h->mutex);
    return found;
}

uint64_t fake_hub_sent(fake_hub *h, fake_host host, const char *match)
{
    uint64_t n = 0;
    pthread_mutex_lock(&h->mutex);
    for (size_t i = 0; i < h->request_count; i++)
        if (fits(&h->requests[i], host, NULL, match)) n += h->requests[i].sent;
    pthread_mutex_unlock(&h->mutex);
    return n;
}

int fake_hub_connections(fake_hub *h)
{
    return h->accepted;
}

void fake_hub_forget(fake_hub *h)
{
    pthread_mutex_lock(&h->mutex);
    h->request_count = 0;
    pthread_mutex_unlock(&h->mutex);
}
