/* precision.c - what a narrow arithmetic does to pictures: the same requests in f32 and in each precision named, compared.
 * Usage: bench_precision MODEL COUNT PRECISION... [--keep DIR]
 *
 * Prompts are those of the demo model's world (style, subject, background), 20 steps, guidance 4, a seed of their own. Per precision: the
 * peak signal-to-noise ratio in dB of every picture against f32, median, least, and the seconds of each. With --keep the pictures
 * of all are written as DIR/NUMBER-PRECISION.png and the prompts as DIR/prompts, for demo/eval/precision.py or for looking at. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "image/image.h"
#include "sdw/sdw.h"

enum { COUNT_MAX = 1000, STEPS = 20 };

static const char *const styles[] = { "3d", "flat", "classic" };
static const char *const subjects[] = { "red apple", "cat face", "rocket", "house", "turtle", "guitar", "sunflower", "robot", "birthday cake", "penguin",
                                        "castle", "octopus", "bicycle", "mushroom", "owl", "cactus", "sailboat" };
static const char *const colours[] = { "teal", "purple", "blue", "pink", "yellow", "orange", "white", "brown", "green", "red", "gray" };
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void fail(const sdw_error *err)
{
    fprintf(stderr, "bench: %s\n", err->text);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void prompt_of(int index, char *ret, size_t size)
{
    size_t i = (size_t)index;
    snprintf(ret, size, "%s %s on a %s background", styles[i % COUNT(styles)], subjects[i % COUNT(subjects)], colours[i % COUNT(colours)]);
}

static sdw_result *draw(sdw_engine *e, int index)
{
    char prompt[96];
    sdw_error err = { 0 };
    sdw_result *r = NULL;
    sdw_params p;
    prompt_of(index, prompt, sizeof prompt);
    sdw_params_init(&p);
    p.prompt = prompt;
    p.seed = 1000 + (uint64_t)index;
    p.has_seed = 1;
    p.steps = STEPS;
    p.guidance = 4;
    if (sdw_generate(e, &p, NULL, NULL, &r, &err) != SDW_OK) fail(&err);
    return r;
}

static FILE *create(const char *path)
{
    FILE *f = fopen(path, "wb");
    if (f) return f;
    fprintf(stderr, "bench: %s cannot be written\n", path);
    exit(1);
}

/* DIR/prompts: a line per picture, for the evaluation. */
static void keep_prompts(const char *dir, int count)
{
    char path[512], prompt[96];
    snprintf(path, sizeof path, "%s/prompts", dir);
    FILE *f = create(path);
    for (int i = 0; i < count; i++) {
        prompt_of(i, prompt, sizeof prompt);
        fprintf(f, "%s\n", prompt);
    }
    fclose(f);
}

static void keep(const char *dir, int index, const char *precision, const sdw_picture *p)
{
    char path[512];
    sdw_error err = { 0 };
    sdw_buf file;
    const sdw_image image = { p->width, p->height, p->channels, p->pixels };
    sdw_buf_init(&file, 0);
    snprintf(path, sizeof path, "%s/%d-%s.png", dir, index, precision);
    if (sdw_image_encode(&image, "png", &(sdw_image_encode_options){ 0 }, &file, &err) != SDW_OK) fail(&err);
    FILE *f = create(path);
    if (fwrite(file.data, 1, file.size, f) != file.size || fclose(f) != 0) {
        fprintf(stderr, "bench: %s cannot be written\n", path);
        exit(1);
    }
    sdw_buf_finish(&file);
}

static double psnr(const sdw_picture *a, const sdw_picture *b)
{
    double square = 0;
    size_t n = (size_t)a->width * (size_t)a->height * (size_t)a->channels;
    for (size_t i = 0; i < n; i++) square += ((double)a->pixels[i] - b->pixels[i]) * ((double)a->pixels[i] - b->pixels[i]);
    return square > 0 ? 10 * log10(255.0 * 255.0 * (double)n / square) : INFINITY;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static sdw_engine *open_engine(const char *model, const char *precision)
{
    sdw_error err = { 0 };
    sdw_engine *e = NULL;
    if (sdw_engine_open(&(sdw_engine_options){ .model = model, .precision = precision }, &e, &err) != SDW_OK) fail(&err);
    return e;
}

int main(int argc, char **argv)
{
    static double distance[COUNT_MAX];
    static sdw_result *want[COUNT_MAX];
    const char *dir = NULL;
    if (argc > 5 && strcmp(argv[argc - 2], "--keep") == 0) {
        dir = argv[argc - 1];
        argc -= 2;
    }
    int count = argc > 3 ? atoi(argv[2]) : 0;
    if (count < 1 || count > COUNT_MAX) {
        fprintf(stderr, "usage: bench_precision MODEL COUNT PRECISION... [--keep DIR]; COUNT is 1 to %d\n", COUNT_MAX);
        return 2;
    }
    if (dir) keep_prompts(dir, count);
    for (int p = 2; p < argc; p++) {
        const char *precision = p == 2 ? "f32" : argv[p];
        sdw_engine *e = open_engine(argv[1], precision);
        double start = now();
        for (int i = 0; i < count; i++) {
            sdw_result *r = draw(e, i);
            if (dir) keep(dir, i, precision, &r->images[0]);
            if (p == 2) want[i] = r;
            else {
                distance[i] = psnr(&r->images[0], &want[i]->images[0]);
                sdw_result_free(r);
            }
        }
        printf("%-5s %-40s %6.2f processor seconds a picture", precision, sdw_engine_info(e)->backend, (now() - start) / count);
        if (p > 2) {
            qsort(distance, (size_t)count, sizeof *distance, by_size);
            printf(", against f32: median %.1f dB, least %.1f, tenth %.1f", distance[count / 2], distance[0], distance[count / 10]);
        }
        putchar('\n');
        fflush(stdout);
        sdw_engine_close(e);
    }
    for (int i = 0; i < count; i++) sdw_result_free(want[i]);
    return 0;
}
