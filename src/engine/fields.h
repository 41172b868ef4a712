/* fields.h - what can be done with the rows of sdw_fields(): find one, set one from text, check a value, print it.
 * A rule about one field lives in its row; rules between fields live in resolve.c. Any thread. */
#ifndef SDW_ENGINE_FIELDS_H
#define SDW_ENGINE_FIELDS_H

#include "core/buf.h"
#include "core/status.h"
#include "sdw/sdw.h"

/* '-' and '_' are equal in `name`; NULL if there is no such field. */
const sdw_field *sdw_field_find(const char *name);

/* Does p hold a value other than the "not given" of sdw_params_init? */
bool sdw_field_given(const sdw_field *f, const sdw_params *p);

/* Sets a field from what a person typed; the text is borrowed as long as p is used. Choices may be written with '_'
 * for '-' and in any case; p then holds the canonical name. A seed may be "random" or "-1": not given. Pictures cannot
 * be typed. SDW_INVALID with the field's name, the value and what is wanted. */
sdw_status sdw_field_parse(const sdw_field *f, const char *text, sdw_params *p, sdw_error *err);

/* The same for a value that came as a number (JSON); `number` of a switch is 0 or 1. */
sdw_status sdw_field_set_number(const sdw_field *f, double number, sdw_params *p, sdw_error *err);

/* Checks every given field of p against its row: range, multiple, length, choice. Samplers and schedules are checked
 * by the sampling code, which owns their names. SDW_INVALID with the first field's name. */
sdw_status sdw_params_check_fields(const sdw_params *p, sdw_error *err);

/* "a whole number from 64 to 2048, a multiple of 8": what the row allows, for errors and help. */
void sdw_field_describe(const sdw_field *f, sdw_buf *out);

#endif
