/* hex.h - bytes as lower-case hexadecimal digits, and back. */
#ifndef CAAS_STORE_HEX_H
#define CAAS_STORE_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 2 * len digits and a NUL. */
void hex_put(char *dst, const uint8_t *src, size_t len);
/* Exactly 2 * len digits, or false. */
bool hex_get(const char *src, uint8_t *dst, size_t len);

#endif
