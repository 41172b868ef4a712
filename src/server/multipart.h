/* multipart.h - multipart/form-data (RFC 7578) of a body that is in memory. Any thread. */
#ifndef SDW_SERVER_MULTIPART_H
#define SDW_SERVER_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "core/status.h"

#define SDW_MULTIPART_PARTS_MAX 64
#define SDW_MULTIPART_NAME_MAX 256 /* bytes, the NUL counted */

typedef struct sdw_part {
    char name[SDW_MULTIPART_NAME_MAX]; /* "image[]" */
    bool is_file;                      /* it has a file name; which is of no interest */
    const char *bytes;                 /* in the body, not ended by a NUL */
    size_t size;
} sdw_part;

typedef struct sdw_multipart {
    sdw_part parts[SDW_MULTIPART_PARTS_MAX];
    int count;
} sdw_multipart;

/* Whether the type is multipart/form-data, with or without a boundary. */
bool sdw_is_multipart(const char *content_type);
/* ret's parts point into body. A part's own content type is ignored: what a picture is, its first bytes tell.
 * SDW_INVALID with what is wrong: no boundary, no closing boundary, a part without a name, too many parts, a name that is
 * too long. */
sdw_status sdw_multipart_parse(const char *content_type, const char *body, size_t size, sdw_multipart *ret, sdw_error *err);

/* The first part of that name; NULL if there is none. */
const sdw_part *sdw_multipart_find(const sdw_multipart *m, const char *name);

#endif
