/* What a single file says about itself in its header: configurations of a whole model, in one text. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/mem.h"
#include "model/model_files_impl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[SDW_PART_COUNT] = { "text_encoder", "text_encoder_2", "unet", "vae" };
    sdw_error err = { 0 };
    char *text = sdw_strndup((const char *)data, size);
    sdw_model_files_impl *m = sdw_calloc(1, sizeof *m);
    if (text && m) {
        for (int i = 0; i < SDW_PART_COUNT; i++) m->pub.part[i].name = names[i];
        m->pub.path = sdw_strdup("fuzz");
        if (m->pub.path) (void)sdw_model_carried_read(m, text, &err);
        sdw_model_files_close(&m->pub);
    } else {
        sdw_free(m);
    }
    sdw_free(text);
    return 0;
}
