/* fields.h - what can be done with the rows of sdw_fields(): find one, set one from text, check a value, describe it.
 * A rule about one field lives in its row; rules between fields are checked by sdw_params_resolve. Any thread. */
#ifndef SDW_FIELDS_H
#define SDW_FIELDS_H

#include "sdw/sdw.h"

#ifdef __cplusplus
extern "C" {
#endif

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

/* Checks every given field of p against its row: range, multiple, length, choice. SDW_INVALID with the first field's
 * name; SDW_LIMIT for a text that is too long. */
sdw_status sdw_params_check_fields(const sdw_params *p, sdw_error *err);

/* "a whole number from 64 to 2048, a multiple of 8": what the row allows. Cut at `size`, always ended by a NUL. */
void sdw_field_describe(const sdw_field *f, char *text, size_t size);

/* One value of a choice field, also where a registry holds them. summary, label (AUTOMATIC1111's) and class_name (the
 * reference library's) are NULL where there is none. Static storage. */
typedef struct sdw_choice {
    const char *name, *summary, *label, *class_name;
} sdw_choice;

/* The index-th choice of a field; false past the end and for fields of another type. */
bool sdw_field_choice(const sdw_field *f, size_t index, sdw_choice *ret_choice);

#ifdef __cplusplus
}
#endif
#endif
