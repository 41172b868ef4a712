/* events.c - progress for people and for programs. */
#include "cli/events.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

void sdw_cli_events_init(sdw_cli_events *e, bool json, bool quiet, bool picture_on_stdout)
{
    *e = (sdw_cli_events){ .to = picture_on_stdout ? stderr : stdout, .json = json, .quiet = quiet, .bar_image = -1 };
    e->bar = !json && !quiet && isatty(STDERR_FILENO);
}

static const char *phase_name(sdw_phase phase)
{
    switch (phase) {
    case SDW_PHASE_LOAD: return "load";
    case SDW_PHASE_TEXT: return "text";
    case SDW_PHASE_ENCODE: return "encode";
    case SDW_PHASE_STEP: return "step";
    case SDW_PHASE_DECODE: return "decode";
    case SDW_PHASE_DONE: return "done";
    }
    return "";
}

void sdw_cli_put_json_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\') fprintf(to, "\\%c", *c);
        else if (*c < 0x20) fprintf(to, "\\u%04x", *c);
        else fputc(*c, to);
    }
    fputc('"', to);
}

/* {"event":"NAME","KEY":"TEXT"} */
static void put_text_event(FILE *to, const char *event, const char *key, const char *text)
{
    fprintf(to, "{\"event\":\"%s\",\"%s\":", event, key);
    sdw_cli_put_json_text(to, text);
    fputs("}\n", to);
    fflush(to);
}

void sdw_cli_events_end_bar(sdw_cli_events *e)
{
    if (!e->bar_open) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    e->bar_open = false;
}

void sdw_cli_events_warn(void *ctx, const char *sentence)
{
    sdw_cli_events *e = ctx;
    if (e->quiet) return;
    sdw_cli_events_end_bar(e);
    if (e->json) put_text_event(e->to, "warning", "text", sentence);
    else fprintf(stderr, "Warning: %s\n", sentence);
}

void sdw_cli_events_note(sdw_cli_events *e, const char *sentence)
{
    if (e->quiet) return;
    sdw_cli_events_end_bar(e);
    if (e->json) put_text_event(e->to, "note", "text", sentence);
    else fprintf(e->to, "%s\n", sentence);
}

void sdw_cli_events_start(sdw_cli_events *e, const sdw_request_record *r)
{
    char *text = NULL;
    if (!e->json || e->quiet || sdw_request_write_json(r, &text, NULL) != SDW_OK) return;
    fprintf(e->to, "{\"event\":\"start\",\"request\":%s}\n", text);
    fflush(e->to);
    sdw_text_free(text);
}

/* "[#######.......]" */
static void put_bar(int done, int of)
{
    enum { WIDTH = 24 };
    char bar[WIDTH + 1];
    int filled = of > 0 ? done * WIDTH / of : 0;
    memset(bar, '#', (size_t)filled);
    memset(bar + filled, '.', (size_t)(WIDTH - filled));
    bar[WIDTH] = '\0';
    fprintf(stderr, " [%s]", bar);
}

/* Seconds per step are the mean since the first step of this picture: loading and text are not in it. */
static void put_step(sdw_cli_events *e, const sdw_progress *p)
{
    if (p->image != e->bar_image || p->step < e->first_step) {
        e->bar_image = p->image;
        e->first_step = p->step;
        e->first_seconds = p->seconds;
    }
    fprintf(stderr, "step %d/%d", p->step, p->steps);
    put_bar(p->step, p->steps);
    int timed = p->step - e->first_step;
    if (timed <= 0) return;
    double each = (p->seconds - e->first_seconds) / timed;
    int steps_left = p->steps - p->step + (p->images - 1 - p->image) * p->steps;
    fprintf(stderr, " %.2f s/step, %.0f s left", each, each * steps_left);
}

static void draw_bar(sdw_cli_events *e, const sdw_progress *p)
{
    static const char *const doing[] = { "loading", "reading the prompt", "encoding the picture", "", "decoding", "" };
    if (p->phase == SDW_PHASE_DONE) {
        sdw_cli_events_end_bar(e);
        return;
    }
    fputs("\r", stderr);
    if (p->images > 1) fprintf(stderr, "picture %d/%d, ", p->image + 1, p->images);
    if (p->phase == SDW_PHASE_STEP) put_step(e, p);
    else fputs(doing[p->phase], stderr);
    fputs("\033[K", stderr);
    fflush(stderr);
    e->bar_open = true;
}

void sdw_cli_events_progress(sdw_cli_events *e, const sdw_progress *p)
{
    if (e->quiet) return;
    if (e->bar) draw_bar(e, p);
    if (!e->json) return;
    fprintf(e->to,
            "{\"event\":\"progress\",\"phase\":\"%s\",\"image\":%d,\"images\":%d,\"step\":%d,\"steps\":%d,\"seconds\":%.3f}\n",
            phase_name(p->phase), p->image, p->images, p->step, p->steps, p->seconds);
    fflush(e->to);
}

void sdw_cli_events_picture(sdw_cli_events *e, const sdw_cli_picture_event *p)
{
    if (e->quiet) return;
    sdw_cli_events_end_bar(e);
    if (e->json) {
        fprintf(e->to, "{\"event\":\"image\",\"index\":%d,\"path\":", p->index);
        sdw_cli_put_json_text(e->to, p->path);
        fprintf(e->to, ",\"seed\":%" PRIu64 ",\"width\":%d,\"height\":%d,\"steps\":%d}\n", p->seed, p->width, p->height,
                p->steps);
    } else {
        fprintf(e->to, "%s: %dx%d, %d steps, seed %" PRIu64 ", %.1f s\n", p->path, p->width, p->height, p->steps, p->seed,
                p->seconds);
    }
    fflush(e->to);
}

void sdw_cli_events_done(sdw_cli_events *e, const sdw_result *r)
{
    if (e->quiet || !e->json) return;
    fprintf(e->to,
            "{\"event\":\"done\",\"count\":%d,\"seconds_text\":%.3f,\"seconds_steps\":%.3f,\"seconds_vae\":%.3f}\n",
            r->count, r->seconds_text, r->seconds_steps, r->seconds_vae);
    fflush(e->to);
}

void sdw_cli_events_failed(sdw_cli_events *e, const sdw_error *err)
{
    sdw_cli_events_end_bar(e);
    if (e->quiet || !e->json) return;
    fprintf(e->to, "{\"event\":\"error\",\"code\":\"%s\",\"field\":\"%s\",\"message\":", sdw_status_name(err->status),
            err->field);
    sdw_cli_put_json_text(e->to, err->text);
    fputs("}\n", e->to);
    fflush(e->to);
}
