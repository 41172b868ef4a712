/* fuzz_request.c - requests stored in pictures: what is read is written and read again as the same text. */
#include <stdlib.h>
#include <string.h>

#include "sdw/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sdw_request_record first = { 0 }, second = { 0 };
    char *one = NULL, *two = NULL;
    sdw_error err = { 0 };
    if (sdw_request_read_json((const char *)data, size, "fuzz", &first, NULL, NULL, &err) != SDW_OK) return 0;
    if (sdw_request_write_json(&first, &one, &err) == SDW_OK) {
        if (sdw_request_read_json(one, strlen(one), "again", &second, NULL, NULL, &err) != SDW_OK) abort();
        if (sdw_request_write_json(&second, &two, &err) != SDW_OK || strcmp(one, two) != 0) abort();
    }
    sdw_text_free(one);
    sdw_text_free(two);
    sdw_request_finish(&first);
    sdw_request_finish(&second);
    return 0;
}
