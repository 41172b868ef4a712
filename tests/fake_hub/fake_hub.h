/* fake_hub.h - a model hub on loopback, for tests: plain or TLS, with the real one's redirects, headers and refusals, and
 * with every fault that the tests need. It is two servers: the hub (127.0.0.1) and the host of large files (localhost,
 * another port). Functions may be called from the test's thread while the servers run. Failures end the test. */
#ifndef FAKE_HUB_H
#define FAKE_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fake_hub fake_hub;
typedef struct fake_repo fake_repo;

typedef struct fake_hub_options {
    bool tls;
    size_t page;         /* files per page of the tree; 0 = 1000 */
    const char *token;   /* the one that is valid; NULL = "hf_good" */
} fake_hub_options;

fake_hub *fake_hub_start(const fake_hub_options *o);
void fake_hub_stop(fake_hub *h);
const char *fake_hub_url(const fake_hub *h);  /* http://127.0.0.1:PORT, the value for HF_ENDPOINT */
const char *fake_hub_files(const fake_hub *h); /* http://localhost:PORT of the other host */
const char *fake_hub_ca(const fake_hub *h);   /* path of the certificate, with TLS */

/* A repository with the ref "main". */
fake_repo *fake_hub_repo(fake_hub *h, const char *id);
const char *fake_repo_commit(const fake_repo *r); /* changes when a file is added */
/* Large files (`lfs`) are redirected to the other host. Bytes are copied. A file of the same path is replaced. */
void fake_repo_add(fake_repo *r, const char *path, const void *data, size_t size, bool lfs);
void fake_repo_add_text(fake_repo *r, const char *path, const char *text);
/* A valid safetensors file of that many bytes, whose data differ from place to place. */
void fake_repo_add_weights(fake_repo *r, const char *path, size_t size);
/* Name, size and hash in the listing only: for names that nobody may ask for. */
void fake_repo_list(fake_repo *r, const char *path);
void fake_repo_set_gated(fake_repo *r, bool gated);   /* licence not accepted, whatever the token */
void fake_repo_set_private(fake_repo *r, bool is_private);
void fake_repo_rename(fake_repo *r, const char *new_id); /* the old id redirects */
/* SHA-256 in hex (large) or git's SHA-1 of a file. */
const char *fake_repo_hash(const fake_repo *r, const char *path);
const unsigned char *fake_repo_data(const fake_repo *r, const char *path, size_t *ret_size);
/* Every folder ROOT/ORG/NAME becomes a repository; .safetensors and .model files are large. */
void fake_hub_add_folder(fake_hub *h, const char *root);

typedef enum fake_host { FAKE_ANY, FAKE_HUB, FAKE_FILES } fake_host;

/* Something that goes wrong. The first rule that fits and is not used up is taken. */
typedef struct fake_rule {
    fake_host host;
    const char *method;      /* NULL = any */
    const char *match;       /* must stand in the target; NULL = any */
    int skip;                /* so many fitting requests pass first */
    int times;               /* then so many are hit; 0 = for ever */
    /* Instead of the ordinary answer: */
    int status;              /* 0 = the ordinary answer with the faults below */
    const char *headers;     /* "Name: value\r\n..." */
    const char *body;
    /* The ordinary answer, but: */
    size_t cut_after;        /* the connection breaks after so many bytes of the body */
    size_t flip_at;          /* this byte (from 1) of the body is wrong */
    size_t stall_after;      /* silence after so many bytes */
    int length_delta;        /* Content-Length is off by so much */
    int range_delta;         /* a 206 begins so many bytes later than asked */
    bool ignore_range;       /* 200 and everything */
    bool no_length;          /* chunked */
    bool no_commit;          /* without X-Repo-Commit */
    unsigned trickle_ms;     /* a pause before each piece */
    size_t trickle_bytes;    /* of a piece; 0 = 1024 */
    const char *location;    /* of redirects to the other host: the beginning is replaced by this */
    const char *extra;       /* header lines added */
} fake_rule;

void fake_hub_rule(fake_hub *h, const fake_rule *r);
void fake_hub_no_rules(fake_hub *h);

/* What was asked. */
typedef struct fake_request {
    fake_host host;
    char method[8], target[2048], authorization[128], range[64], accept_encoding[64], if_range[128];
    uint64_t sent;           /* bytes of the body */
    int status;
    bool proxied;            /* the target was a whole address */
} fake_request;

/* Requests since the last fake_hub_forget that fit (NULL and FAKE_ANY fit all). */
int fake_hub_count(fake_hub *h, fake_host host, const char *method, const char *match);
/* Copies the index-th fitting one; false past the end. */
bool fake_hub_request(fake_hub *h, fake_host host, const char *match, int index, fake_request *ret);
/* Bytes of bodies sent to fitting requests, also of those that broke off. */
uint64_t fake_hub_sent(fake_hub *h, fake_host host, const char *match);
int fake_hub_connections(fake_hub *h); /* accepted since the start */
void fake_hub_forget(fake_hub *h);

#endif
