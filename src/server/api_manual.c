/* api_manual.c - see api_manual.h. One section per table; a route's body, arguments and answer come from apidocs/. */
#include "server/api_manual.h"

#include <string.h>

#include "server/api_doc.h"
#include "server/job_violations.h"
#include "server/native_fields.h"
#include "server/openai_request.h"
#include "server/sdapi_request.h"
#include "server/server.h"

extern const unsigned char sdw_api_guide[];
extern const size_t sdw_api_guide_size;

/* Text of a table's cell. */
static void cell(sdw_buf *out, const char *text)
{
    sdw_buf_puts(out, " ");
    for (const char *c = text ? text : ""; *c; c++) {
        if (*c == '|') sdw_buf_append(out, "\\", 1);
        sdw_buf_append(out, *c == '\n' ? " " : c, 1);
    }
    sdw_buf_puts(out, " |");
}

/* ---- fields ---- */

static void put_names(sdw_buf *out, const sdw_native_field *f)
{
    sdw_buf_printf(out, "| `%s`", f->row.name);
    for (int i = 0; i < SDW_NATIVE_SYNONYMS_MAX && f->synonyms[i]; i++) sdw_buf_printf(out, ", `%s`", f->synonyms[i]);
    sdw_buf_puts(out, " |");
}

static void put_fields(sdw_buf *out)
{
    sdw_native_field f;
    char range[256];
    sdw_buf_puts(out, "## Fields of a request\n\nOf `POST /v1/jobs`, with their synonyms. `operation` may say `image_generation`, "
                      "`image_transform` or `image_inpaint`;\nwithout it a mask means inpaint, a picture transform. Unknown fields are "
                      "ignored and told in a narration event.\n\n| Field | What | Values | Default |\n|---|---|---|---|\n");
    for (size_t i = 0; sdw_native_field_at(i, &f); i++) {
        sdw_native_describe(&f, range, sizeof range);
        put_names(out, &f);
        cell(out, f.row.help);
        cell(out, range);
        bool none = f.row.type == SDW_FIELD_PICTURE || f.row.type == SDW_FIELD_TEXT;
        cell(out, f.row.default_text && *f.row.default_text ? f.row.default_text : none ? "" : "the model's");
        sdw_buf_puts(out, "\n");
    }
    sdw_buf_puts(out, "\nBeside these, `model`, `hive_id` and `worker_id` are accepted as names only (with `--model-switch`, `model` chooses\n"
                      "one of `GET /v1/models`), and `loras` as an empty list.\n\n");
}

/* ---- routes ---- */

static void put_details(sdw_buf *out, const sdw_route *r)
{
    const sdw_api_doc *d = sdw_api_doc_of(r->id);
    sdw_buf_printf(out, "**%s %s** - %s%s\n", r->method, r->path, r->summary, r->flags & SDW_ROUTE_OPEN ? " No key needed." : "");
    for (int i = 0; d && i < SDW_API_ARGUMENTS_MAX && d->argument[i].name; i++)
        sdw_buf_printf(out, "%s- %s `%s`: %s\n", i ? "" : "\n", d->argument[i].header ? "header" : "argument", d->argument[i].name, d->argument[i].help);
    if (d && d->example) sdw_buf_printf(out, "\n    %s\n", d->example);
    sdw_buf_puts(out, "\n");
}

static void put_routes(sdw_buf *out, const sdw_routes *const *tables, sdw_face face, const char *title)
{
    sdw_buf_printf(out, "## Routes: %s\n\n", title);
    for (; *tables; tables++)
        for (int i = 0; i < (*tables)->count; i++)
            if ((*tables)->rows[i].face == face) put_details(out, &(*tables)->rows[i]);
}

/* ---- parameters of the other faces ---- */

static void put_openai(sdw_buf *out)
{
    sdw_buf_puts(out, "## Parameters of OpenAI Images\n\n| Parameter | Calls | | Note |\n|---|---|---|---|\n");
    for (const sdw_openai_parameter *p = sdw_openai_parameters; p->name; p++) {
        sdw_buf_printf(out, "| `%s` |", p->name);
        cell(out, p->calls);
        cell(out, p->verdict);
        cell(out, p->note);
        sdw_buf_puts(out, "\n");
    }
    sdw_buf_puts(out, "\n");
}

static const char *verdict_of(const sdw_sdapi_parameter *p)
{
    return p->verdict == SDW_SDAPI_DONE ? "done" : p->verdict == SDW_SDAPI_IGNORED ? "ignored" : "refused unless it is the default";
}

static void put_sdapi(sdw_buf *out)
{
    sdw_buf_puts(out, "## Parameters of AUTOMATIC1111\n\nOf `txt2img` and `img2img`. `null` is the same as leaving one out.\n\n"
                      "| Parameter | Calls | Default | | Note |\n|---|---|---|---|---|\n");
    for (const sdw_sdapi_parameter *p = sdw_sdapi_parameters; p->name; p++) {
        sdw_buf_printf(out, "| `%s` |", p->name);
        cell(out, p->text_call && p->image_call ? "both" : p->text_call ? "txt2img" : "img2img");
        cell(out, p->standard);
        cell(out, verdict_of(p));
        cell(out, p->note);
        sdw_buf_puts(out, "\n");
    }
    sdw_buf_puts(out, "\n");
}

/* ---- limits ---- */

static void put_limits(sdw_buf *out)
{
    sdw_buf_puts(out, "## Limits of the transport\n\nFlags of the same meaning stand in [cli.md](cli.md).\n\n| Limit | Default | What |\n|---|---|---|\n");
#define ROW(type, name, standard, meaning) sdw_buf_printf(out, "| `%s` | %.0f | %s |\n", #name, (double)(standard), meaning);
    SDW_SERVER_LIMIT_LIST(ROW)
#undef ROW
}

bool sdw_api_manual_write(const sdw_routes *const *tables, sdw_buf *out)
{
    static const char *const titles[] = { "jobs, models and the worker", "OpenAI Images", "AUTOMATIC1111", "operations" };
    sdw_buf_append(out, sdw_api_guide, sdw_api_guide_size);
    put_fields(out);
    for (int face = SDW_FACE_NATIVE; face <= SDW_FACE_OPS; face++) put_routes(out, tables, (sdw_face)face, titles[face]);
    put_openai(out);
    put_sdapi(out);
    put_limits(out);
    return !out->failed;
}
