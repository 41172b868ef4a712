/* fingerprint.h - tells whether two models are the same without reading all of them. */
#ifndef SDW_WORKER_FINGERPRINT_H
#define SDW_WORKER_FINGERPRINT_H

#include "core/digest.h"
#include "sdw/sdw.h"

/* SHA-256 over the options that change what a model is, and of each of its files, in the order of their names: name, size,
 * first and last 64 KiB. Another checkpoint, another configuration or a cut file gives another one; the same files in
 * another place give the same. So do all machines: of the precision only that it is not "f32" counts, which o->precision
 * must name as it is in effect. "" if there is no such model. Reads from disk. */
sdw_status sdw_model_fingerprint(const sdw_engine_options *o, char ret[SDW_DIGEST_HEX_SIZE], sdw_error *err);

#endif
