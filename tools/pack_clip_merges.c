/* pack_clip_merges.c - makes src/text/data/clip_merges.bin from a published merges.txt of CLIP. Run once, by hand:
 *     pack_clip_merges merges.txt clip_merges.bin
 * The vocabulary follows from the merges: ids 0..255 are the bytes in CLIP's order, 256..511 the same at a word's end,
 * 512 + k is what merge k makes. So a merge is a pair of smaller ids, written as two 16-bit numbers, low byte first. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MERGES 48894
#define FIRST_MERGE 512
#define TOKENS (FIRST_MERGE + MERGES)
#define TOKEN_MAX 256
#define WORD_END "</w>"

static char token[TOKENS][TOKEN_MAX];
static uint32_t slot[1 << 17]; /* open addressing on the text; id + 1, 0 = free */

static uint32_t *find(const char *text)
{
    uint32_t h = 2166136261u;
    for (const char *p = text; *p; p++) h = (h ^ (unsigned char)*p) * 16777619u;
    for (h &= (1 << 17) - 1; slot[h] && strcmp(token[slot[h] - 1], text) != 0;) h = (h + 1) & ((1 << 17) - 1);
    return &slot[h];
}

static void add(uint32_t id, const char *a, const char *b)
{
    if (snprintf(token[id], TOKEN_MAX, "%s%s", a, b) >= TOKEN_MAX) exit(EXIT_FAILURE);
    *find(token[id]) = id + 1;
}

static int is_printable(int byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/* Printable bytes stand for themselves (as code points of Latin-1), the others for 256, 257, ... in order. */
static void add_bytes(void)
{
    uint32_t id = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int byte = 0, other = 256; byte < 256; byte++) {
            int code = is_printable(byte) ? byte : other++;
            if (is_printable(byte) != !pass) continue;
            char utf8[3] = { (char)code, 0, 0 };
            if (code >= 128) {
                utf8[0] = (char)(0xc0 | code >> 6);
                utf8[1] = (char)(0x80 | (code & 0x3f));
            }
            add(id, utf8, "");
            add(256 + id++, utf8, WORD_END);
        }
    }
}

static int pack(FILE *in, FILE *out)
{
    char line[2 * TOKEN_MAX], left[TOKEN_MAX], right[TOKEN_MAX];
    uint32_t id = FIRST_MERGE;
    add_bytes();
    while (id < TOKENS && fgets(line, sizeof line, in)) {
        if (strstr(line, "#version") || sscanf(line, "%255s %255s", left, right) != 2) continue;
        uint32_t pair[2] = { *find(left), *find(right) };
        for (int i = 0; i < 2; i++) {
            if (pair[i] == 0) return -1;
            putc((int)((pair[i] - 1) & 255), out);
            putc((int)((pair[i] - 1) >> 8), out);
        }
        add(id++, left, right);
    }
    return id == TOKENS ? 0 : -1;
}

int main(int argc, char **argv)
{
    FILE *in = argc == 3 ? fopen(argv[1], "rb") : NULL, *out = in ? fopen(argv[2], "wb") : NULL;
    if (!out || pack(in, out) != 0 || fclose(out) != 0) {
        fprintf(stderr, "usage: pack_clip_merges merges.txt clip_merges.bin (merges.txt with CLIP's %d merges)\n", MERGES);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
