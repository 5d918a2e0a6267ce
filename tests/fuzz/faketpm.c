/* faketpm.c - see faketpm.h: the input */
#include "faketpm.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t *at;
static size_t left;

void
faketpm_begin(const uint8_t *data, size_t size)
{
	at = data;
	left = size;
}

void
faketpm_fill(void *out, size_t len)
{
	size_t n = len < left ? len : left;

	if (n > 0)
		memcpy(out, at, n);
	memset((uint8_t *)out + n, 0, len - n);
	at += n;
	left -= n;
}

uint8_t
faketpm_byte(void)
{
	uint8_t v;

	faketpm_fill(&v, sizeof(v));
	return v;
}

uint32_t
faketpm_number(void)
{
	uint32_t v;

	faketpm_fill(&v, sizeof(v));
	return v;
}

size_t
faketpm_size(size_t max)
{
	uint16_t v;

	faketpm_fill(&v, sizeof(v));
	return v % (max + 1);
}

void *
faketpm_bytes(size_t len)
{
	void *p = malloc(len);

	if (p == NULL && len > 0)
		abort();
	faketpm_fill(p, len);
	return p;
}

bool
faketpm_honest(void)
{
	return faketpm_byte() % 4 != 3;
}

uint32_t
faketpm_code(void)
{
	return faketpm_byte() < 0xf0 ? 0 : faketpm_number();
}
