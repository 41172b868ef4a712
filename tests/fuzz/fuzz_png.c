/* Bytes that begin as png: header, pixels as RGB and as grey, texts. */
#include "fuzz/picture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_picture("png", data, size);
}
