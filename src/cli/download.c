/* download.c - see download.h. */
#include "cli/download.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/signals.h"

#define JSON_EVERY_S 0.5

void sdw_cli_size_text(uint64_t bytes, char ret[24])
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 999.5 && unit < 4) {
        value /= 1000;
        unit++;
    }
    snprintf(ret, 24, unit == 0 ? "%.0f %s" : value < 10 ? "%.2f %s" : value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static bool cancelled(void *ctx)
{
    (void)ctx;
    return sdw_cli_signal() != 0;
}

static void note(void *ctx, const char *sentence)
{
    const sdw_cli_download *d = ctx;
    sdw_cli_events_note(d->events, sentence);
}

static void warn(void *ctx, const char *sentence)
{
    const sdw_cli_download *d = ctx;
    sdw_cli_events_warn(d->events, sentence);
}

/* "1:02:03", "2:03" */
static void put_time(double seconds)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600) fprintf(stderr, ", %ld:%02ld:%02ld left", s / 3600, s / 60 % 60, s % 60);
    else fprintf(stderr, ", %ld:%02ld left", s / 60, s % 60);
}

static void draw_bar(sdw_cli_download *d, const sdw_hub_progress *p)
{
    enum { WIDTH = 24 };
    char bar[WIDTH + 1], done[24], all[24], rate[24];
    uint64_t filled = p->bytes ? (uint64_t)((double)p->bytes_done / (double)p->bytes * WIDTH) : 0;
    if (filled > WIDTH) filled = WIDTH;
    memset(bar, '#', (size_t)filled);
    memset(bar + filled, '.', WIDTH - (size_t)filled);
    bar[WIDTH] = '\0';
    sdw_cli_size_text(p->bytes_done, done);
    sdw_cli_size_text(p->bytes, all);
    sdw_cli_size_text((uint64_t)p->bytes_per_second, rate);
    fprintf(stderr, "\rfetching %zu/%zu files, %s of %s [%s]", p->files_done, p->files, done, all, bar);
    if (p->bytes_per_second > 0) fprintf(stderr, " %s/s", rate);
    if (p->seconds_left > 0) put_time(p->seconds_left);
    fputs("\033[K", stderr);
    fflush(stderr);
    d->events->bar_open = true;
}

static void put_event(const sdw_cli_events *e, const sdw_hub_progress *p)
{
    fputs("{\"event\":\"download\",\"name\":", e->to);
    sdw_cli_put_json_text(e->to, p->name);
    fputs(",\"file\":", e->to);
    sdw_cli_put_json_text(e->to, p->file);
    fprintf(e->to, ",\"files_done\":%zu,\"files\":%zu,\"bytes_done\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"bytes_fetched\":%" PRIu64
                   ",\"seconds\":%.3f,\"bytes_per_second\":%.0f",
            p->files_done, p->files, p->bytes_done, p->bytes, p->bytes_fetched, p->seconds, p->bytes_per_second);
    if (p->seconds_left >= 0) fprintf(e->to, ",\"seconds_left\":%.1f", p->seconds_left);
    fputs("}\n", e->to);
    fflush(e->to);
}

static void progress(void *ctx, const sdw_hub_progress *p)
{
    sdw_cli_download *d = ctx;
    sdw_cli_events *e = d->events;
    bool last = p->bytes > 0 && p->bytes_done == p->bytes && p->files_done == p->files;
    char size[24], sentence[120];
    if (e->quiet) return;
    if (!e->json && !e->bar && !d->began) { /* a log gets one line */
        sdw_cli_size_text(p->bytes - p->bytes_done, size);
        snprintf(sentence, sizeof sentence, "fetching %zu files, %s", p->files - p->files_done, size);
        if (p->bytes > p->bytes_done) sdw_cli_events_note(e, sentence);
    }
    if (e->bar) draw_bar(d, p);
    if (e->json && (!d->began || last || p->seconds - d->told >= JSON_EVERY_S)) {
        put_event(e, p);
        d->told = p->seconds;
    }
    d->began = true;
    if (last) sdw_cli_events_end_bar(e);
}

sdw_hub_hooks sdw_cli_download_hooks(sdw_cli_download *d, sdw_cli_events *events)
{
    *d = (sdw_cli_download){ .events = events };
    return (sdw_hub_hooks){ .ctx = d, .cancelled = cancelled, .note = note, .warn = warn, .progress = progress };
}
