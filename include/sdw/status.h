/* status.h - what a call of libsdw answers: a code and, beside it, one sentence for a person.
 * A function returns sdw_status and fills sdw_error (which may be NULL). The sentence names the thing, the value
 * found and the value wanted; the lowest layer writes it and nobody above overwrites it. */
#ifndef SDW_STATUS_H
#define SDW_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, value, summary). Negative values, so that a count may share the int in callbacks. */
#define SDW_STATUS_LIST(X)                                                          \
    X(OK, 0, "success")                                                             \
    X(INVALID, -1, "a request or an option is outside what is allowed")             \
    X(NOT_FOUND, -2, "a file, folder, tensor or job does not exist")                \
    X(FORMAT, -3, "a file or text is damaged or is not of the format it claims")    \
    X(UNSUPPORTED, -4, "the thing is well formed, but this program cannot do it")   \
    X(NO_MEMORY, -5, "memory is, or would be, exhausted")                           \
    X(LIMIT, -6, "a named limit was exceeded")                                      \
    X(IO, -7, "the operating system refused to read or write")                      \
    X(CANCELLED, -8, "the caller asked to stop")                                    \
    X(NUMERIC, -9, "the computation gave values that are not finite")               \
    X(BUSY, -10, "a queue is full or a resource is taken; try again later")         \
    X(EXISTS, -11, "something is already there and must not be overwritten")        \
    X(INTERNAL, -12, "a guarantee of our own code does not hold")

typedef enum sdw_status {
#define SDW_STATUS_ENUM(name, value, summary) SDW_##name = (value),
    SDW_STATUS_LIST(SDW_STATUS_ENUM)
#undef SDW_STATUS_ENUM
} sdw_status;

#define SDW_ERROR_TEXT_MAX 512

/* Caller's storage; zero-initialise it. `field` names the request field at fault ("" if none). */
typedef struct sdw_error {
    sdw_status status;
    char field[32];
    char text[SDW_ERROR_TEXT_MAX];
} sdw_error;

/* "OK", "FORMAT", ...; "UNKNOWN" for a value that is no status. Static storage. */
const char *sdw_status_name(sdw_status status);
/* The summary from the list above. Static storage. */
const char *sdw_status_summary(sdw_status status);

#ifdef __cplusplus
}
#endif
#endif
