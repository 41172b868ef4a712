/* narrow_rows.h - entries of a narrow arithmetic that look up their code by the number of rows: 1 to 14, each a constant to the
 * compiler, so that loops over rows unroll and sums stay in registers.
 *
 * The includer defines before: NARROW_TILE, NARROW_SCORES and NARROW_OUTER, the names of inline functions (rows, arguments of the
 * entry), for tiles of 32 columns. It gets enter_rows, which puts them into a table (narrow.h). Nothing without them. */
#ifndef SDW_CPU_NARROW_ROWS_H
#define SDW_CPU_NARROW_ROWS_H

#ifdef NARROW_TILE

#include "cpu/narrow.h"

#define NARROW_EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)

#define NARROW_DEFINE(n)                                     \
    static void tile_##n(const sdw_cpu_narrow_tile *t)       \
    {                                                        \
        NARROW_TILE(n, t);                                   \
    }                                                        \
    static void scores_##n(const sdw_cpu_narrow_scores *s)   \
    {                                                        \
        NARROW_SCORES(n, s);                                 \
    }                                                        \
    static void outer_##n(const sdw_cpu_narrow_outer *o)     \
    {                                                        \
        NARROW_OUTER(n, o);                                  \
    }
NARROW_EACH_ROWS(NARROW_DEFINE)
#undef NARROW_DEFINE

#define NARROW_ENTRY(what)                                                                            \
    static void any_##what(const sdw_cpu_narrow_##what *args)                                         \
    {                                                                                                 \
        static sdw_cpu_narrow_##what##_fn *const by_rows[] = { NULL, NARROW_EACH_ROWS(NARROW_ENTER_##what) }; \
        by_rows[args->rows](args);                                                                    \
    }
#define NARROW_ENTER_tile(n) tile_##n,
#define NARROW_ENTER_scores(n) scores_##n,
#define NARROW_ENTER_outer(n) outer_##n,
NARROW_ENTRY(tile)
NARROW_ENTRY(scores)
NARROW_ENTRY(outer)
#undef NARROW_ENTER_tile
#undef NARROW_ENTER_scores
#undef NARROW_ENTER_outer
#undef NARROW_ENTRY

static void enter_rows(sdw_cpu_narrow *n)
{
    n->nr = 32;
    n->mr = 14;
    n->tile = any_tile;
    n->scores = any_scores;
    n->outer = any_outer;
    n->step_unit = n->group;
}

#endif
#endif
