/* conditioning.c - tokens, weights, text encoders, and what SDXL adds.
 *
 * Rules (also docs of the reference pipelines): a model with one encoder reads its last hidden state after the final
 * norm; a model with two reads the last but one of each, without the norm, side by side, and the pooled projection of the
 * second. clip_skip counts further layers back. An absent negative prompt is zeros where the model says so, else "". */
#include "engine/conditioning.h"

#include <string.h>

#include "core/mem.h"
#include "engine/prompt_cache.h"
#include "text/prompt.h"

enum { ROWS_MAX = 2, ENCODERS_MAX = 2, LENGTH = 77 };

bool sdw_uses_guidance(const sdw_params *r)
{
    return r->guidance > 1.0;
}

typedef struct row { /* one prompt, tokenized for each encoder */
    const char *prompt, *field;
    bool zeros;
    sdw_prompt_ids ids[ENCODERS_MAX];
} row;

typedef struct prompts {
    row row[ROWS_MAX];
    int rows, chunks;
} prompts;

static void finish(prompts *p)
{
    for (int i = 0; i < p->rows; i++)
        for (int k = 0; k < ENCODERS_MAX; k++) sdw_prompt_ids_finish(&p->row[i].ids[k]);
}

static sdw_status tokenize_row(sdw_engine *e, const sdw_params *r, row *w, int *chunks, sdw_warnings *warnings, sdw_error *err)
{
    sdw_prompt_options o = { .what = w->field, .weighted = strcmp(r->prompt_syntax, "weighted") == 0, .truncate = r->truncate > 0 };
    for (int k = 0; k < sdw_pipeline_shape_of(e->pipeline)->text_encoders; k++) {
        sdw_status status = sdw_prompt_encode(sdw_pipeline_tokenizer(e->pipeline, k), w->prompt, &o, &w->ids[k], k ? NULL : warnings, err);
        if (status != SDW_OK) return status;
        if (w->ids[k].chunks > *chunks) *chunks = w->ids[k].chunks;
    }
    return SDW_OK;
}

static sdw_status tokenize(sdw_engine *e, const sdw_params *r, prompts *ret, sdw_warnings *warnings, sdw_error *err)
{
    const sdw_pipeline_shape *shape = sdw_pipeline_shape_of(e->pipeline);
    prompts p = { .chunks = 1 };
    if (sdw_uses_guidance(r)) {
        bool zeros = !r->negative_prompt && shape->pooled_width && sdw_pipeline_files(e->pipeline)->force_zeros_for_empty_prompt;
        p.row[p.rows++] = (row){ .prompt = r->negative_prompt ? r->negative_prompt : "", .field = "negative_prompt", .zeros = zeros };
    }
    p.row[p.rows++] = (row){ .prompt = r->prompt, .field = "prompt" };
    sdw_status status = SDW_OK;
    for (int i = 0; i < p.rows && status == SDW_OK; i++) status = tokenize_row(e, r, &p.row[i], &p.chunks, warnings, err);
    for (int i = 0; i < p.rows && status == SDW_OK; i++)
        for (int k = 0; k < shape->text_encoders && status == SDW_OK; k++)
            status = sdw_prompt_ids_extend(&p.row[i].ids[k], sdw_pipeline_tokenizer(e->pipeline, k), p.chunks, err);
    if (status == SDW_OK) *ret = p;
    else finish(&p);
    return status;
}

sdw_status sdw_conditioning_measure(sdw_engine *e, const sdw_params *r, int *ret_tokens, sdw_error *err)
{
    prompts p;
    sdw_status status = tokenize(e, r, &p, NULL, err);
    if (status != SDW_OK) return status;
    *ret_tokens = p.chunks * LENGTH;
    finish(&p);
    return SDW_OK;
}

/* Weighted tokens, then the mean of the chunk put back to what it was: AUTOMATIC1111's rule. hidden: (77, width). */
static void weigh(float *hidden, const float *weights, int width)
{
    double before = 0, after = 0;
    for (int t = 0; t < LENGTH; t++)
        for (int i = 0; i < width; i++) {
            float *v = &hidden[t * width + i];
            before += *v;
            *v *= weights[t];
            after += *v;
        }
    float scale = after != 0 ? (float)(before / after) : 1.0f;
    for (int i = 0; i < LENGTH * width; i++) hidden[i] *= scale;
}

typedef struct encoding { /* one encoder's run over every row that is not zeros */
    int index, batch, width, pooled_width;
    int32_t *ids, *eos;
    float *hidden, *pooled;
} encoding;

static void drop(encoding *x)
{
    sdw_free(x->ids);
    sdw_free(x->eos);
    sdw_free(x->hidden);
    sdw_free(x->pooled);
}

static sdw_status prepare(const prompts *p, int index, const sdw_pipeline_shape *shape, encoding *x, sdw_error *err)
{
    bool pools = shape->pooled_width && index == shape->text_encoders - 1;
    *x = (encoding){ .index = index, .width = shape->text_width[index], .pooled_width = pools ? shape->pooled_width : 0 };
    for (int i = 0; i < p->rows; i++) x->batch += p->row[i].zeros ? 0 : p->chunks;
    size_t n = (size_t)x->batch;
    x->ids = sdw_calloc(n * LENGTH, sizeof *x->ids);
    x->eos = sdw_calloc(n, sizeof *x->eos);
    x->hidden = sdw_calloc(n * LENGTH * (size_t)x->width, sizeof *x->hidden);
    if (pools) x->pooled = sdw_calloc(n * (size_t)x->pooled_width, sizeof *x->pooled);
    if (!x->ids || !x->eos || !x->hidden || (pools && !x->pooled)) {
        drop(x);
        return sdw_fail_memory(err, "prompt encoding", n * LENGTH * (size_t)x->width * sizeof *x->hidden);
    }
    int at = 0;
    for (int i = 0; i < p->rows; i++) {
        const sdw_prompt_ids *ids = &p->row[i].ids[index];
        for (int c = 0; !p->row[i].zeros && c < p->chunks; c++, at++) {
            memcpy(x->ids + at * LENGTH, ids->ids + c * LENGTH, LENGTH * sizeof *x->ids);
            x->eos[at] = ids->eos[c];
        }
    }
    return SDW_OK;
}

/* Copies one encoder's states into its columns of the context, and its pooled rows. */
static void spread(const prompts *p, const encoding *x, int column, int context_width, sdw_conditioning *c)
{
    int at = 0;
    for (int i = 0; i < p->rows; i++) {
        const sdw_prompt_ids *ids = &p->row[i].ids[x->index];
        if (p->row[i].zeros) continue;
        if (x->pooled) memcpy(c->pooled + i * x->pooled_width, x->pooled + at * x->pooled_width, (size_t)x->pooled_width * sizeof *c->pooled);
        for (int k = 0; k < p->chunks; k++, at++) {
            float *hidden = x->hidden + (size_t)at * LENGTH * (size_t)x->width;
            if (ids->any_weight) weigh(hidden, ids->weights + k * LENGTH, x->width);
            for (int t = 0; t < LENGTH; t++) {
                size_t token = (size_t)i * (size_t)c->tokens + (size_t)(k * LENGTH + t);
                memcpy(c->context + token * (size_t)context_width + column, hidden + t * x->width, (size_t)x->width * sizeof *hidden);
            }
        }
    }
}

static sdw_status encode_with(sdw_engine *e, const sdw_params *r, const prompts *p, int index, int column, sdw_conditioning *c, sdw_error *err)
{
    const sdw_pipeline_shape *shape = sdw_pipeline_shape_of(e->pipeline);
    bool penultimate = shape->text_encoders > 1;
    encoding x;
    sdw_status status = prepare(p, index, shape, &x, err);
    if (status != SDW_OK) return status;
    sdw_text_request q = { .index = index, .rows = x.batch, .ids = x.ids, .eos = x.eos, .layer = r->clip_skip + (penultimate ? 1 : 0),
                           .final_norm = !penultimate, .hidden = x.hidden, .projected = x.pooled };
    status = sdw_pipeline_text(e->pipeline, &q, err);
    if (status == SDW_OK) spread(p, &x, column, shape->context_width, c);
    drop(&x);
    return status;
}

static sdw_status allocate(const sdw_pipeline_shape *shape, const sdw_params *r, sdw_conditioning *c, sdw_error *err)
{
    size_t rows = (size_t)c->rows, n = rows * (size_t)c->tokens * (size_t)shape->context_width;
    c->context = sdw_calloc(n, sizeof *c->context);
    if (shape->pooled_width) c->pooled = sdw_calloc(rows * (size_t)shape->pooled_width, sizeof *c->pooled);
    if (shape->time_ids) c->time_ids = sdw_calloc(rows * 6, sizeof *c->time_ids);
    if (!c->context || (shape->pooled_width && !c->pooled) || (shape->time_ids && !c->time_ids))
        return sdw_fail_memory(err, "context", n * sizeof *c->context);
    for (size_t i = 0; c->time_ids && i < rows; i++) { /* original size, crop, target size; height first */
        float ids[6] = { (float)r->height, (float)r->width, 0, 0, (float)r->height, (float)r->width };
        memcpy(c->time_ids + 6 * i, ids, sizeof ids);
    }
    return SDW_OK;
}

/* With a cache: its key for r, and whether what it stands for is there. Without, or without memory: no. */
static bool cached(sdw_engine *e, const sdw_params *r, const prompts *p, char key[SDW_SHA256_HEX_SIZE], sdw_conditioning *ret)
{
    key[0] = '\0';
    if (!e->prompts || sdw_prompt_cache_key(r, p->rows, p->chunks, key, NULL) != SDW_OK) return false;
    return sdw_prompt_cache_get(e->prompts, key, sdw_pipeline_shape_of(e->pipeline), ret);
}

sdw_status sdw_conditioning_encode(sdw_engine *e, const sdw_params *r, sdw_conditioning *ret, sdw_error *err)
{
    const sdw_pipeline_shape *shape = sdw_pipeline_shape_of(e->pipeline);
    prompts p;
    sdw_warnings warnings = { 0 };
    sdw_status status = tokenize(e, r, &p, &warnings, err);
    sdw_engine_warn_all(e, &warnings);
    if (status != SDW_OK) return status;
    char key[SDW_SHA256_HEX_SIZE];
    if (cached(e, r, &p, key, ret)) {
        finish(&p);
        return SDW_OK;
    }
    sdw_conditioning c = { .rows = p.rows, .tokens = p.chunks * LENGTH };
    status = allocate(shape, r, &c, err);
    for (int k = 0, column = 0; k < shape->text_encoders && status == SDW_OK; k++) {
        status = encode_with(e, r, &p, k, column, &c, err);
        column += shape->text_width[k];
    }
    finish(&p);
    if (status == SDW_OK && key[0]) sdw_prompt_cache_put(e->prompts, key, shape, &c);
    if (status == SDW_OK) *ret = c;
    else sdw_conditioning_finish(&c);
    return status;
}

void sdw_conditioning_finish(sdw_conditioning *c)
{
    sdw_free(c->context);
    sdw_free(c->pooled);
    sdw_free(c->time_ids);
    *c = (sdw_conditioning){ 0 };
}
