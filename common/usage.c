/* usage.c - see usage.h */
#include "common/usage.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
usage_mistake(const char *program, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", program);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry %s --help.\n", program);
	exit(2);
}

unsigned long
usage_number(const char *program, const char *option, const char *s, int base, unsigned long min,
    unsigned long max)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(s, &end, base);
	if (errno != 0 || *end != '\0' || s[0] < '0' || s[0] > '9' || v < min || v > max)
		usage_mistake(program,
		    base == 8 ? "--%s %s: wants an octal number from %lo to %lo"
			      : "--%s %s: wants a number from %lu to %lu",
		    option, s, min, max);
	return v;
}
