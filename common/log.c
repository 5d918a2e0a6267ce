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
static struct log_limit own, *limit = &own;
static char causer[64]; /* of all lines; empty: nobody */

static const char *const words[] = {"error", "warning", "info", "debug"};
static const int syslog_levels[] = {3, 4, 6, 7};

void
log_name(const char *s)
{
	snprintf(name, sizeof(name), "%s", s);
	/* What a parent left out is the parent's to tell. */
	if (limit == &own)
		atomic_store(&own.left_out, 0);
}

void
log_share(struct log_limit *l)
{
	limit = l;
}

void
log_caused_by(const char *who)
{
	snprintf(causer, sizeof(causer), "%s", who);
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
put(enum log_level level, const char *fmt, va_list ap)
{
	char line[1024];
	int saved = errno, n, m;

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

/* Debugging was asked for, and is whole. */
__attribute__((format(printf, 2, 0))) static void
vlog(enum log_level level, const char *fmt, va_list ap)
{
	if (level > max_level)
		return;
	if (level < LOG_DEBUG_ && causer[0] != '\0' && !log_may(causer))
		return;
	put(level, fmt, ap);
}

__attribute__((format(printf, 1, 2))) static void
put_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put(LOG_WARN_, fmt, ap);
	va_end(ap);
}

int
log_left_out(void)
{
	int64_t now = loglimit_now();
	uint32_t n = loglimit_tell(limit, now);

	if (n > 0 && max_level >= LOG_WARN_)
		put_warning("%u more lines of what peers did were left out", n);
	return loglimit_wait(limit, now);
}

bool
log_may(const char *who)
{
	if (!loglimit_take(limit, who, loglimit_now()))
		return false;
	(void)log_left_out();
	return true;
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
