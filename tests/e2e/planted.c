/* planted.c - see planted.h */
#include "planted.h"

#include <err.h>
#include <string.h>

#define HEX_ROOM "1024"

static struct planted all[PLANTED_MOST];
static size_t count;

static uint8_t
mask(size_t i)
{
	return (uint8_t)(i * 73 + 0x9b);
}

static void
read_hex(struct planted *p, const char *hex)
{
	unsigned byte;

	for (p->len = 0; sscanf(hex + 2 * p->len, "%2x", &byte) == 1; p->len++)
		p->masked[p->len] = (uint8_t)byte;
}

const struct planted *
planted_read(const char *file, size_t *ret_n)
{
	FILE *f = fopen(file, "re");
	char kind[8], hex[2 * PLANTED_LEN + 1];

	if (f == NULL)
		err(2, "%s", file);
	for (count = 0; count < PLANTED_MOST &&
	    fscanf(f, "%23s %7s %" HEX_ROOM "s", all[count].name, kind, hex) == 3; count++) {
		all[count].secret = strcmp(kind, "secret") == 0;
		read_hex(&all[count], hex);
	}
	if (!feof(f) || count == 0)
		errx(2, "%s: no secrets, or too many", file);
	fclose(f);
	if (ret_n != NULL)
		*ret_n = count;
	return all;
}

const struct planted *
planted_find(const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i].name, name) == 0)
			return &all[i];
	errx(2, "no secret %s", name);
}

void
planted_bare(const struct planted *p, uint8_t *dst)
{
	for (size_t i = 0; i < p->len; i++)
		dst[i] = p->masked[i] ^ mask(i);
}

bool
planted_is(const struct planted *p, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len && len == p->len; i++)
		if ((bytes[i] ^ mask(i)) != p->masked[i])
			return false;
	return len == p->len;
}

void
planted_write(FILE *f, const char *name, bool secret, const uint8_t *bytes, size_t len)
{
	if (len == 0 || len > PLANTED_LEN)
		errx(2, "%s has %zu bytes", name, len);
	fprintf(f, "%s %s ", name, secret ? "secret" : "public");
	for (size_t i = 0; i < len; i++)
		fprintf(f, "%02x", bytes[i] ^ mask(i));
	fputc('\n', f);
}
