/* Bytes that begin as jpeg: header, pixels as RGB and as grey, texts. */
#include "fuzz/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_picture("jpeg", data, size);
}
