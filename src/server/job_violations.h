/* job_violations.h - inside job_body: one sentence and one constraint word for each thing that is wrong with a field. */
#ifndef SDW_SERVER_JOB_VIOLATIONS_H
#define SDW_SERVER_JOB_VIOLATIONS_H

#include "server/job_body.h"
#include "server/native_fields.h"

/* Each adds one violation; past SDW_VIOLATIONS_MAX it is dropped, without memory the body is marked. The key is what the
 * client called the field. */

/* "`steps`: a string given, want a whole number from 1 to 150" */
void sdw_violate_type(sdw_job_body *b, const char *key, const char *want, yyjson_val *given);
/* "missing field `prompt`" */
void sdw_violate_required(sdw_job_body *b, const char *key);
/* "Steps must be between 1 and 150, got 151" */
void sdw_violate_range(sdw_job_body *b, const sdw_native_field *f, yyjson_val *given);
/* A choice; `detail` may be NULL, else it is the whole sentence. */
void sdw_violate_choice(sdw_job_body *b, const char *key, const sdw_field *row, const char *given, const char *detail);
/* Any other: texts as they stand; value may be NULL. */
#if defined(__GNUC__)
__attribute__((format(printf, 5, 6)))
#endif
void sdw_violate(sdw_job_body *b, const char *key, const char *constraint, const char *value, const char *format, ...);

/* What a row allows, for a person; into `text`. */
void sdw_native_describe(const sdw_native_field *f, char *text, size_t size);
/* A scalar as it would be typed: 21, 0.5, "x" without quotes, true; shortened to some 60 bytes. */
const char *sdw_value_text(sdw_job_body *b, yyjson_val *v);

#endif
