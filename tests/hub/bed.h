/* bed.h - what the tests of this folder share: a fake hub with a small model, an empty cache, hooks that keep what they
 * are told and never sleep. */
#ifndef HUB_TESTS_BED_H
#define HUB_TESTS_BED_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_hub.h"
#include "hub/pull.h"

#define BED_WAITS_MAX 256

typedef struct bed {
    fake_hub *hub;
    fake_repo *repo;              /* org/model */
    char folder[256], cache[512]; /* the cache is folder/cache and does not exist at first */
    const char *variables[32];    /* "NAME=value"; the environment that settings are read from */
    sdw_hub_settings settings;
    sdw_hub_hooks hooks;
    pthread_mutex_t mutex;        /* guards what the hooks keep */
    char said[16384];             /* notes and warnings, a line each */
    unsigned waits[BED_WAITS_MAX];
    int wait_count;
    sdw_hub_progress progress;    /* the last one */
    int progress_count;
    uint64_t cancel_at;           /* bytes_done from which `cancelled` answers true; 0 = never */
    bool really_wait;
    char path[SDW_HUB_PATH_MAX];  /* of the last pull */
    sdw_hub_kind kind;
    sdw_error err;
} bed;

/* Sizes of the weights of org/model. */
#define BED_UNET ((size_t)300000)
#define BED_VAE ((size_t)50000)
#define BED_TEXT ((size_t)70000)
#define BED_UNET_PATH "unet/diffusion_pytorch_model.safetensors"

void bed_open(bed *b, const fake_hub_options *o);
void bed_close(bed *b);
/* Reads the settings again, with one more variable. */
void bed_set(bed *b, const char *variable);
/* Removes the cache. */
void bed_clear(bed *b);
/* Adds the files of a pipeline to a repository. */
void bed_add_model(fake_repo *r, size_t unet_bytes);

sdw_status bed_pull(bed *b); /* org/model@main */
sdw_status bed_pull_wish(bed *b, const sdw_hub_wish *w);
/* Pulls and fails the test if that fails; the model must be whole and every blob must have its hash. */
void bed_pull_well(bed *b);
/* Pulls; must fail with that status and words. */
void bed_refuse(bed *b, const sdw_hub_wish *w, sdw_status status, const char *words);
/* All blobs of org/model have the hash that is their name; returns how many. */
int bed_check_blobs(const bed *b);
/* Path of a thing in the cache, in one of a few static buffers. */
const char *bed_place(const bed *b, sdw_hub_place place, const char *name);
bool bed_exists(const char *path);
size_t bed_size(const char *path);
/* Writes the first `bytes` of the repository's file (or, with `junk`, other bytes) as its partial file. */
void bed_partial(const bed *b, const char *file, size_t bytes, bool junk);
/* Everything in the cache with sizes and times of change, as text: two of them are equal if nothing was written. */
char *bed_state(const bed *b);
/* The nth GET of that file on the host of large files. */
bool bed_file_request(bed *b, const char *file, int n, fake_request *ret);
int bed_gets(bed *b, const char *file);

#endif
