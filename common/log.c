/* log.c - see log.h */
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char name[32] = "caas";
static enum log_level max_level = LOG_INFO_;

static const char *const words[] = {"error", "warning", "info", "debug"};
static const int syslog_levels[] = {3, 4, 6, 7};

void
log_name(const char *s)
{
	snprintf(name, sizeof(name), "%s", s);
}

void
log_level(enum log_level level)
{
	max_level = level;
}

int
log_level_parse(const char *s)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(s, words[i]) == 0)
			return (int)i;
	return -1;
}

__attribute__((format(printf, 2, 0))) static void
vlog(enum log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	int saved = errno, n, m;

	if (level > max_level)
		return;
	if (getenv("JOURNAL_STREAM") != NULL)
		n = snprintf(line, sizeof(line), "<%d>%s: ", syslog_levels[level], name);
	else
		n = snprintf(line, sizeof(line), "%s %s: ", words[level], name);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	n = m < 0 ? n : n + m;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0) {
		/* Nowhere left to complain. */
	}
	errno = saved;
}

#define LOG_AT(level)                                                                    \
	do {                                                                             \
		va_list ap;                                                              \
		va_start(ap, fmt);                                                       \
		vlog(level, fmt, ap);                                                    \
		va_end(ap);                                                              \
	} while (0)

void
log_error(const char *fmt, ...)
{
	LOG_AT(LOG_ERR_);
}

void
log_warn(const char *fmt, ...)
{
	LOG_AT(LOG_WARN_);
}

void
log_info(const char *fmt, ...)
{
	LOG_AT(LOG_INFO_);
}

void
log_debug(const char *fmt, ...)
{
	LOG_AT(LOG_DEBUG_);
}

void
log_fatal(const char *fmt, ...)
{
	LOG_AT(LOG_ERR_);
	exit(1);
}

const char *
log_quote(char *dst, size_t size, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	size_t n = 0;

	for (size_t i = 0; i < len && n + 5 <= size; i++) {
		if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\' && p[i] != '"')
			dst[n++] = (char)p[i];
		else
			n += (size_t)snprintf(dst + n, 5, "\\x%02x", p[i]);
	}
	dst[n] = '\0';
	return dst;
}
