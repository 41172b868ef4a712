/* A tokenizer folder and a text for it, in one input: vocab.json, merges.txt, tokenizer_config.json,
 * special_tokens_map.json and the text, set apart by bytes 0xff. An empty third or fourth part is a missing file. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text/clip_bpe.h"

#define PARTS 5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) abort();
}

static void use(const sdw_clip_bpe *t, const char *text, size_t size)
{
    sdw_ids ids = { 0 };
    sdw_error err = { 0 };
    sdw_buf out;
    sdw_buf_init(&out, 0);
    if (sdw_clip_bpe_encode(t, text, size, &ids, &err) == SDW_OK) {
        for (size_t i = 0; i < ids.count; i++) require(ids.id[i] >= 0 && ids.id[i] <= sdw_clip_bpe_max_id(t));
        require(sdw_clip_bpe_decode(t, ids.id, ids.count, &out, NULL) == SDW_OK);
    } else {
        require(err.text[0] && ids.count == 0);
    }
    sdw_buf_finish(&out);
    sdw_ids_finish(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *part[PARTS] = { "", "", "", "", "" };
    size_t part_size[PARTS] = { 0 };
    const uint8_t *end = data + size;
    for (int i = 0; i < PARTS && data < end; i++) {
        const uint8_t *stop = memchr(data, 0xff, (size_t)(end - data));
        if (!stop) stop = end;
        part[i] = (const char *)data;
        part_size[i] = (size_t)(stop - data);
        data = stop < end ? stop + 1 : end;
    }
    const sdw_clip_bpe_texts texts = {
        "folder", part[0], part[1], part_size[2] ? part[2] : NULL, part_size[3] ? part[3] : NULL,
        part_size[0], part_size[1], part_size[2], part_size[3],
    };
    sdw_error err = { 0 };
    sdw_clip_bpe *t = NULL;
    if (sdw_clip_bpe_open_texts(&texts, &t, &err) == SDW_OK) use(t, part[4], part_size[4]);
    else require(err.text[0] && !t);
    sdw_clip_bpe_close(t);
    return 0;
}
