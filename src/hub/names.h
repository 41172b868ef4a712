/* names.h - what may be called what: model ids, revisions, file paths of a repository, pasted addresses.
 * All checks are local. File names come from servers and are not trusted: what fails here never reaches the disk. */
#ifndef SDW_HUB_NAMES_H
#define SDW_HUB_NAMES_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/status.h"

#define SDW_HUB_ID_SIZE 97         /* 96 characters and the NUL */
#define SDW_HUB_REVISION_SIZE 201
#define SDW_HUB_FILE_SIZE 1025     /* a path within a repository */
#define SDW_HUB_COMMIT_SIZE 41     /* 40 hex digits and the NUL */
#define SDW_HUB_ETAG_SIZE 65       /* 40 or 64 hex digits and the NUL */

/* "name" or "namespace/name" of [A-Za-z0-9._-], 1..96 characters, no '-' or '.' at either end, no "--", no "..", not
 * ending in ".git". SDW_INVALID says what is wrong. */
sdw_status sdw_hub_check_id(const char *id, sdw_error *err);
bool sdw_hub_is_id(const char *id);
/* A branch, a tag, refs/pr/N or a commit: a relative path without "..", without characters that git refuses. */
sdw_status sdw_hub_check_revision(const char *revision, sdw_error *err);
/* 40 lower-case hex digits. */
bool sdw_hub_is_commit(const char *text);
/* 40 or 64 lower-case hex digits: names a blob by its content. */
bool sdw_hub_is_hash(const char *text);
/* A file's path within a repository: relative, segments split on '/' and '\\' neither empty nor "." nor "..", no drive
 * letter, no control character. `length` bytes, which may hold a NUL (refused). SDW_FORMAT, since a server sent it. */
sdw_status sdw_hub_check_file(const char *path, size_t length, sdw_error *err);
/* The same for a name without folders, such as a shard named by an index. */
sdw_status sdw_hub_check_basename(const char *name, size_t length, sdw_error *err);

/* What a person typed. */
typedef struct sdw_hub_name {
    char id[SDW_HUB_ID_SIZE];
    char revision[SDW_HUB_REVISION_SIZE]; /* "" = not given */
    char file[SDW_HUB_FILE_SIZE];         /* of a pasted address; "" = the whole repository */
} sdw_hub_name;

/* "ID", "ID@REVISION", or an address of a hub: https://huggingface.co/ID, .../ID/tree/REV, .../ID/blob/REV/FILE,
 * .../ID/resolve/REV/FILE, with hf.co or the host of `endpoint` (may be NULL) in its place. SDW_INVALID. */
sdw_status sdw_hub_name_parse(const char *text, const char *endpoint, sdw_hub_name *ret, sdw_error *err);
/* Is it an address of such a host (rather than of any other server)? */
bool sdw_hub_is_hub_address(const char *text, const char *endpoint);

/* Percent-encoding of RFC 3986: all but letters, digits and "-._~", and but '/' with keep_slash. */
bool sdw_hub_encode(sdw_buf *to, const char *text, bool keep_slash);

#endif
