/* completion.c - completions for bash and zsh, and man pages, printed from the command records and their option tables. */
#include <string.h>

#include "cli/cli.h"
#include "core/buf.h"
#include "sdw/fields.h"
#include "sdw/sdw.h"

static void fill(const sdw_command *c, sdw_cli_options *o)
{
    *o = (sdw_cli_options){ .command = c->name };
    if (c->add_options) c->add_options(o);
}

static void put_dashed(FILE *to, const char *name)
{
    for (; *name; name++) fputc(*name == '_' ? '-' : *name, to);
}

/* A file name stands for the value. */
static bool wants_file(const sdw_cli_option *row)
{
    return row->value && (!strcmp(row->value, "FILE") || !strcmp(row->value, "PATH") || !strcmp(row->value, "DIR"));
}

/* The words that an option's value may be, each followed by a blank; nothing if any text may be given. */
static void put_values(FILE *to, const sdw_cli_option *row)
{
    const sdw_field *f = sdw_field_find(row->name);
    sdw_choice choice;
    if (!f || f->name != row->name || f->type != SDW_FIELD_CHOICE) return;
    for (size_t i = 0; sdw_field_choice(f, i, &choice); i++) fprintf(to, "%s ", choice.name);
}

static bool has_values(const sdw_cli_option *row)
{
    const sdw_field *f = sdw_field_find(row->name);
    return f && f->name == row->name && f->type == SDW_FIELD_CHOICE;
}

static void put_commands(FILE *to)
{
    for (int i = 0; sdw_command_at(i); i++) fprintf(to, "%s%s", i ? " " : "", sdw_command_at(i)->name);
}

/* ---- bash ---- */

static void bash_options(FILE *to, const sdw_cli_options *o)
{
    for (int i = 0; i < o->count; i++) {
        fputs(i ? " --" : "--", to);
        put_dashed(to, o->option[i].name);
        if (!o->option[i].negatable) continue;
        fputs(" --no-", to);
        put_dashed(to, o->option[i].name);
    }
}

/* One arm of `case command:option`: what may follow the option. */
static void bash_value_arm(FILE *to, const char *command, const sdw_cli_option *row)
{
    if (!row->value) return;
    fprintf(to, "    %s:--", command);
    put_dashed(to, row->name);
    if (row->letter) fprintf(to, "|%s:-%c", command, row->letter);
    if (has_values(row)) {
        fputs(") COMPREPLY=($(compgen -W \"", to);
        put_values(to, row);
        fputs("\" -- \"$cur\")); return ;;\n", to);
    } else {
        fputs(wants_file(row) ? ") compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n" : ") return ;;\n", to);
    }
}

static void print_bash(FILE *to)
{
    sdw_cli_options o;
    fputs("# bash completion of sdw, made by `sdw help --completion bash`\n_sdw() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n"
          "    COMPREPLY=()\n    if [ \"$COMP_CWORD\" = 1 ]; then\n        COMPREPLY=($(compgen -W \"", to);
    put_commands(to);
    fputs(" --help --version\" -- \"$cur\"))\n        return\n    fi\n    case $command:$prev in\n", to);
    for (int i = 0; sdw_command_at(i); i++) {
        fill(sdw_command_at(i), &o);
        for (int k = 0; k < o.count; k++) bash_value_arm(to, sdw_command_at(i)->name, &o.option[k]);
    }
    fputs("    esac\n    case $command in\n", to);
    for (int i = 0; sdw_command_at(i); i++) {
        fill(sdw_command_at(i), &o);
        fprintf(to, "    %s) set -- \"", sdw_command_at(i)->name);
        bash_options(to, &o);
        fputs(" --help\" ;;\n", to);
    }
    fputs("    *) return ;;\n    esac\n    case $cur in\n    -*) COMPREPLY=($(compgen -W \"$1\" -- \"$cur\")) ;;\n"
          "    *)\n        if [ \"$command\" = help ]; then COMPREPLY=($(compgen -W \"", to);
    put_commands(to);
    fputs("\" -- \"$cur\"))\n        else compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\")); fi ;;\n    esac\n}\n"
          "complete -F _sdw sdw\n", to);
}

/* ---- zsh ---- */

/* Text between single quotes and inside [...] of _arguments. */
static void put_zsh_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'') fputs("'\\''", to);
        else if (*text == '[' || *text == ']' || *text == ':' || *text == '\\') fprintf(to, "\\%c", *text);
        else fputc(*text, to);
    }
}

static void zsh_option(FILE *to, const sdw_cli_option *row, const char *prefix)
{
    fprintf(to, "            '%s", prefix);
    put_dashed(to, row->name);
    fputs("[", to);
    put_zsh_text(to, row->help);
    fputs("]", to);
    if (row->value && !strcmp(prefix, "--")) {
        fprintf(to, ":%s:", row->value);
        if (wants_file(row)) fputs("_files", to);
        if (has_values(row)) {
            fputc('(', to);
            put_values(to, row);
            fputc(')', to);
        }
    }
    fputs("' \\\n", to);
}

static void print_zsh(FILE *to)
{
    sdw_cli_options o;
    fputs("#compdef sdw\n# zsh completion of sdw, made by `sdw help --completion zsh`\n_sdw() {\n    local -a commands\n    commands=(\n", to);
    for (int i = 0; sdw_command_at(i); i++) {
        fprintf(to, "        '%s:", sdw_command_at(i)->name);
        put_zsh_text(to, sdw_command_at(i)->summary);
        fputs("'\n", to);
    }
    fputs("    )\n    if (( CURRENT == 2 )); then _describe command commands; return; fi\n    local command=$words[2]\n"
          "    shift words\n    (( CURRENT-- ))\n    case $command in\n", to);
    for (int i = 0; sdw_command_at(i); i++) {
        fill(sdw_command_at(i), &o);
        fprintf(to, "        %s)\n            _arguments \\\n", sdw_command_at(i)->name);
        for (int k = 0; k < o.count; k++) {
            zsh_option(to, &o.option[k], "--");
            if (o.option[k].negatable) zsh_option(to, &o.option[k], "--no-");
        }
        fputs("            '--help[the options of this command]' \\\n            '*:file:_files' ;;\n", to);
    }
    fputs("    esac\n}\n_sdw \"$@\"\n", to);
}

bool sdw_cli_print_completion(const char *shell, FILE *to)
{
    if (!strcmp(shell, "bash")) print_bash(to);
    else if (!strcmp(shell, "zsh")) print_zsh(to);
    else return false;
    return true;
}

/* ---- man pages ---- */

/* roff: a backslash and a dash have meanings of their own, a line must not begin with a dot or a quote. */
static void put_roff(FILE *to, const char *text)
{
    if (*text == '.' || *text == '\'') fputs("\\&", to);
    for (; *text; text++) {
        if (*text == '\\') fputs("\\e", to);
        else if (*text == '-') fputs("\\-", to);
        else fputc(*text, to);
        if (*text == '\n' && (text[1] == '.' || text[1] == '\'')) fputs("\\&", to);
    }
}

static void put_exit_codes(FILE *to)
{
    fputs(".SH EXIT STATUS\n", to);
#define PRINT(name, value, meaning)       \
    fprintf(to, ".TP\n.B %d\n", value);   \
    put_roff(to, meaning);                \
    fputc('\n', to);
    SDW_CLI_EXIT_LIST(PRINT)
#undef PRINT
}

static void man_option(FILE *to, const sdw_cli_options *o, int i)
{
    const sdw_cli_option *row = &o->option[i];
    if (i == 0 || strcmp(row->group, o->option[i - 1].group)) {
        fputs(".SS ", to);
        put_roff(to, row->group);
        fputc('\n', to);
    }
    fputs(".TP\n\\fB", to);
    if (row->letter) fprintf(to, "\\-%c\\fR, \\fB", row->letter);
    fputs(row->negatable ? "\\-\\-[no\\-]" : "\\-\\-", to);
    for (const char *c = row->name; *c; c++) fputs(*c == '_' || *c == '-' ? "\\-" : (char[]){ *c, '\0' }, to);
    fputs("\\fR", to);
    if (row->value) fprintf(to, " \\fI%s\\fR", row->value);
    fputc('\n', to);
    put_roff(to, row->help);
    sdw_buf range;
    sdw_buf_init(&range, 0);
    sdw_cli_option_range(row, &range);
    if (range.size) {
        fputs(" (", to);
        put_roff(to, range.data);
        fputc(')', to);
    }
    sdw_buf_finish(&range);
    fputc('\n', to);
}

static void man_command(FILE *to, const sdw_command *c)
{
    sdw_cli_options o;
    fill(c, &o);
    fprintf(to, ".TH SDW-%s 1 \"\" \"sdw %s\"\n.SH NAME\nsdw\\-", c->name, SDW_VERSION);
    put_roff(to, c->name);
    fputs(" \\- ", to);
    put_roff(to, c->summary);
    fputs("\n.SH SYNOPSIS\n.B sdw ", to);
    put_roff(to, c->name);
    fprintf(to, "%s %s\n.SH DESCRIPTION\n", o.count ? " [OPTIONS]" : "", c->words);
    put_roff(to, c->intro);
    fputs("\n", to);
    if (o.count) fputs(".SH OPTIONS\n", to);
    for (int i = 0; i < o.count; i++) man_option(to, &o, i);
    put_exit_codes(to);
    fputs(".SH SEE ALSO\n.BR sdw (1)\n", to);
}

static void man_overview(FILE *to)
{
    fprintf(to, ".TH SDW 1 \"\" \"sdw %s\"\n.SH NAME\nsdw \\- Stable Diffusion on your own machine\n.SH SYNOPSIS\n.B sdw\n"
                "COMMAND [OPTIONS]\n.SH COMMANDS\n", SDW_VERSION);
    for (int i = 0; sdw_command_at(i); i++) {
        const sdw_command *c = sdw_command_at(i);
        fputs(".TP\n.BR sdw\\-", to);
        put_roff(to, c->name);
        fputs(" (1)\n", to);
        put_roff(to, c->summary);
        fputc('\n', to);
    }
    put_exit_codes(to);
}

void sdw_cli_print_man(const sdw_command *c, FILE *to)
{
    if (c) man_command(to, c);
    else man_overview(to);
}
