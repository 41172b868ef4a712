/* bench_report.c - see bench_report.h. Two runs are compared by ratio, time over (GFLOP over the peak of the same run): a machine
 * that is slower today changes both. */
#include "cli/bench_report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/mem.h"

enum { SLOWEST = 12, KINDS_MAX = 32 };

/* Highest resident memory of this process so far, in MiB; 0 where the system does not tell. */
static double peak_memory(void)
{
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    if (!f) return 0;
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, "VmHWM:", 6)) kib = strtod(line + 6, NULL);
    fclose(f);
    return kib / 1024;
}

/* ---- the earlier run ---- */

static yyjson_val *find_named(yyjson_val *list, const char *name, const char *kind, int occurrence)
{
    size_t i, count;
    yyjson_val *item;
    yyjson_arr_foreach(list, i, count, item) {
        bool same = yyjson_equals_str(yyjson_obj_get(item, "name"), name) && (!kind || yyjson_equals_str(yyjson_obj_get(item, "kind"), kind));
        if (same && occurrence-- == 0) return item;
    }
    return NULL;
}

static yyjson_val *earlier_stage(yyjson_doc *before, const char *name)
{
    return before ? find_named(yyjson_obj_get(yyjson_doc_get_root(before), "stages"), name, NULL, 0) : NULL;
}

/* The operation of the same name and kind, the n-th of them for the n-th here. */
static yyjson_val *earlier_op(yyjson_val *stage, const sdw_bench_stage *s, int index)
{
    int occurrence = 0;
    for (int i = 0; i < index; i++) occurrence += !strcmp(s->op[i].name, s->op[index].name) && !strcmp(s->op[i].kind, s->op[index].kind);
    return find_named(yyjson_obj_get(stage, "ops"), s->op[index].name, s->op[index].kind, occurrence);
}

static double number(yyjson_val *object, const char *key)
{
    return yyjson_get_num(yyjson_obj_get(object, key));
}

/* "0.97": the time now over that of the earlier run, each in units of its own peak. */
static void print_change(double now, double peak, double then, double peak_then)
{
    if (then > 0 && peak_then > 0) printf("  %6.2f", now * peak / (then * peak_then));
    else printf("  %6s", "-");
}

/* ---- table ---- */

typedef struct table {
    const sdw_bench_result *r;
    const sdw_bench_stage *stage;
    yyjson_val *before;  /* of the stage, or NULL */
    bool compare;
    double peak_before;
} table;

static void print_op(const table *t, int index)
{
    const sdw_bench_op *op = &t->stage->op[index];
    double rate = op->seconds > 0 ? op->gflop / op->seconds : 0, bytes = op->read + op->written;
    printf("  %-40.40s %-11s %9.3f ms %8.2f GFLOP %6.1f %% %9.2f %9.2f MB %6.1f GB/s", op->name, op->kind, op->seconds * 1e3, op->gflop,
           t->r->peak_gflops > 0 ? 100 * rate / t->r->peak_gflops : 0, op->read / 1e6, op->written / 1e6, op->seconds > 0 ? bytes / op->seconds / 1e9 : 0);
    if (t->compare) print_change(op->seconds, t->r->peak_gflops, number(earlier_op(t->before, t->stage, index), "seconds"), t->peak_before);
    putchar('\n');
}

static void print_op_heading(const table *t)
{
    printf("  %-40s %-11s %12s %14s %8s %9s %12s %11s%s\n", "operation", "kind", "time", "work", "of peak", "read", "written", "moved", t->compare ? "  change" : "");
}

static void print_slowest(const table *t)
{
    bool *shown = sdw_calloc((size_t)t->stage->op_count + 1, sizeof *shown);
    if (!shown) return;
    print_op_heading(t);
    for (int n = 0; n < SLOWEST && n < t->stage->op_count; n++) {
        int slowest = -1;
        for (int i = 0; i < t->stage->op_count; i++)
            if (!shown[i] && (slowest < 0 || t->stage->op[i].seconds > t->stage->op[slowest].seconds)) slowest = i;
        shown[slowest] = true;
        print_op(t, slowest);
    }
    sdw_free(shown);
}

/* Sums over the operations of one kind; a row named "all" last. */
static void print_kinds(const table *t)
{
    const char *kind[KINDS_MAX];
    int kinds = 0;
    for (int i = 0; i < t->stage->op_count; i++) {
        int k = 0;
        while (k < kinds && strcmp(kind[k], t->stage->op[i].kind)) k++;
        if (k == kinds && kinds < KINDS_MAX) kind[kinds++] = t->stage->op[i].kind;
    }
    printf("  %-14s %6s %12s %6s %12s %12s\n", "kind", "count", "time", "share", "read", "written");
    double all = 0;
    for (int i = 0; i < t->stage->op_count; i++) all += t->stage->op[i].seconds;
    for (int k = 0; k <= kinds; k++) {
        sdw_bench_op sum = { .seconds = 0 };
        int count = 0;
        for (int i = 0; i < t->stage->op_count; i++) {
            const sdw_bench_op *op = &t->stage->op[i];
            if (k < kinds && strcmp(op->kind, kind[k])) continue;
            count++;
            sum.seconds += op->seconds;
            sum.read += op->read;
            sum.written += op->written;
        }
        printf("  %-14s %6d %9.2f ms %4.1f %% %9.1f MB %9.1f MB\n", k < kinds ? kind[k] : "all", count, sum.seconds * 1e3,
               all > 0 ? 100 * sum.seconds / all : 0, sum.read / 1e6, sum.written / 1e6);
    }
}

static void print_ops(const table *t, bool plan)
{
    if (!t->stage->op_count) return;
    if (!plan) {
        print_slowest(t);
        return;
    }
    print_op_heading(t);
    for (int i = 0; i < t->stage->op_count; i++) print_op(t, i);
    print_kinds(t);
}

void sdw_bench_print_table(const sdw_model_info *m, const sdw_bench_result *r, bool plan, yyjson_doc *before)
{
    double peak_before = before ? number(yyjson_doc_get_root(before), "peak_gflops") : 0;
    printf("%s (%s) on %s\n%dx%d, %d rows a step, f32 multiply-add peak %.1f GFLOP/s, first use of the parts %.2f s\n",
           m->family, m->path, m->backend, r->width, r->height, r->rows, r->peak_gflops, r->seconds_load);
    if (before) printf("compared with a run at a peak of %.1f GFLOP/s: change is ratio now over ratio then\n", peak_before);
    printf("\n%-12s %10s %10s %10s %8s %10s %8s%s\n", "stage", "seconds", "GFLOP", "GFLOP/s", "ratio", "processor", "ratio", before ? "     then   change" : "");
    for (int i = 0; i < SDW_BENCH_STAGES; i++) {
        const sdw_bench_stage *s = &r->stage[i];
        const table t = { .r = r, .stage = s, .before = earlier_stage(before, s->name), .compare = before != NULL, .peak_before = peak_before };
        printf("%-12s %10.4f %10.1f %10.1f %8.3f %10.4f %8.3f", s->name, s->seconds, s->gflop, s->seconds > 0 ? s->gflop / s->seconds : 0,
               s->ratio, s->cpu_seconds, s->cpu_ratio);
        if (before) {
            printf(" %8.3f", number(t.before, "cpu_ratio"));
            print_change(s->cpu_seconds, r->peak_gflops, number(t.before, "cpu_seconds"), peak_before);
        }
        putchar('\n');
        print_ops(&t, plan);
    }
    printf("\nhighest resident memory %.0f MiB\n", peak_memory());
}

/* ---- JSON ---- */

static void put_ops(sdw_buf *b, const sdw_bench_stage *s)
{
    for (int k = 0; k < s->op_count; k++) {
        const sdw_bench_op *op = &s->op[k];
        sdw_buf_printf(b, "%s{\"name\":\"%s\",\"kind\":\"%s\",\"seconds\":%.6f,\"gflop\":%.5f,\"read\":%.0f,\"written\":%.0f}%s", k ? "," : ",\"ops\":[",
                       op->name, op->kind, op->seconds, op->gflop, op->read, op->written, k + 1 == s->op_count ? "]" : "");
    }
}

static void put_json(sdw_buf *b, const sdw_model_info *m, const sdw_bench_result *r)
{
    sdw_buf_printf(b, "{\"family\":\"%s\",\"backend\":\"%s\",\"precision\":\"%s\",\"width\":%d,\"height\":%d,\"rows\":%d,\"peak_gflops\":%.2f,"
                      "\"seconds_load\":%.4f,\"peak_memory_mib\":%.1f,\"stages\":[",
                   m->family, m->backend, m->precision, r->width, r->height, r->rows, r->peak_gflops, r->seconds_load, peak_memory());
    for (int i = 0; i < SDW_BENCH_STAGES; i++) {
        const sdw_bench_stage *s = &r->stage[i];
        sdw_buf_printf(b, "%s{\"name\":\"%s\",\"seconds\":%.6f,\"gflop\":%.4f,\"gflops\":%.3f,\"ratio\":%.4f,"
                          "\"cpu_seconds\":%.6f,\"cpu_ratio\":%.4f", i ? "," : "", s->name, s->seconds, s->gflop,
                       s->seconds > 0 ? s->gflop / s->seconds : 0, s->ratio, s->cpu_seconds, s->cpu_ratio);
        put_ops(b, s);
        sdw_buf_puts(b, "}");
    }
    sdw_buf_puts(b, "]}\n");
}

static sdw_status make_json(sdw_buf *b, const sdw_model_info *m, const sdw_bench_result *r, sdw_error *err)
{
    sdw_buf_init(b, 0);
    put_json(b, m, r);
    return b->failed ? sdw_fail_memory(err, "bench", b->size) : SDW_OK;
}

sdw_status sdw_bench_print_json(const sdw_model_info *m, const sdw_bench_result *r, sdw_error *err)
{
    sdw_buf b;
    sdw_status s = make_json(&b, m, r, err);
    if (s == SDW_OK) fwrite(b.data, 1, b.size, stdout);
    sdw_buf_finish(&b);
    return s;
}

sdw_status sdw_bench_save(const char *path, const sdw_model_info *m, const sdw_bench_result *r, sdw_error *err)
{
    const sdw_file_write f = { .dir = AT_FDCWD, .name = path, .mode = 0666, .replace = true };
    sdw_buf b;
    sdw_status s = make_json(&b, m, r, err);
    if (s == SDW_OK) s = sdw_file_write_at(NULL, &f, b.data, b.size, err);
    sdw_buf_finish(&b);
    return s;
}
