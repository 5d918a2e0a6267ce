/* hex.h - bytes as lower-case hexadecimal digits, and back; as a UUID. */
#ifndef CAAS_COMMON_HEX_H
#define CAAS_COMMON_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2 * len digits and a NUL.  Returns dst. */
char *hex_put(char *dst, const uint8_t *src, size_t len);
/* Exactly 2 * len digits as hex_put() writes them, or false, and dst may have changed. */
bool hex_get(const char *src, uint8_t *dst, size_t len);
/* The same of what a person wrote: A to F too. */
bool hex_get_any(const char *src, uint8_t *dst, size_t len);

#define HEX_UUID 37
/* 16 bytes as a UUID is written, and a NUL. */
void hex_uuid(char dst[HEX_UUID], const uint8_t src[16]);
/* The same back, in letters of either case; false when it is none, and dst may have changed. */
bool hex_uuid_get(const char *src, uint8_t dst[16]);
/* Set the bits that say of 16 random bytes that they are a random UUID (version 4). */
void hex_uuid_random(uint8_t id[16]);

#endif
