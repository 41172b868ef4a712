/* sdapi_info.h - "info" of an AUTOMATIC1111 answer: what was drawn, as JSON inside a JSON string (http-apis 4.4). */
#ifndef SDW_SERVER_SDAPI_INFO_H
#define SDW_SERVER_SDAPI_INFO_H

#include "core/buf.h"
#include "server/http.h"

typedef struct sdw_sdapi_facts {
    int batch_size;
    bool image_call, send_images;
    char *echo;              /* the request with defaults; owned */
} sdw_sdapi_facts;

/* The whole answer: {"images","parameters","info"} of a completed job. model_hash: NULL = not known. False: a picture is
 * gone. */
bool sdw_sdapi_write_answer(sdw_worker *w, const sdw_sdapi_facts *f, const sdw_job_view *v, const char *model_hash, sdw_buf *out);

#endif
