/* tokens.c - clip_tokens.json: texts with their ids, bare and padded to 77. Two vectors: all ids, all padded rows. */
#include <stdio.h>
#include <string.h>

#include "oracle/replay.h"
#include "text/prompt.h"

typedef struct tally {
    int rows, wrong, first_wrong;
} tally;

static void count_row(tally *t, int row, bool equal)
{
    if (!equal && t->wrong++ == 0) t->first_wrong = row;
    t->rows++;
}

static bool same_ids(yyjson_val *want, const int32_t *ids, size_t count)
{
    if (yyjson_arr_size(want) != count) return false;
    yyjson_arr_iter it;
    yyjson_arr_iter_init(want, &it);
    for (size_t i = 0; i < count; i++) {
        yyjson_val *v = yyjson_arr_iter_next(&it);
        if (!yyjson_is_int(v) || yyjson_get_sint(v) != ids[i]) return false;
    }
    return true;
}

/* The row that a tokenizer pads and cuts to 77. */
static bool same_padded(yyjson_val *want, const sdw_clip_bpe *tokenizer, const sdw_ids *ids)
{
    int32_t row[SDW_CLIP_LENGTH];
    size_t room = SDW_CLIP_LENGTH - 2, kept = ids->count < room ? ids->count : room;
    for (size_t i = 0; i < SDW_CLIP_LENGTH; i++) row[i] = sdw_clip_bpe_pad(tokenizer);
    row[0] = sdw_clip_bpe_bos(tokenizer);
    if (kept) memcpy(row + 1, ids->id, kept * sizeof *row);
    row[kept + 1] = sdw_clip_bpe_eos(tokenizer);
    return same_ids(want, row, SDW_CLIP_LENGTH);
}

/* Prompts are texts that end at a NUL: a row with a NUL inside is padded here, all others as prompts are. */
static bool check_padded(const sdw_clip_bpe *tokenizer, yyjson_val *want, yyjson_val *text, const sdw_ids *ids)
{
    sdw_prompt_ids prompt = { 0 };
    const sdw_prompt_options options = { .truncate = true };
    if (strlen(yyjson_get_str(text)) != yyjson_get_len(text)) return same_padded(want, tokenizer, ids);
    bool same = sdw_prompt_encode(tokenizer, yyjson_get_str(text), &options, &prompt, NULL, NULL) == SDW_OK &&
                same_ids(want, prompt.ids, (size_t)prompt.length);
    sdw_prompt_ids_finish(&prompt);
    return same;
}

static void check_row(const sdw_clip_bpe *tokenizer, yyjson_val *object, int row, tally *bare, tally *padded)
{
    yyjson_val *text = yyjson_obj_get(object, "text");
    sdw_ids ids = { 0 };
    bool encoded = yyjson_is_str(text) &&
                   sdw_clip_bpe_encode(tokenizer, yyjson_get_str(text), yyjson_get_len(text), &ids, NULL) == SDW_OK;
    count_row(bare, row, encoded && same_ids(yyjson_obj_get(object, "ids"), ids.id, ids.count));
    count_row(padded, row, encoded && check_padded(tokenizer, yyjson_obj_get(object, "padded77"), text, &ids));
    sdw_ids_finish(&ids);
}

static void tell_tally(sdw_replay *r, const char *name, const tally *t)
{
    char reason[120];
    if (t->wrong) snprintf(reason, sizeof reason, "%d of %d rows differ, first row %d", t->wrong, t->rows, t->first_wrong);
    else snprintf(reason, sizeof reason, "%d rows equal", t->rows);
    if (r->options->only && !strstr(name, r->options->only)) return;
    sdw_replay_tell(r, t->wrong || !t->rows ? SDW_ORACLE_FAILED : SDW_ORACLE_PASSED, name, reason);
}

sdw_status sdw_replay_tokens(sdw_replay *r, const char *path, const char *tokenizer_dir, sdw_error *err)
{
    sdw_clip_bpe *tokenizer = NULL;
    yyjson_doc *doc = NULL;
    tally bare = { 0 }, padded = { 0 };
    const sdw_json_limits limits = { .top = SDW_JSON_ARRAY };
    sdw_status s = tokenizer_dir ? sdw_clip_bpe_open_dir(tokenizer_dir, &tokenizer, err)
                                 : sdw_clip_bpe_open_builtin(49407, &tokenizer, err);
    if (s == SDW_OK) s = sdw_json_read_file(path, &limits, &doc, err);
    if (s == SDW_OK) {
        yyjson_arr_iter it;
        yyjson_arr_iter_init(yyjson_doc_get_root(doc), &it);
        int row = 0;
        for (yyjson_val *v; (v = yyjson_arr_iter_next(&it)); row++) check_row(tokenizer, v, row, &bare, &padded);
        tell_tally(r, "clip_tokens.ids", &bare);
        tell_tally(r, "clip_tokens.padded77", &padded);
    }
    yyjson_doc_free(doc);
    sdw_clip_bpe_close(tokenizer);
    return s;
}
