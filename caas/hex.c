/* hex.c - see hex.h */
#include "caas/hex.h"

#include <ctype.h>
#include <string.h>

bool
hex_read(const char *s, uint8_t *ret, size_t len)
{
	if (strlen(s) != 2 * len)
		return false;
	for (size_t i = 0; i < 2 * len; i++) {
		int c = tolower((unsigned char)s[i]);
		const char *digits = "0123456789abcdef", *d = strchr(digits, c);

		if (d == NULL)
			return false;
		ret[i / 2] = (uint8_t)(ret[i / 2] << 4 | (d - digits));
	}
	return true;
}
