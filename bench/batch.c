/* batch.c - what sharing a model evaluation gains: seconds per picture and step for 1, 2, 4 and 8 pictures together.
 *
 *     bench_batch MODEL [SIDE]
 *
 * Median of 7 evaluations each after one to warm up, in wall and in processor time; guidance on, so a picture is two rows. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "engine/batch.h"
#include "engine/inside.h"

enum { ROUNDS = 7, WIDEST = 8 };

static double processor_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void need(sdw_status status, const sdw_error *err)
{
    if (status == SDW_OK) return;
    fprintf(stderr, "bench_batch: %s\n", err->text);
    exit(1);
}

static void row(sdw_engine *e, int side, int pictures)
{
    sdw_params p, resolved;
    sdw_job *job;
    sdw_error err = { 0 };
    sdw_batch_turn turns[WIDEST];
    double wall[ROUNDS], processor[ROUNDS];
    bool done = false;
    sdw_params_init(&p);
    p.prompt = "a lighthouse at dawn";
    p.width = p.height = side;
    p.steps = ROUNDS + 4;
    p.count = pictures;
    p.seed = 1;
    p.has_seed = 1;
    p.guidance = 7.5;
    p.sampler = "euler";
    need(sdw_params_resolve(e, &p, &resolved, &err), &err);
    need(sdw_job_create(e, &resolved, &(sdw_job_hooks){ .together = true }, &job, &err), &err);
    while (sdw_job_lane_evaluations(job, 0) < 0) need(sdw_job_advance(job, &done, &err), &err);
    for (int i = -1; i < ROUNDS; i++) {
        for (int k = 0; k < pictures; k++) turns[k] = (sdw_batch_turn){ .job = job, .lane = k };
        double w = sdw_clock_monotonic_s(), c = processor_s();
        need(sdw_batch_step(e, turns, pictures, &err), &err);
        if (i < 0) continue;
        wall[i] = sdw_clock_monotonic_s() - w;
        processor[i] = processor_s() - c;
    }
    qsort(wall, ROUNDS, sizeof *wall, rising);
    qsort(processor, ROUNDS, sizeof *processor, rising);
    printf("%4d %12.2f %12.2f %14.2f\n", pictures, 1e3 * wall[ROUNDS / 2], 1e3 * wall[ROUNDS / 2] / pictures, 1e3 * processor[ROUNDS / 2] / pictures);
    sdw_job_free(job);
}

int main(int argc, char **argv)
{
    sdw_engine *e;
    sdw_error err = { 0 };
    if (argc < 2) {
        fprintf(stderr, "usage: bench_batch MODEL [SIDE]\n");
        return 2;
    }
    need(sdw_engine_open(&(sdw_engine_options){ .model = argv[1] }, &e, &err), &err);
    int side = argc > 2 ? atoi(argv[2]) : sdw_engine_info(e)->default_width;
    printf("%s, %d x %d, %s\npictures  ms a step  ms a picture  processor ms a picture\n", argv[1], side, side, sdw_engine_info(e)->backend);
    for (int pictures = 1; pictures <= WIDEST; pictures *= 2) row(e, side, pictures);
    sdw_engine_close(e);
    return 0;
}
