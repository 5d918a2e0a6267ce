/* values.c - the values of vsmd.conf(5): checked, or refused with what would be right. */
#include <string.h>

#include "protocol/names.h"
#include "vsmd/policy/policy.h"

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
			parse_error(p, "%s: an item is longer than %zu bytes", p->conf.key,
			    sizeof(item) - 1);
			return;
		}
		value = *next == '\0' ? next : next + 1;
	}
	if (!any)
		parse_error(p, "%s: the list is empty", p->conf.key);
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
			    p->conf.key, item, near);
		else
			parse_error(p,
			    "%s: `%s' is no mechanism: names are those of PKCS #11 "
			    "(CKM_RSA_PKCS), or numbers (0x80000001)",
			    p->conf.key, item);
		return;
	}
	for (uint16_t i = 0; i < *n; i++)
		if (mechs[i] == type)
			return;
	if (*n == GRANT_MAX_MECHS) {
		parse_error(p, "%s: more than %d mechanisms", p->conf.key, GRANT_MAX_MECHS);
		return;
	}
	mechs[(*n)++] = type;
}
