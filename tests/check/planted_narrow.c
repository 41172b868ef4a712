/* planted_narrow.c - entries of a narrow arithmetic with one mistake each; they lean on the right ones that they stand over. */
#include <string.h>

#include "check_narrow.h"

static sdw_cpu_narrow right; /* what the last planted_narrow_bug was put over */

/* The call with runs that may be changed. */
static sdw_cpu_narrow_tile with_runs(const sdw_cpu_narrow_tile *t, sdw_cpu_narrow_run *run)
{
    sdw_cpu_narrow_tile other = *t;
    memcpy(run, t->run, (size_t)t->count * sizeof *run);
    other.run = run;
    return other;
}

static void tile_misses_a_granule(const sdw_cpu_narrow_tile *t)
{
    sdw_cpu_narrow_run run[SDW_CPU_NARROW_RUNS_MAX];
    sdw_cpu_narrow_tile fewer = with_runs(t, run);
    if (fewer.count == 1 && run[0].steps > SDW_CPU_NARROW_GRANULE) run[0].steps -= SDW_CPU_NARROW_GRANULE / right.size;
    right.tile(&fewer);
}

static void tile_takes_every_run_from_its_first_row(const sdw_cpu_narrow_tile *t)
{
    sdw_cpu_narrow_run run[SDW_CPU_NARROW_RUNS_MAX];
    sdw_cpu_narrow_tile other = with_runs(t, run);
    for (int i = 1; i < other.count; i++) run[i].row = run[0].row;
    right.tile(&other);
}

static void tile_reads_the_panel_straight_through(const sdw_cpu_narrow_tile *t)
{
    sdw_cpu_narrow_run run[SDW_CPU_NARROW_RUNS_MAX];
    sdw_cpu_narrow_tile other = with_runs(t, run);
    for (int i = 1; i < other.count; i++) run[i].at = run[i - 1].at + right.nr * ((right.scaled ? 4 : 0) + run[i - 1].steps * right.size);
    right.tile(&other);
}

static void tile_forgets_to_add(const sdw_cpu_narrow_tile *t)
{
    sdw_cpu_narrow_tile other = *t;
    other.add = false;
    right.tile(&other);
}

static void tile_stores_too_far(const sdw_cpu_narrow_tile *t)
{
    right.tile(t);
    t->c[t->rows * right.nr] = 0;
}

static void tile_swaps_the_last_rows(const sdw_cpu_narrow_tile *t)
{
    float row[32];
    right.tile(t);
    if (t->rows < 18) return;
    memcpy(row, t->c + 16 * right.nr, sizeof row);
    memcpy(t->c + 16 * right.nr, t->c + 17 * right.nr, sizeof row);
    memcpy(t->c + 17 * right.nr, row, sizeof row);
}

static void tile_is_off_by_a_step(const sdw_cpu_narrow_tile *t)
{
    sdw_cpu_narrow_tile other = *t;
    other.a = (const char *)t->a + right.size * right.group;
    right.tile(&other);
}

static void outer_ignores_alpha(const sdw_cpu_narrow_outer *o)
{
    float ones[32];
    sdw_cpu_narrow_outer other = *o;
    for (int j = 0; j < 32; j++) ones[j] = 1;
    other.alpha = ones;
    right.outer(&other);
}

static void outer_misses_the_last_steps(const sdw_cpu_narrow_outer *o)
{
    sdw_cpu_narrow_outer other = *o;
    if (other.steps > right.step_unit) other.steps -= right.step_unit;
    right.outer(&other);
}

static void row_leaves_the_padding(void *dst, sdw_cpu_narrow_scale *scale, const float *src, int n, int padded)
{
    right.row(dst, scale, src, n, padded);
    if (padded > n) memset((char *)dst + (padded - 1) * right.size, 0x41, (size_t)right.size);
}

static void row_swallows_what_is_no_number(void *dst, sdw_cpu_narrow_scale *scale, const float *src, int n, int padded)
{
    float clean[2048];
    for (int i = 0; i < n; i++) clean[i] = src[i] == src[i] ? src[i] : 0;
    right.row(dst, scale, clean, n, padded);
}

static void signed_row_is_one_short(void *dst, sdw_cpu_narrow_sign *sign, const float *src, int n, int padded)
{
    right.signed_row(dst, sign, src, n > 1 ? n - 1 : n, padded);
}

static void columns_forget_the_last_value(void *panel, float *by, const float *src, int dim, int steps)
{
    right.columns(panel, by, src, dim > 1 ? dim - 1 : dim, steps);
}

static void scores_forget_the_largest(const sdw_cpu_narrow_scores *s)
{
    float most[32];
    sdw_cpu_narrow_scores other = *s;
    memcpy(most, s->most, (size_t)right.nr * sizeof *most);
    other.most = most;
    right.scores(&other);
}

static void scores_take_a_neighbour_for_the_last_row(const sdw_cpu_narrow_scores *s)
{
    sdw_cpu_narrow_scores other = *s;
    right.scores(s);
    if (s->rows < 2) return;
    other.a = (const char *)s->a + s->stride;
    other.rows = 1;
    other.c = s->c + (s->rows - 1) * right.nr;
    right.scores(&other);
}

static void softmax_forgets_what_was(const sdw_cpu_narrow_softmax *x)
{
    memset(x->sum, 0, (size_t)right.nr * sizeof *x->sum);
    right.softmax(x);
}

static void softmax_misses_the_last_key(const sdw_cpu_narrow_softmax *x)
{
    sdw_cpu_narrow_softmax other = *x;
    other.keys--;
    right.softmax(&other);
}

static void softmax_swaps_neighbours(const sdw_cpu_narrow_softmax *x)
{
    char kept[8];
    right.softmax(x);
    size_t bytes = (size_t)(right.size * right.group);
    memcpy(kept, x->p, bytes);
    memcpy(x->p, (char *)x->p + bytes, bytes);
    memcpy((char *)x->p + bytes, kept, bytes);
}

#define BUGS(X)                                        \
    X(tile_misses_a_granule, tile)                     \
    X(tile_takes_every_run_from_its_first_row, tile)   \
    X(tile_reads_the_panel_straight_through, tile)     \
    X(tile_forgets_to_add, tile)                       \
    X(tile_stores_too_far, tile)                       \
    X(tile_is_off_by_a_step, tile)                     \
    X(outer_ignores_alpha, outer)                      \
    X(outer_misses_the_last_steps, outer)              \
    X(row_leaves_the_padding, row)                     \
    X(row_swallows_what_is_no_number, row)             \
    X(signed_row_is_one_short, signed_row)             \
    X(columns_forget_the_last_value, columns)          \
    X(scores_forget_the_largest, scores)               \
    X(scores_take_a_neighbour_for_the_last_row, scores) \
    X(softmax_forgets_what_was, softmax)               \
    X(softmax_misses_the_last_key, softmax)            \
    X(softmax_swaps_neighbours, softmax)

const char *planted_narrow_bug(sdw_cpu_narrow *n, int index)
{
    int i = 0;
    right = *n;
#define PLANT(name, entry)         \
    if (i++ == index) {            \
        n->entry = name;           \
        return #name;              \
    }
    BUGS(PLANT)
#undef PLANT
    if (n->mr >= 18 && i == index) { /* a table with a second group of rows */
        n->tile = tile_swaps_the_last_rows;
        return "tile_swaps_the_last_rows";
    }
    return NULL;
}
