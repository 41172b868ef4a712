/* fuzz_stream_query.c - what names a job, a picture or an event in a request: ids, numbers, forms. What is taken is
 * written the one way that it is given out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/job_json.h"
#include "server/sse_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[256], again[32];
    sdw_job_id job;
    sdw_output_id output;
    sdw_sse_form form;
    unsigned bit = 0;
    size_t n = size < sizeof text - 1 ? size : sizeof text - 1;
    memcpy(text, data, n);
    text[n] = '\0';
    uint64_t id = sdw_sse_last_id(text);
    snprintf(again, sizeof again, "%llu", (unsigned long long)id);
    const char *digits = text + strspn(text, "0");
    if (id && strcmp(*digits ? digits : "0", again) != 0) abort();
    if (sdw_job_id_parse(text, &job) && strcmp(job.text, text) != 0) abort();
    if (sdw_output_id_parse(text, &output) && (strncmp(output.text, text, 32) != 0 || strchr(text, '/'))) abort();
    if (sdw_sse_form_parse(text, &form) && form != SDW_SSE_G2 && form != SDW_SSE_G1) abort();
    if (sdw_job_status_parse(text, &bit) && (bit == 0 || bit & (bit - 1))) abort();
    return 0;
}
