/* openai_images.c - the OpenAI Images calls (http-apis 3): a body becomes one or two jobs, the answer waits for them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "server/openai_answer.h"
#include "server/server.h"

#define JOB_PICTURES_MAX 8 /* of one native job; more run as two */
#define FEW_STEPS 8        /* models that are made for few steps keep their number at any quality */
#define STEPS_MAX 150

/* ---- from the request to jobs ---- */

/* The loaded model's steps; false: none is loaded, ret holds the 503. */
static bool default_steps(const sdw_http_request *r, int *ret_steps, sdw_http_response *ret)
{
    sdw_worker_model_info *m;
    if (!sdw_worker_model(sdw_server_worker(r->server), &m)) {
        sdw_openai_error(ret, 503, "model_loading", NULL, "The model is not loaded yet");
        return false;
    }
    *ret_steps = sdw_worker_model_info_of(m)->default_steps;
    sdw_worker_model_info_free(m);
    return true;
}

static int steps_of(const sdw_openai_request *q, int standard)
{
    if (q->steps) return q->steps;
    if (standard <= FEW_STEPS) return standard;
    int steps = (int)ceil(standard * q->step_factor);
    return steps < 1 ? 1 : steps > STEPS_MAX ? STEPS_MAX : steps;
}

static void fill(const sdw_http_request *r, const sdw_openai_request *q, int steps, sdw_picture pictures[2], sdw_job_request *job)
{
    sdw_worker *w = sdw_server_worker(r->server);
    *job = (sdw_job_request){ .preview = SDW_PREVIEW_LATENT, .face = "openai", .format = q->output_format };
    sdw_params *p = &job->params;
    sdw_params_init(p);
    p->prompt = q->prompt;
    p->negative_prompt = q->negative_prompt;
    p->width = q->width;
    p->height = q->height;
    p->steps = steps;
    p->guidance = q->cfg_scale;
    p->sampler = q->sampler;
    p->schedule = q->scheduler;
    p->has_seed = q->has_seed;
    p->seed = q->seed;
    if (q->output_compression > 0) job->quality = q->output_compression;
    else if (q->output_compression == 0) job->quality = 1;
    if (q->model && sdw_worker_model_status(w, q->model)) job->model = q->model;
    if (!q->image) return;
    pictures[0] = (sdw_picture){ q->image->width, q->image->height, q->image->channels, q->image->pixels };
    p->init_image = &pictures[0];
    p->strength = q->strength;
    if (!q->mask) return;
    pictures[1] = (sdw_picture){ q->mask->width, q->mask->height, 1, q->mask->pixels };
    p->mask = &pictures[1];
}

static void refused(const sdw_error *err, sdw_http_response *ret)
{
    switch (err->status) {
    case SDW_BUSY: sdw_openai_error(ret, 429, "queue_full", NULL, err->text); break;
    case SDW_CANCELLED:
    case SDW_IO: sdw_openai_error(ret, 503, NULL, NULL, err->text); break;
    case SDW_NOT_FOUND: sdw_openai_error(ret, 503, "model_loading", NULL, err->text); break;
    case SDW_INTERNAL: sdw_openai_error(ret, 500, NULL, NULL, err->text); break;
    default: sdw_openai_error(ret, 400, NULL, err->field[0] ? err->field : NULL, err->text); break;
    }
}

/* All of them or none. Seeds go on from job to job, as they do from picture to picture. */
static bool submit(const sdw_http_request *r, const sdw_openai_request *q, sdw_job_request *job, sdw_openai_facts *f, sdw_http_response *ret)
{
    sdw_worker *w = sdw_server_worker(r->server);
    for (int left = q->n; left > 0; left -= JOB_PICTURES_MAX) {
        sdw_error err = { 0 };
        sdw_submit_answer answer;
        job->params.count = left < JOB_PICTURES_MAX ? left : JOB_PICTURES_MAX;
        sdw_status s = sdw_worker_submit(w, job, &f->jobs[f->job_count], &answer, &err);
        if (s != SDW_OK) {
            for (int i = 0; i < f->job_count; i++) sdw_worker_cancel(w, &f->jobs[i], NULL);
            err.status = s;
            refused(&err, ret);
            return false;
        }
        sdw_http_note_job(r, &f->jobs[f->job_count++]);
        job->params.seed += (uint64_t)job->params.count;
        job->preview_every = 0; /* previews show the first picture only */
    }
    return true;
}

/* "http://host": where the client found us. */
static void base_url(const sdw_http_request *r, char *to, size_t size)
{
    const char *public_url = sdw_server_options_of(r->server)->public_url, *host = sdw_http_header(r, "host");
    if (public_url) {
        size_t n = strlen(public_url);
        while (n && public_url[n - 1] == '/') n--;
        snprintf(to, size, "%.*s", (int)n, public_url);
    } else {
        snprintf(to, size, "http://%.200s", host ? host : "localhost");
    }
}

static void run(const sdw_http_request *r, const sdw_openai_request *q, sdw_http_response *ret)
{
    sdw_openai_facts f = { .call = q->call, .url = q->url, .partial_images = q->partial_images };
    sdw_picture pictures[2];
    sdw_job_request job;
    int standard;
    if (!default_steps(r, &standard, ret)) return;
    int steps = steps_of(q, standard);
    fill(r, q, steps, pictures, &job);
    job.preview_every = q->stream && q->partial_images ? (steps + q->partial_images) / (q->partial_images + 1) : 0;
    snprintf(f.quality, sizeof f.quality, "%s", q->quality);
    snprintf(f.output_format, sizeof f.output_format, "%s", q->output_format);
    base_url(r, f.base_url, sizeof f.base_url);
    if (!submit(r, q, &job, &f, ret)) return;
    if (q->stream) sdw_openai_stream(r, &f, ret);
    else sdw_openai_wait(r, &f, ret);
}

static void call(const sdw_http_request *r, sdw_openai_call kind, sdw_http_response *ret)
{
    sdw_openai_problem problem;
    sdw_openai_request *q = sdw_malloc(sizeof *q);
    if (!q) {
        sdw_openai_error(ret, 503, NULL, NULL, "No memory to read the request");
        return;
    }
    if (sdw_openai_read(r, kind, sdw_server_options_of(r->server)->image_pixels_max, q, &problem)) run(r, q, ret);
    else sdw_openai_error(ret, problem.status, problem.code, problem.param, problem.message);
    sdw_openai_finish(q);
    sdw_free(q);
}

static void generations(const sdw_http_request *r, sdw_http_response *ret)
{
    call(r, SDW_OPENAI_GENERATION, ret);
}

static void edits(const sdw_http_request *r, sdw_http_response *ret)
{
    call(r, SDW_OPENAI_EDIT, ret);
}

static void variations(const sdw_http_request *r, sdw_http_response *ret)
{
    call(r, SDW_OPENAI_VARIATION, ret);
}

static const sdw_route rows[] = {
    { "POST", "/v1/images/generations", SDW_FACE_OPENAI, SDW_ROUTE_DESK, generations, "createImage", "OpenAI: pictures from a prompt." },
    { "POST", "/v1/images/edits", SDW_FACE_OPENAI, SDW_ROUTE_DESK, edits, "createImageEdit",
      "OpenAI: a picture drawn anew, as a whole or under a mask." },
    { "POST", "/v1/images/variations", SDW_FACE_OPENAI, SDW_ROUTE_DESK, variations, "createImageVariation",
      "OpenAI: a picture like another one." },
};
const sdw_routes sdw_routes_openai_images = { rows, sizeof rows / sizeof rows[0] };
