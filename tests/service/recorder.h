/* recorder.h - a server that writes down every request that it gets and answers what it was told to. */
#ifndef TESTS_SERVICE_RECORDER_H
#define TESTS_SERVICE_RECORDER_H

#include <pthread.h>

enum { RECORDED_MAX = 16 };

typedef struct recorder {
    int fd, port;
    const char *answer;             /* whole, with head; must not change while it runs */
    pthread_t thread;
    pthread_mutex_t mutex;          /* guards the rest */
    char *request[RECORDED_MAX];    /* head and body; owned */
    double at[RECORDED_MAX];        /* now_s() */
    int count;
} recorder;

void recorder_start(recorder *r, const char *answer);
/* Waits until there are so many; the request with that number (1 = first), or NULL after timeout_s. */
const char *recorder_wait(recorder *r, int number, double timeout_s);
int recorder_count(recorder *r);
void recorder_stop(recorder *r);

#endif
