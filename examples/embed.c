/* embed.c - libsdw in a program of one's own: a prompt becomes picture.ppm, with a line of progress.
 *
 *     cc embed.c $(pkg-config --cflags --libs sdw) -o embed
 *     ./embed demo/model "a flat smiling face on a purple background" */
#include <stdio.h>
#include <stdlib.h>

#include "sdw/sdw.h"

static void warn(void *ctx, const char *sentence)
{
    (void)ctx;
    fprintf(stderr, "warning: %s\n", sentence);
}

/* Runs between two pieces of work; returning false would cancel. */
static bool show(void *ctx, const sdw_progress *p)
{
    (void)ctx;
    if (p->phase == SDW_PHASE_STEP || p->phase == SDW_PHASE_DECODE) fprintf(stderr, "\rstep %d of %d", p->step, p->steps);
    if (p->phase == SDW_PHASE_DONE) fputc('\n', stderr);
    return true;
}

static int save(const sdw_picture *picture, const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file) return -1;
    size_t size = (size_t)picture->width * (size_t)picture->height * (size_t)picture->channels;
    fprintf(file, "P6\n%d %d\n255\n", picture->width, picture->height);
    size_t written = fwrite(picture->pixels, 1, size, file);
    return fclose(file) || written != size ? -1 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s MODEL PROMPT [STEPS [SEED]]\n", argv[0]);
        return 2;
    }
    sdw_engine *engine = NULL;
    sdw_result *result = NULL;
    sdw_error error = { 0 };
    sdw_engine_options options = { .model = argv[1], .warn = warn };
    sdw_params request;

    sdw_params_init(&request);
    request.prompt = argv[2];
    request.steps = argc > 3 ? atoi(argv[3]) : 0; /* 0: the model's */
    if (argc > 4) {
        request.seed = strtoull(argv[4], NULL, 10);
        request.has_seed = 1;
    }
    sdw_status status = sdw_engine_open(&options, &engine, &error);
    if (status == SDW_OK) status = sdw_generate(engine, &request, show, NULL, &result, &error);
    if (status != SDW_OK) {
        fprintf(stderr, "error: %s\n", error.text);
    } else if (save(&result->images[0], "picture.ppm")) {
        perror("picture.ppm");
        status = SDW_IO;
    } else {
        printf("picture.ppm: %d x %d, seed %llu\n", result->images[0].width, result->images[0].height, (unsigned long long)result->seeds[0]);
    }
    sdw_result_free(result);
    sdw_engine_close(engine);
    return status == SDW_OK ? 0 : 1;
}
