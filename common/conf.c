/* conf.c - see conf.h: a text, line by line, through inih. */
#include "common/conf.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void
complain(struct conf *c, unsigned line, const char *fmt, va_list ap)
{
	char message[512];
	int n = snprintf(message, sizeof(message), "%s:%u: ", c->name, line);

	c->errors++;
	if (n > 0 && (size_t)n < sizeof(message))
		vsnprintf(message + n, sizeof(message) - (size_t)n, fmt, ap);
	c->report(c->arg, message);
}

void
conf_error(struct conf *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(c, c->line, fmt, ap);
	va_end(ap);
}

void
conf_error_at(struct conf *c, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(c, line, fmt, ap);
	va_end(ap);
}

/* inih's section name is cut at 49 bytes: the caller has the header from conf.section(). */
static int
on_value(void *user, const char *section, const char *key, const char *value)
{
	struct conf *c = user;

	(void)section;
	c->expect = false;
	if (!c->skip)
		c->value(c, key, value);
	return 1;
}

static void
check_came_back(struct conf *c)
{
	if (c->expect && !c->skip)
		conf_error(c, "neither a [section] nor `key = value'");
	c->expect = false;
}

/* inih's reader. */
static char *
next_line(char *line, int size, void *stream)
{
	struct conf *c = stream;
	const char *text = c->text, *end;
	size_t len, take;

	check_came_back(c);
	if (c->left == 0)
		return NULL;
	end = memchr(text, '\n', c->left);
	take = end != NULL ? (size_t)(end - text) + 1 : c->left;
	len = end != NULL ? take - 1 : take;
	c->line++;
	line[0] = '\0';
	c->text += take;
	c->left -= take;
	if (c->line == 1 && len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3, len -= 3;
	while (len > 0 && (*text == ' ' || *text == '\t'))
		text++, len--;
	while (len > 0 && strchr(" \t\r\f\v", text[len - 1]) != NULL &&
	       text[len - 1] != '\0')
		len--;
	if (len == 0 || *text == '#' || *text == ';')
		return line;
	if (memchr(text, '\0', len) != NULL) {
		conf_error(c, "the line holds a zero byte");
		return line;
	}
	if (*text == '[') {
		c->section(c, text, len);
		return line;
	}
	if (len > (size_t)size - 3) {
		conf_error(c,
		    "the line is longer than %d bytes: a list can be continued by "
		    "giving its key again",
		    size - 3);
		return line;
	}
	memcpy(line, text, len);
	line[len] = '\0';
	c->expect = true;
	return line;
}

void
conf_read(struct conf *c, const char *text, size_t len)
{
	c->text = text;
	c->left = len;
	(void)ini_parse_stream(next_line, c, on_value, c);
}

char *
conf_load(const char *file, size_t *ret_len, void (*report)(void *, const char *), void *arg)
{
	char *text = malloc(CONF_MAX + 1), message[512];
	FILE *f = fopen(file, "re");
	size_t len = 0;

	message[0] = '\0';
	if (text == NULL)
		snprintf(message, sizeof(message), "out of memory");
	else if (f == NULL)
		snprintf(message, sizeof(message), "%s: %s", file, strerror(errno));
	else if ((len = fread(text, 1, CONF_MAX + 1, f)) > CONF_MAX)
		snprintf(
		    message, sizeof(message), "%s: larger than %u bytes", file, CONF_MAX);
	else if (ferror(f))
		snprintf(message, sizeof(message), "%s: %s", file, strerror(errno));
	if (f != NULL)
		fclose(f);
	*ret_len = len;
	if (message[0] == '\0')
		return text;
	report(arg, message);
	free(text);
	return NULL;
}

bool
conf_number(struct conf *c, const char *value, unsigned long min, unsigned long max,
    unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(value, &end, 10);
	/* strtoul() takes a sign and leading blanks; we do not. */
	if (value[0] >= '0' && value[0] <= '9' && *end == '\0' && errno == 0 &&
	    *ret >= min && *ret <= max)
		return true;
	conf_error(
	    c, "%s: `%s' is not a number from %lu to %lu", c->key, value, min, max);
	return false;
}

bool
conf_choice(
    struct conf *c, const char *value, const char *const *choices, size_t n, size_t *ret)
{
	const char *near;
	char all[256];
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		if (strcmp(value, choices[i]) == 0) {
			*ret = i;
			return true;
		}
	if ((near = suggest(value, choices, n)) != NULL) {
		conf_error(
		    c, "%s: `%s' is unknown: did you mean `%s'?", c->key, value, near);
		return false;
	}
	all[0] = '\0';
	for (size_t i = 0; i < n && len < sizeof(all); i++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, " %s", choices[i]);
	conf_error(c, "%s: `%s' is not one of%s", c->key, value, all);
	return false;
}

bool
conf_yes(struct conf *c, const char *value, bool *ret)
{
	if (strcmp(value, "yes") == 0 || strcmp(value, "no") == 0) {
		*ret = value[0] == 'y';
		return true;
	}
	conf_error(c, "%s: `%s' is neither yes nor no", c->key, value);
	return false;
}

bool
conf_path(struct conf *c, const char *value, char **ret)
{
	size_t len = strlen(value);
	char *copy;

	if (value[0] != '/') {
		conf_error(c, "%s: `%s' is not an absolute path", c->key, value);
		return false;
	}
	while (len > 1 && value[len - 1] == '/')
		len--;
	if ((copy = strndup(value, len)) == NULL) {
		conf_error(c, "out of memory");
		return false;
	}
	free(*ret);
	*ret = copy;
	return true;
}
