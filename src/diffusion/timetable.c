/* timetable.c - from a spacing and a schedule to the list of model calls.
 *
 * Details that have caused wrong pictures elsewhere: rounding is half to even everywhere; "leading" divides in whole
 * numbers, "trailing" in fractions; the solvers lay out n + 1 points and drop the last; sigmas are rounded to f32
 * after, not before, the schedule has seen them. Trailing has exactly n points: in the reference, 62 of the numbers up
 * to 1000 (61 is the first) get one more, at timestep -1, because n * (1000 / n) is above 1000 in doubles. */
#include "diffusion/timetable.h"

#include <math.h>
#include <string.h>

#include "core/mem.h"
#include "diffusion/ancestral.h"

static double f32(double x)
{
    return (double)(float)x;
}

/* Point i of `points` even ones from `last` down to 0. numpy's linspace counts upwards from 0. */
static double linspace_down(double last, int points, int i)
{
    int up = points - 1 - i;
    if (points == 1) return 0;
    return up == points - 1 ? last : up * (last / (points - 1));
}

static void spaced(const sdw_sampler_run *r, const sdw_timetable_spec *spec, double *ret)
{
    int count = r->levels->count, n = r->n;
    bool solver = r->sampler->timetable == SDW_TIMETABLE_SOLVER, sigma = r->sampler->timetable == SDW_TIMETABLE_SIGMA;
    int points = solver ? n + 1 : n;
    double stride = (double)count / n;
    double delta = (count - stride) - count; /* as numpy's arange: ties of rint depend on its last bit */
    for (int i = 0; i < n; i++) {
        double t;
        switch (spec->spacing) {
        case SDW_SPACING_LEADING: t = (double)(points - 1 - i) * (count / points) + spec->steps_offset; break;
        case SDW_SPACING_TRAILING: t = rint(count + i * delta) - 1; break;
        default: t = linspace_down(count - 1, points, i); t = sigma ? f32(t) : rint(t);
        }
        ret[i] = t;
    }
}

/* Luo et al. 2023: n of the `original` timesteps k - 1, 2k - 1, ..., the noisiest first. */
static sdw_status distilled(const sdw_sampler_run *r, const sdw_timetable_spec *spec, double *ret, sdw_error *err)
{
    int original = spec->original_steps, count = r->levels->count;
    if (original < 1 || original > count)
        return sdw_fail(err, SDW_INVALID, "scheduler config: original_inference_steps %d, want 1..%d", original, count);
    if (r->n > original)
        return sdw_fail_field(err, SDW_INVALID, "steps", "steps %d: %s was distilled on %d timesteps, want 1..%d", r->n,
                              r->sampler->name, original, original);
    for (int i = 0; i < r->n; i++)
        ret[i] = (double)(original - (int)floor(i * ((double)original / r->n))) * (count / original) - 1;
    return SDW_OK;
}

/* Timesteps of a schedule's sigmas. The solvers ask the model at whole timesteps only. */
static void timesteps_of_sigmas(sdw_sampler_run *r, const sdw_timetable_spec *spec, const double *sigmas)
{
    bool solver = r->sampler->timetable == SDW_TIMETABLE_SOLVER;
    for (int i = 0; i < r->n; i++) {
        double t = sdw_levels_timestep(r->levels, sigmas[i]);
        if (spec->round_karras && !strcmp(spec->schedule->name, "karras")) t = rint(t);
        r->timesteps[i] = solver ? trunc(t) : t;
    }
}

/* n sigmas, then the final one, into r->sigmas; n timesteps into r->timesteps. */
static void sigma_table(sdw_sampler_run *r, const sdw_timetable_spec *spec)
{
    const sdw_levels *l = r->levels;
    const sdw_schedule *schedule = spec->schedule;
    double *s = r->sigmas;
    int n = r->n;
    double last = l->sigma[0];
    if (schedule->timesteps) {
        schedule->timesteps(l, n, r->timesteps);
        for (int i = 0; i < n; i++) s[i] = sdw_levels_sigma_log(l, r->timesteps[i]);
    } else {
        spaced(r, spec, r->timesteps);
        for (int i = 0; i < n; i++) s[i] = sdw_levels_sigma(l, r->timesteps[i]);
    }
    if (schedule->sigmas) {
        bool whole = r->sampler->timetable == SDW_TIMETABLE_SOLVER; /* these use the whole table's ends */
        double max = whole ? l->sigma[l->count - 1] : s[0], min = whole ? l->sigma[0] : s[n - 1];
        if (spec->sigma_max > 0) max = spec->sigma_max;
        if (spec->sigma_min > 0) min = spec->sigma_min;
        schedule->sigmas(max, min, n, s);
        timesteps_of_sigmas(r, spec, s);
        if (r->sampler->flags & SDW_SAMPLER_FINAL_MIN) last = s[n - 1];
    }
    s[n] = spec->final_min ? last : 0;
    for (int i = 0; i <= n; i++) s[i] = f32(s[i]);
    for (int i = 0; i < n; i++) r->timesteps[i] = f32(r->timesteps[i]);
}

/* Spreads n + 1 sigmas s0 s1 ... 0 and n timesteps over the 2n - 1 calls of a two-stage sampler, in place, from the
 * back: Heun asks at s0, s1 s1, s2 s2, ...; DPM2 at s0, m0 s1, m1 s2, ... with a midpoint m between each pair, and its
 * table in the reference keeps one zero more on each side of the end. */
static void spread(sdw_sampler_run *r)
{
    int n = r->n;
    for (int i = n - 1; i > 0; i--) {
        r->timesteps[2 * i] = r->timesteps[2 * i - 1] = r->timesteps[i];
        r->sigmas[2 * i] = r->sigmas[2 * i - 1] = r->sigmas[i];
    }
    for (int i = 2 * n - 1; i < r->sigma_count; i++) r->sigmas[i] = 0;
}

/* The second call of DPM2's step lies at the geometric mean of the step's ends; the ancestral one steps to sigma_down
 * instead. Below the end of the table (the last step) there is no second call. */
static void midpoints(sdw_sampler_run *r)
{
    bool ancestral = r->sampler->flags & SDW_SAMPLER_DRAWS;
    for (int i = 0; i < r->calls; i++) r->call_sigmas[i] = r->sigmas[i];
    for (int i = 1; i < r->calls; i += 2) {
        double from = r->sigmas[i - 1], to = r->sigmas[i];
        if (ancestral) to = sdw_ancestral_down(from, to);
        r->call_sigmas[i] = f32(sqrt(from * to));
        r->timesteps[i] = f32(sdw_levels_timestep(r->levels, r->call_sigmas[i]));
    }
}

static sdw_status allocate(sdw_sampler_run *r, bool sigmas, bool middle, sdw_error *err)
{
    size_t most = 2 * (size_t)r->n + 2;
    r->timesteps = sdw_calloc(most, sizeof(double));
    if (sigmas) r->sigmas = sdw_calloc(most, sizeof(double));
    if (middle) r->call_sigmas = sdw_calloc(most, sizeof(double));
    if (!r->timesteps || (sigmas && !r->sigmas) || (middle && !r->call_sigmas))
        return sdw_fail_memory(err, "timetable", 3 * most * sizeof(double));
    return SDW_OK;
}

static void whole_table(sdw_sampler_run *r, const sdw_timetable_spec *spec)
{
    int n = r->n, last = r->levels->count - 1;
    r->even_spacing = !spec->schedule->timesteps;
    if (spec->schedule->timesteps) spec->schedule->timesteps(r->levels, n, r->timesteps);
    else spaced(r, spec, r->timesteps);
    for (int i = 0; i < n; i++) r->timesteps[i] = fmin(fmax(rint(r->timesteps[i]), 0), last);
    if (!(r->sampler->flags & SDW_SAMPLER_REPEATS) || n < 2) return;
    memmove(r->timesteps + 2, r->timesteps + 1, (size_t)(n - 1) * sizeof(double));
    r->calls = n + 1;
}

sdw_status sdw_timetable_fill(sdw_sampler_run *r, const sdw_timetable_spec *spec, sdw_error *err)
{
    sdw_timetable kind = r->sampler->timetable;
    bool sigmas = kind == SDW_TIMETABLE_SIGMA || kind == SDW_TIMETABLE_SOLVER;
    bool two = r->sampler->flags & SDW_SAMPLER_TWO_CALLS;
    bool middle = r->sampler->flags & SDW_SAMPLER_MIDPOINT;
    int most = r->levels->count;
    if (kind == SDW_TIMETABLE_SOLVER && spec->spacing == SDW_SPACING_LEADING) most--; /* lays out n + 1 points */
    if (r->n < 1 || r->n > most)
        return sdw_fail_field(err, SDW_INVALID, "steps", "steps %d: want 1..%d", r->n, most);
    sdw_status status = allocate(r, sigmas, middle, err);
    if (status != SDW_OK) return status;
    r->calls = two ? 2 * r->n - 1 : r->n;
    if (kind == SDW_TIMETABLE_DISTILLED) return distilled(r, spec, r->timesteps, err);
    if (kind == SDW_TIMETABLE_WHOLE) {
        whole_table(r, spec);
        return SDW_OK;
    }
    r->sigma_count = middle ? 2 * r->n + 2 : r->calls + 1;
    sigma_table(r, spec);
    if (two) spread(r);
    if (middle) midpoints(r);
    return SDW_OK;
}
