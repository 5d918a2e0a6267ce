/* hex.c - see hex.h */
#include "common/hex.h"

#include <string.h>

static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";

char *
hex_put(char *dst, const uint8_t *src, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		dst[2 * i] = lower[src[i] >> 4];
		dst[2 * i + 1] = lower[src[i] & 15];
	}
	dst[2 * len] = '\0';
	return dst;
}

static bool
get(const char *src, uint8_t *dst, size_t len, bool any)
{
	if (strlen(src) != 2 * len)
		return false;
	for (size_t i = 0; i < 2 * len; i++) {
		const char *digits = lower, *d = strchr(lower, src[i]);
		uint8_t v;

		if (d == NULL && any)
			d = strchr(digits = upper, src[i]);
		if (d == NULL)
			return false;
		v = (uint8_t)(d - digits);
		dst[i / 2] = i % 2 == 0 ? (uint8_t)(v << 4) : (uint8_t)(dst[i / 2] | v);
	}
	return true;
}

bool
hex_get(const char *src, uint8_t *dst, size_t len)
{
	return get(src, dst, len, false);
}

bool
hex_get_any(const char *src, uint8_t *dst, size_t len)
{
	return get(src, dst, len, true);
}

void
hex_uuid(char dst[HEX_UUID], const uint8_t src[16])
{
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*dst++ = '-';
		hex_put(dst, src + i, 1);
		dst += 2;
	}
}

bool
hex_uuid_get(const char *src, uint8_t dst[16])
{
	char digits[33];
	size_t n = 0;

	if (strlen(src) != HEX_UUID - 1)
		return false;
	for (size_t i = 0; i < HEX_UUID - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash != (src[i] == '-'))
			return false;
		if (!dash)
			digits[n++] = src[i];
	}
	digits[n] = '\0';
	return get(digits, dst, 16, true);
}

void
hex_uuid_random(uint8_t id[16])
{
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
}
