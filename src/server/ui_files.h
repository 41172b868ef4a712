/* ui_files.h - the page that the program carries. */
#ifndef SDW_SERVER_UI_FILES_H
#define SDW_SERVER_UI_FILES_H

#include <stddef.h>

typedef struct sdw_ui_file {
    const char *path;      /* below "/", such as "page.js"; the page itself is "index.html" */
    const char *encoding;  /* "", "gzip" or "br": of these bytes */
    const unsigned char *bytes;
    const size_t *size;
} sdw_ui_file;

/* Made by the build (cmake/ui.cmake), sorted by path; every path is there without an encoding. Ends with path NULL. */
extern const sdw_ui_file sdw_ui_files[];

/* By the ending of the name; "application/octet-stream" if it is none of ours. */
const char *sdw_ui_mime(const char *path);

#endif
