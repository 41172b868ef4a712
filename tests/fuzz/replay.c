/* replay.c - runs a fuzz target without libFuzzer: every file of its corpus, then each of them cut short and with
 * single bytes changed, always the same ones. A target that crashes, hangs or trips a sanitizer ends the program; a
 * corpus that is missing or empty fails, because then nothing was tested.
 *
 * usage: fuzz_NAME CORPUS_FOLDER|FILE... */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_BYTES_MAX (4u << 20) /* corpus files are small; a larger one is there by mistake */
#define CUTS 24
#define CHANGES 48

static size_t runs;

/* The input lies in a block of exactly its size, so that a sanitizer sees the first byte read past it. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy) {
        fprintf(stderr, "replay: no memory for %zu bytes\n", size);
        exit(2);
    }
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    runs++;
}

/* Numerical Recipes' linear congruential generator: only has to be the same everywhere. */
static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void feed_damaged(uint8_t *data, size_t size)
{
    uint32_t state = (uint32_t)size + 1;
    for (int i = 0; i < CUTS && size > 0; i++) feed(data, next(&state) % size);
    for (int i = 0; i < CHANGES && size > 0; i++) {
        size_t at = next(&state) % size;
        uint8_t kept = data[at];
        data[at] = i % 3 == 0 ? 0xff : i % 3 == 1 ? (uint8_t)(kept ^ (1u << next(&state) % 8)) : (uint8_t)next(&state);
        feed(data, size);
        data[at] = kept;
    }
}

static int feed_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_BYTES_MAX + 1);
    size_t size = file && data ? fread(data, 1, INPUT_BYTES_MAX + 1, file) : 0;
    int bad = !file || !data || ferror(file) || size > INPUT_BYTES_MAX;
    if (bad) {
        fprintf(stderr, "replay: cannot read %s, or it is over %u bytes\n", path, INPUT_BYTES_MAX);
    } else {
        printf("%s (%zu bytes)\n", path, size);
        fflush(stdout); /* the last line names the input that crashed */
        feed(data, size);
        feed_damaged(data, size);
    }
    if (file) fclose(file);
    free(data);
    return bad;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In the order of their names: readdir's order differs between machines. */
static int feed_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) {
        fprintf(stderr, "replay: cannot open corpus %s\n", path);
        return 1;
    }
    char **names = NULL;
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        char **grown = realloc(names, (count + 1) * sizeof *names);
        char *name = strdup(entry->d_name);
        if (!grown || !name) exit(2);
        names = grown;
        names[count++] = name;
    }
    closedir(folder);
    if (count) qsort(names, count, sizeof *names, compare_names);
    int bad = 0;
    for (size_t i = 0; i < count; i++) {
        char file[PATH_MAX];
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        bad |= feed_file(file);
        free(names[i]);
    }
    free(names);
    return bad;
}

int main(int argc, char **argv)
{
    int bad = 0;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        int is_folder = stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode);
        bad |= is_folder ? feed_folder(argv[i]) : feed_file(argv[i]);
    }
    printf("%zu inputs\n", runs);
    if (!runs) fprintf(stderr, "replay: the corpus is empty: nothing was tested\n");
    return bad || !runs;
}
