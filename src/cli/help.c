/* help.c - an option table printed for a person and for docs/cli.md. */
#include <string.h>

#include "cli/options.h"
#include "core/buf.h"
#include "sdw/fields.h"

/* "-o, --output FILE" */
static void put_flag(const sdw_cli_option *row, sdw_buf *out)
{
    if (row->letter) sdw_buf_printf(out, "-%c, ", row->letter);
    sdw_buf_puts(out, row->negatable ? "--[no-]" : "--");
    for (const char *c = row->name; *c; c++) sdw_buf_append(out, *c == '_' ? "-" : c, 1);
    if (row->value) sdw_buf_printf(out, " %s", row->value);
}

/* The range of a field comes from its row. */
void sdw_cli_option_range(const sdw_cli_option *row, sdw_buf *out)
{
    const sdw_field *f = sdw_field_find(row->name);
    bool field = f && f->name == row->name;
    if (row->range) sdw_buf_puts(out, row->range);
    else if (field && f->type != SDW_FIELD_SWITCH && f->type != SDW_FIELD_TEXT && f->type != SDW_FIELD_PICTURE) {
        char text[200];
        sdw_field_describe(f, text, sizeof text);
        sdw_buf_puts(out, text);
    }
    const char *def = row->default_text;
    if (row->env) sdw_buf_printf(out, "%s$%s", out->size ? "; " : "", row->env);
    if (!def) return;
    if (!*def && field && (f->type == SDW_FIELD_TEXT || f->type == SDW_FIELD_PICTURE)) return;
    if (!*def && field && !strcmp(f->name, "eta")) def = "the sampler's";
    sdw_buf_printf(out, "%sdefault %s", out->size ? "; " : "", *def ? def : "the model's");
}

static bool first_of_group(const sdw_cli_options *o, int i)
{
    return i == 0 || strcmp(o->option[i].group, o->option[i - 1].group) != 0;
}

void sdw_cli_print_help(const sdw_cli_options *o, FILE *to)
{
    for (int i = 0; i < o->count; i++) {
        const sdw_cli_option *row = &o->option[i];
        sdw_buf flag, range;
        sdw_buf_init(&flag, 0);
        sdw_buf_init(&range, 0);
        put_flag(row, &flag);
        sdw_cli_option_range(row, &range);
        if (first_of_group(o, i)) fprintf(to, "\n%s:\n", row->group);
        fprintf(to, "  %-30s %s", flag.data ? flag.data : "", row->help);
        if (range.size) fprintf(to, "\n  %-30s   (%s)", "", range.data);
        fputc('\n', to);
        sdw_buf_finish(&flag);
        sdw_buf_finish(&range);
    }
}

void sdw_cli_print_markdown(const sdw_cli_options *o, FILE *to)
{
    for (int i = 0; i < o->count; i++) {
        const sdw_cli_option *row = &o->option[i];
        sdw_buf flag, range;
        sdw_buf_init(&flag, 0);
        sdw_buf_init(&range, 0);
        put_flag(row, &flag);
        sdw_cli_option_range(row, &range);
        if (first_of_group(o, i)) fprintf(to, "\n**%s**\n\n| Option | Meaning | Values |\n|---|---|---|\n", row->group);
        fprintf(to, "| `%s` | %s | %s |\n", flag.data ? flag.data : "", row->help, range.size ? range.data : "");
        sdw_buf_finish(&flag);
        sdw_buf_finish(&range);
    }
}
