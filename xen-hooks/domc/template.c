/* template.c - see template.h */
#include "xen-hooks/domc/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t
template_number(const struct template *t, size_t i)
{
	const uint8_t *b = t->bytes + i * TEMPLATE_RECORD;

	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

const uint8_t *
template_at(const struct template *t, size_t i)
{
	return t->bytes + i * TEMPLATE_RECORD + 4;
}

bool
template_zero(const uint8_t *bytes, size_t len)
{
	return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

int
template_parse(struct template *t, uint8_t *bytes, size_t len)
{
	t->bytes = bytes;
	t->n = len / TEMPLATE_RECORD;
	if (len % TEMPLATE_RECORD != 0 || t->n == 0 || t->n > TEMPLATE_MAX ||
	    template_number(t, 0) != 0)
		goto bad;
	for (size_t i = 1; i < t->n; i++)
		if (template_number(t, i) <= template_number(t, i - 1))
			goto bad;
	return 0;
bad:
	errno = EINVAL;
	return -1;
}

int
template_read(struct template *t, const char *path)
{
	const size_t max = TEMPLATE_MAX * TEMPLATE_RECORD + 1;
	uint8_t *bytes = malloc(max);
	size_t len = 0;
	ssize_t n = -1;
	int fd;

	memset(t, 0, sizeof(*t));
	if (bytes == NULL)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len < max && (n = read(fd, bytes + len, max - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (n >= 0 && template_parse(t, bytes, len) == 0)
		return 0;
	free(bytes);
	memset(t, 0, sizeof(*t));
	return -1;
}

void
template_free(struct template *t)
{
	free(t->bytes);
	memset(t, 0, sizeof(*t));
}

const uint8_t *
template_block(const struct template *t, uint64_t number)
{
	for (size_t i = 0; i < t->n && template_number(t, i) <= number; i++)
		if (template_number(t, i) == number)
			return template_at(t, i);
	return NULL;
}
