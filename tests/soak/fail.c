/* fail.c - what was wrong; see soak.h */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "protocol/names.h"
#include "tests/soak/soak.h"

void
fail(const struct job *j, const char *format, ...)
{
	char line[1024];
	va_list ap;
	int n = snprintf(line, sizeof(line),
	    "soak: FAIL %s role=%s life=%u seed=%lu pid=%d thread=%u step=%lu: ",
	    soak.name, soak.role->name, soak.life, soak.seed, (int)getpid(), j->number,
	    j->step);

	va_start(ap, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n, format, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "%s\n", line);
	_exit(3);
}

void
expect(const struct job *j, const char *call, CK_RV rv, CK_RV want)
{
	if (rv == want)
		return;
	if (want == CKR_OK)
		fail(j, "%s: %s", call, ck_rv_name(rv));
	fail(j, "%s: %s (0x%lx), not 0x%lx", call, ck_rv_name(rv), rv, want);
}
