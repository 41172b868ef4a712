/* secret.h - comparing and naming secrets. Any thread. */
#ifndef SDW_CORE_SECRET_H
#define SDW_CORE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Takes the same time wherever the two differ, and tells nothing of the secret's length. */
bool sdw_secret_equal(const char *secret, const char *given, size_t given_size);

#define SDW_SECRET_FINGERPRINT_SIZE 7
/* Six hexadecimal digits that tell two keys apart in a log; "" if there is no memory. */
void sdw_secret_fingerprint(const char *secret, char ret[SDW_SECRET_FINGERPRINT_SIZE]);

/* Writes zeros where the compiler may not leave it out. */
void sdw_secret_wipe(void *bytes, size_t size);

#endif
