/* values.c - the values of vsmd.conf(5): checked, or refused with what would be right. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/names.h"
#include "vsmd/policy/policy.h"

__attribute__((format(printf, 3, 0))) static void
complain(struct parse *p, unsigned line, const char *fmt, va_list ap)
{
	char message[512];
	int n = snprintf(message, sizeof(message), "%s:%u: ", p->name, line);

	p->errors++;
	if (n > 0 && (size_t)n < sizeof(message))
		vsnprintf(message + n, sizeof(message) - (size_t)n, fmt, ap);
	p->report(p->arg, message);
}

void
parse_error(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(p, p->line, fmt, ap);
	va_end(ap);
}

void
parse_error_at(struct parse *p, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(p, line, fmt, ap);
	va_end(ap);
}

bool
value_number(struct parse *p, const char *value, unsigned long min, unsigned long max,
    unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(value, &end, 10);
	/* strtoul() takes a sign and leading blanks; we do not. */
	if (value[0] >= '0' && value[0] <= '9' && *end == '\0' && errno == 0 &&
	    *ret >= min && *ret <= max)
		return true;
	parse_error(
	    p, "%s: `%s' is not a number from %lu to %lu", p->key, value, min, max);
	return false;
}

bool
value_choice(
    struct parse *p, const char *value, const char *const *choices, size_t n, size_t *ret)
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
		parse_error(
		    p, "%s: `%s' is unknown: did you mean `%s'?", p->key, value, near);
		return false;
	}
	all[0] = '\0';
	for (size_t i = 0; i < n && len < sizeof(all); i++)
		len += (size_t)snprintf(all + len, sizeof(all) - len, " %s", choices[i]);
	parse_error(p, "%s: `%s' is not one of%s", p->key, value, all);
	return false;
}

bool
value_yes(struct parse *p, const char *value, bool *ret)
{
	if (strcmp(value, "yes") == 0 || strcmp(value, "no") == 0) {
		*ret = value[0] == 'y';
		return true;
	}
	parse_error(p, "%s: `%s' is neither yes nor no", p->key, value);
	return false;
}

bool
value_path(struct parse *p, const char *value, char **ret)
{
	size_t len = strlen(value);
	char *copy;

	if (value[0] != '/') {
		parse_error(p, "%s: `%s' is not an absolute path", p->key, value);
		return false;
	}
	while (len > 1 && value[len - 1] == '/')
		len--;
	if ((copy = strndup(value, len)) == NULL) {
		parse_error(p, "out of memory");
		return false;
	}
	free(*ret);
	*ret = copy;
	return true;
}

void
value_list(struct parse *p, const char *value, const char *separators,
    void (*take)(struct parse *, const char *item))
{
	char item[256];
	bool any = false;

	while (*value != '\0') {
		size_t len = strcspn(value, separators), blank;
		const char *next = value + len;

		for (; len > 0 && strchr(" \t", *value) != NULL; len--)
			value++;
		for (blank = len; blank > 0 && strchr(" \t", value[blank - 1]) != NULL;)
			blank--;
		len = blank;
		if (len > 0 && len < sizeof(item)) {
			memcpy(item, value, len);
			item[len] = '\0';
			take(p, item);
			any = true;
		} else if (len > 0) {
			parse_error(p, "%s: an item is longer than %zu bytes", p->key,
			    sizeof(item) - 1);
			return;
		}
		value = *next == '\0' ? next : next + 1;
	}
	if (!any)
		parse_error(p, "%s: the list is empty", p->key);
}

static const char *
near_mechanism(const char *item)
{
	const char *names[1024];
	CK_MECHANISM_TYPE type;
	size_t n = 0;

	while (n < sizeof(names) / sizeof(names[0]) &&
	       (names[n] = ck_mech_name_at(n, &type)) != NULL)
		n++;
	return suggest(item, names, n);
}

void
value_mechanism(struct parse *p, const char *item, CK_MECHANISM_TYPE *mechs, uint16_t *n)
{
	CK_MECHANISM_TYPE type;
	const char *near;

	if (!ckm_parse(item, &type) || type > UINT32_MAX) {
		if ((near = near_mechanism(item)) != NULL)
			parse_error(p, "%s: `%s' is no mechanism: did you mean `%s'?",
			    p->key, item, near);
		else
			parse_error(p,
			    "%s: `%s' is no mechanism: names are those of PKCS #11 "
			    "(CKM_RSA_PKCS), or numbers (0x80000001)",
			    p->key, item);
		return;
	}
	for (uint16_t i = 0; i < *n; i++)
		if (mechs[i] == type)
			return;
	if (*n == GRANT_MAX_MECHS) {
		parse_error(p, "%s: more than %d mechanisms", p->key, GRANT_MAX_MECHS);
		return;
	}
	mechs[(*n)++] = type;
}
