/* config.c - see config.h: the keys, by the table. */
#include "vsmd/policy/config.h"

#include <stdlib.h>
#include <string.h>

#include "vsmd/policy/policy.h"

static const struct row {
	enum section section;
	const char *name;
	bool many;
	void (*set)(struct parse *, const char *);
} rows[] = {
#define ONCE false
#define MANY true
#define KEY(section, name, times, set) {SECTION_##section, name, times, set},
#include "vsmd/policy/keys.def"
#undef KEY
#undef ONCE
#undef MANY
};
#define NROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(NROWS <= 64, "struct parse's `seen` has a bit per row");

static void
unknown_key(struct parse *p, const char *key)
{
	const char *names[NROWS], *near;
	size_t n = 0;

	for (size_t i = 0; i < NROWS; i++)
		if (rows[i].section == p->section)
			names[n++] = rows[i].name;
	near = suggest(key, names, n);
	if (near != NULL)
		parse_error(p, "unknown key `%s': did you mean `%s'?", key, near);
	else
		parse_error(p, "unknown key `%s' in this section: see vsmd.conf(5)", key);
}

static void
on_value(struct conf *c, const char *key, const char *value)
{
	struct parse *p = (struct parse *)c;

	if (p->section == SECTION_NONE) {
		parse_error(p, "`%s' stands before any section: begin with [vsmd]", key);
		return;
	}
	for (size_t i = 0; i < NROWS; i++) {
		if (rows[i].section != p->section || strcmp(rows[i].name, key) != 0)
			continue;
		if (!rows[i].many && (p->seen & (1ull << i)))
			parse_error(p, "`%s' is given twice", key);
		else if (value[0] == '\0')
			parse_error(p, "`%s' has no value", key);
		else {
			c->key = key;
			rows[i].set(p, value);
		}
		p->seen |= 1ull << i;
		return;
	}
	unknown_key(p, key);
}

static void
on_section(struct conf *c, const char *header, size_t len)
{
	section_begin((struct parse *)c, header, len);
}

struct config *
config_parse(const char *name, const char *text, size_t len,
    void (*report)(void *, const char *), void *arg)
{
	struct parse p = {.conf = {.name = name,
			      .report = report,
			      .arg = arg,
			      .section = on_section,
			      .value = on_value}};

	if ((p.config = calloc(1, sizeof(*p.config))) == NULL) {
		report(arg, "out of memory");
		return NULL;
	}
	settings_default(&p.config->settings);
	conf_read(&p.conf, text, len);
	section_finish(&p);
	settings_finish(&p);
	if (p.conf.errors > 0) {
		config_free(p.config);
		return NULL;
	}
	return p.config;
}

struct config *
config_load(const char *file, void (*report)(void *, const char *), void *arg)
{
	size_t len;
	char *text = conf_load(file, &len, report, arg);
	struct config *c = text != NULL ? config_parse(file, text, len, report, arg) : NULL;

	free(text);
	return c;
}

void
config_free(struct config *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->nprincipals; i++)
		for (size_t k = 0; k < POLICY_KINDS; k++)
			free(c->principals[i].ids[k]);
	free(c->principals);
	free(c->grants);
	free(c->rules);
	settings_free(&c->settings);
	free(c);
}

const struct config_settings *
config_settings(const struct config *c)
{
	return &c->settings;
}
