/* noise.c - random numbers: "cpu.SEED.SHAPE" and "cuda_philox.SEED.SHAPE" are the first values of one draw of that
 * shape; "cpu.SEED.two_draws.N" is two draws of N in a row, "cpu.SEED.two_draws.A_then_B" one of A and one of B. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/rng.h"
#include "oracle/replay.h"

/* Draws of at most this many values; the reference's are far smaller. */
#define DRAW_MAX ((size_t)1 << 26)

typedef struct draws {
    sdw_rng_kind kind;
    uint64_t seed;
    size_t count[2]; /* values of each draw; the second may be 0 */
} draws;

static bool read_number(const char **at, size_t *ret)
{
    char *end;
    if (**at < '0' || **at > '9') return false;
    *ret = (size_t)strtoull(*at, &end, 10);
    *at = end;
    return *ret <= DRAW_MAX;
}

/* "1x4x16x16": the product. */
static bool read_shape(const char *text, size_t *ret)
{
    size_t product = 1, side;
    while (read_number(&text, &side)) {
        if (!sdw_size_mul(product, side, &product) || product > DRAW_MAX) return false;
        if (*text == '\0') {
            *ret = product;
            return true;
        }
        if (*text++ != 'x') return false;
    }
    return false;
}

static bool read_two(const char *text, size_t count[2])
{
    if (!read_number(&text, &count[0])) return false;
    if (!*text) {
        count[1] = count[0];
        return true;
    }
    if (strncmp(text, "_then_", 6) != 0) return false;
    text += 6;
    return read_number(&text, &count[1]) && !*text;
}

static bool read_name(const char *name, draws *ret)
{
    static const struct { const char *prefix; sdw_rng_kind kind; } kinds[] = { { "cpu.", SDW_RNG_TORCH_CPU },
                                                                               { "cuda_philox.", SDW_RNG_TORCH_CUDA } };
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(kinds[i].prefix);
        if (strncmp(name, kinds[i].prefix, n) != 0) continue;
        char *end;
        *ret = (draws){ .kind = kinds[i].kind, .seed = strtoull(name + n, &end, 10) };
        if (*end++ != '.') return false;
        return strncmp(end, "two_draws.", 10) ? read_shape(end, &ret->count[0]) : read_two(end + 10, ret->count);
    }
    return false;
}

static void replay(sdw_replay *r, const char *name, const draws *d)
{
    sdw_vector want;
    sdw_rng rng;
    if (!sdw_replay_load(r, &want, "%s", name)) return;
    float *values = sdw_malloc((d->count[0] + d->count[1]) * sizeof *values);
    size_t count = d->count[0] + d->count[1];
    if (values) {
        sdw_rng_init(&rng, d->kind, d->seed);
        sdw_rng_normal(&rng, values, d->count[0]);
        if (d->count[1]) sdw_rng_normal(&rng, values + d->count[0], d->count[1]);
        if (count > want.count && want.count == 4096) count = want.count; /* the file keeps the first 4096 of a draw */
        const sdw_tolerance near = { SDW_MEASURE_ABSOLUTE, d->kind == SDW_RNG_TORCH_CPU ? 2e-6 : 4e-6 };
        sdw_replay_compare_with(r, values, count, &want, near, name);
    } else {
        sdw_replay_tell(r, SDW_ORACLE_FAILED, name, "no memory to draw");
    }
    sdw_free(values);
    sdw_vector_finish(&want);
}

sdw_status sdw_replay_noise(sdw_replay *r, const char *path, sdw_error *err)
{
    sdw_status s = sdw_checkpoint_open(path, &r->golden, err);
    if (s != SDW_OK) return s;
    for (size_t i = 0; i < sdw_checkpoint_count(r->golden); i++) {
        const char *name = sdw_checkpoint_at(r->golden, i)->name;
        draws d;
        if (r->options->only && !strstr(name, r->options->only)) continue;
        if (read_name(name, &d)) replay(r, name, &d);
        else sdw_replay_tell(r, SDW_ORACLE_FAILED, name, "not replayed: no rule for this name");
    }
    sdw_checkpoint_close(r->golden);
    r->golden = NULL;
    return SDW_OK;
}
