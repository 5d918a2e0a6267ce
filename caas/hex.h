/* hex.h - hexadecimal digits to bytes. */
#ifndef CAAS_HEX_H
#define CAAS_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exactly 2 * len digits. */
bool hex_read(const char *s, uint8_t *ret, size_t len);

#endif
