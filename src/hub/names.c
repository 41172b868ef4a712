/* names.c - see names.h. */
#include "hub/names.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

static bool is_alnum(char c)
{
    return c && strchr(alnum, c);
}

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t n = strlen(end);
    return length >= n && memcmp(text + length - n, end, n) == 0;
}

/* ---- model ids ---- */

static const char *id_fault(const char *id)
{
    size_t n = strlen(id);
    const char *slash = strchr(id, '/');
    if (n == 0 || n >= SDW_HUB_ID_SIZE) return "want 1 to 96 characters";
    for (const char *c = id; *c; c++)
        if (!is_alnum(*c) && !strchr("._-/", *c)) return "want letters, digits, '.', '_' and '-' only";
    if (slash && strchr(slash + 1, '/')) return "want at most one '/'";
    if (slash && (slash == id || !slash[1])) return "want a name on both sides of '/'";
    const char *name = slash ? slash + 1 : id, *last = id + n - 1;
    if (*id == '-' || *id == '.' || *name == '-' || *name == '.' || *last == '-' || *last == '.' ||
        (slash && (slash[-1] == '-' || slash[-1] == '.')))
        return "want no '-' or '.' at either end";
    if (strstr(id, "--") || strstr(id, "..")) return "want no '--' and no '..'";
    if (ends_with(id, n, ".git")) return "want a name that does not end in .git";
    return NULL;
}

sdw_status sdw_hub_check_id(const char *id, sdw_error *err)
{
    const char *fault = id_fault(id);
    if (!fault) return SDW_OK;
    return sdw_fail(err, SDW_INVALID, "'%.120s' is no repository id: %s, such as stabilityai/sdxl-turbo", id, fault);
}

bool sdw_hub_is_id(const char *id)
{
    return id_fault(id) == NULL;
}

/* ---- hashes, commits, revisions ---- */

static bool is_hex(const char *text, size_t length)
{
    return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

bool sdw_hub_is_commit(const char *text)
{
    return is_hex(text, 40);
}

bool sdw_hub_is_hash(const char *text)
{
    return is_hex(text, 40) || is_hex(text, 64);
}

/* What git itself refuses in a reference, and what would leave refs/ on disk. */
static const char *revision_fault(const char *revision)
{
    size_t n = strlen(revision);
    if (n == 0 || n >= SDW_HUB_REVISION_SIZE) return "want 1 to 200 characters";
    for (const unsigned char *c = (const unsigned char *)revision; *c; c++)
        if (*c <= ' ' || *c == 0x7f || strchr("\\~^:?*[", *c)) return "want no blanks and none of \\ ~ ^ : ? * [";
    if (*revision == '/' || revision[n - 1] == '/' || strstr(revision, "//")) return "want no empty part between '/'";
    if (strstr(revision, "..") || *revision == '.' || strstr(revision, "/.") || revision[n - 1] == '.')
        return "want no part that begins with '.' and no '..'";
    if (ends_with(revision, n, ".lock")) return "want a name that does not end in .lock";
    return NULL;
}

sdw_status sdw_hub_check_revision(const char *revision, sdw_error *err)
{
    const char *fault = revision_fault(revision);
    if (!fault) return SDW_OK;
    return sdw_fail(err, SDW_INVALID, "'%.120s' is no revision: %s; a branch, a tag or a commit", revision, fault);
}

/* ---- file names from outside ---- */

static const char *segment_fault(const char *segment, size_t length)
{
    if (length == 0) return "it has an empty part";
    if (length == 1 && segment[0] == '.') return "it has a part '.'";
    if (length == 2 && segment[0] == '.' && segment[1] == '.') return "it has a part '..'";
    if (length > 255) return "a part is longer than 255 bytes";
    return NULL;
}

static const char *file_fault(const char *path, size_t length)
{
    if (length == 0) return "it is empty";
    if (length >= SDW_HUB_FILE_SIZE) return "it is longer than 1024 bytes";
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)path[i] < ' ' || path[i] == 0x7f) return "it holds a control character";
    if (path[0] == '/' || path[0] == '\\') return "it is absolute";
    if (length >= 2 && path[1] == ':' && is_alnum(path[0])) return "it begins with a drive letter";
    size_t begin = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && path[i] != '/' && path[i] != '\\') continue;
        const char *fault = segment_fault(path + begin, i - begin);
        if (fault) return fault;
        begin = i + 1;
    }
    return NULL;
}

/* Control characters must not reach a terminal. */
static void printable(char to[128], const char *path, size_t length)
{
    size_t n = length < 120 ? length : 120;
    for (size_t i = 0; i < n; i++) to[i] = (unsigned char)path[i] < ' ' || path[i] == 0x7f ? '?' : path[i];
    to[n] = '\0';
}

sdw_status sdw_hub_check_file(const char *path, size_t length, sdw_error *err)
{
    char shown[128];
    const char *fault = file_fault(path, length);
    if (!fault) return SDW_OK;
    printable(shown, path, length);
    return sdw_fail(err, SDW_FORMAT, "file name '%s' is refused: %s; want a relative path", shown, fault);
}

sdw_status sdw_hub_check_basename(const char *name, size_t length, sdw_error *err)
{
    char shown[128];
    sdw_status s = sdw_hub_check_file(name, length, err);
    if (s != SDW_OK || (!memchr(name, '/', length) && !memchr(name, '\\', length))) return s;
    printable(shown, name, length);
    return sdw_fail(err, SDW_FORMAT, "file name '%s' is refused: it has folders; want a plain name", shown);
}

/* ---- what a person typed ---- */

/* What follows the host of an address whose host is a hub's; NULL for anything else. */
static const char *after_hub_host(const char *text, const char *endpoint)
{
    static const char *const prefixes[] = { "https://huggingface.co/", "https://hf.co/", "https://www.huggingface.co/" };
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (!strncasecmp(text, prefixes[i], strlen(prefixes[i]))) return text + strlen(prefixes[i]);
    size_t n = endpoint ? strlen(endpoint) : 0;
    if (n && !strncasecmp(text, endpoint, n) && text[n] == '/') return text + n + 1;
    return NULL;
}

bool sdw_hub_is_hub_address(const char *text, const char *endpoint)
{
    return after_hub_host(text, endpoint) != NULL;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Percent-decodes [text, text + length); false if the result does not fit or holds a NUL. */
static bool decode(char *to, size_t size, const char *text, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%' && i + 2 < length && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
            c = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            i += 2;
        }
        if (!c || n + 1 >= size) return false;
        to[n++] = c;
    }
    to[n] = '\0';
    return true;
}

/* "org/name", then nothing, or "/KIND/REV", or "/KIND/REV/FILE" with KIND blob, resolve or tree. */
static bool split_address(const char *path, sdw_hub_name *name)
{
    size_t length = strcspn(path, "?#");
    while (length && path[length - 1] == '/') length--;
    const char *end = path + length, *slash = memchr(path, '/', length);
    const char *kind = slash ? memchr(slash + 1, '/', (size_t)(end - slash - 1)) : NULL;
    if (!kind) return decode(name->id, sizeof name->id, path, length);
    if (!decode(name->id, sizeof name->id, path, (size_t)(kind - path))) return false;
    const char *revision = memchr(kind + 1, '/', (size_t)(end - kind - 1));
    if (!revision) return false;
    size_t kind_length = (size_t)(revision - kind - 1);
    bool tree = kind_length == 4 && !strncmp(kind + 1, "tree", 4);
    bool file = (kind_length == 4 && !strncmp(kind + 1, "blob", 4)) || (kind_length == 7 && !strncmp(kind + 1, "resolve", 7));
    revision++;
    const char *rest = memchr(revision, '/', (size_t)(end - revision));
    if (file && rest)
        return decode(name->revision, sizeof name->revision, revision, (size_t)(rest - revision)) &&
               decode(name->file, sizeof name->file, rest + 1, (size_t)(end - rest - 1));
    return tree && !rest && decode(name->revision, sizeof name->revision, revision, (size_t)(end - revision));
}

static bool split_plain(const char *text, sdw_hub_name *name)
{
    const char *at = strchr(text, '@');
    size_t n = at ? (size_t)(at - text) : strlen(text);
    if (n >= sizeof name->id || (at && (!at[1] || strlen(at + 1) >= sizeof name->revision))) return false;
    memcpy(name->id, text, n);
    if (at) snprintf(name->revision, sizeof name->revision, "%s", at + 1);
    return true;
}

sdw_status sdw_hub_name_parse(const char *text, const char *endpoint, sdw_hub_name *ret, sdw_error *err)
{
    sdw_hub_name name = { 0 };
    const char *path = after_hub_host(text, endpoint);
    if (!(path ? split_address(path, &name) : split_plain(text, &name)))
        return sdw_fail(err, SDW_INVALID, "'%.200s': want %s", text,
                        path ? "an address that ends in ID, ID/tree/REVISION or ID/resolve/REVISION/FILE"
                             : "ID or ID@REVISION, such as stabilityai/sdxl-turbo@main");
    sdw_status s = sdw_hub_check_id(name.id, err);
    if (s == SDW_OK && name.revision[0]) s = sdw_hub_check_revision(name.revision, err);
    if (s == SDW_OK && name.file[0]) s = sdw_hub_check_file(name.file, strlen(name.file), err);
    if (s == SDW_FORMAT) {
        s = SDW_INVALID; /* a person typed it, no server sent it */
        if (err) err->status = s;
    }
    if (s == SDW_OK) *ret = name;
    return s;
}

bool sdw_hub_encode(sdw_buf *to, const char *text, bool keep_slash)
{
    bool ok = true;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (is_alnum((char)*c) || strchr("-._~", *c) || (keep_slash && *c == '/')) ok = sdw_buf_append(to, c, 1);
        else ok = sdw_buf_printf(to, "%%%02X", *c);
    }
    return ok;
}
