/* config.c - see config.h: the file, line by line, through inih. */
#include "vsmd/policy/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vsmd/policy/policy.h"

#define FILE_MAX (1u << 20)

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

/* inih's section name is cut at 49 bytes: ours is kept by section_begin(). */
static int
on_value(void *user, const char *section, const char *key, const char *value)
{
	struct parse *p = user;

	(void)section;
	p->expect = false;
	if (p->skip)
		return 1;
	if (p->section == SECTION_NONE) {
		parse_error(p, "`%s' stands before any section: begin with [vsmd]", key);
		return 1;
	}
	for (size_t i = 0; i < NROWS; i++) {
		if (rows[i].section != p->section || strcmp(rows[i].name, key) != 0)
			continue;
		if (!rows[i].many && (p->seen & (1ull << i)))
			parse_error(p, "`%s' is given twice", key);
		else if (value[0] == '\0')
			parse_error(p, "`%s' has no value", key);
		else {
			p->key = key;
			rows[i].set(p, value);
		}
		p->seen |= 1ull << i;
		return 1;
	}
	unknown_key(p, key);
	return 1;
}

static void
check_came_back(struct parse *p)
{
	if (p->expect && !p->skip)
		parse_error(p, "neither a [section] nor `key = value'");
	p->expect = false;
}

/*
 * inih's reader.  It sees whole lines, so it can count them and refuse what inih would
 * cut or glue silently: long lines, NULs, indented lines.
 */
static char *
next_line(char *line, int size, void *stream)
{
	struct parse *p = stream;
	const char *text = p->text, *end;
	size_t len, take;

	check_came_back(p);
	if (p->left == 0)
		return NULL;
	end = memchr(text, '\n', p->left);
	take = end != NULL ? (size_t)(end - text) + 1 : p->left;
	len = end != NULL ? take - 1 : take;
	p->line++;
	line[0] = '\0';
	p->text += take;
	p->left -= take;
	if (p->line == 1 && len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3, len -= 3;
	while (len > 0 && (*text == ' ' || *text == '\t'))
		text++, len--;
	while (len > 0 && strchr(" \t\r\f\v", text[len - 1]) != NULL &&
	       text[len - 1] != '\0')
		len--;
	if (len == 0 || *text == '#' || *text == ';')
		return line;
	if (memchr(text, '\0', len) != NULL) {
		parse_error(p, "the line holds a zero byte");
		return line;
	}
	if (*text == '[') {
		section_begin(p, text, len);
		return line;
	}
	if (len > (size_t)size - 3) {
		parse_error(p,
		    "the line is longer than %d bytes: a list can be continued by "
		    "giving its key again",
		    size - 3);
		return line;
	}
	memcpy(line, text, len);
	line[len] = '\0';
	p->expect = true;
	return line;
}

struct config *
config_parse(const char *name, const char *text, size_t len,
    void (*report)(void *, const char *), void *arg)
{
	struct parse p = {
	    .name = name, .report = report, .arg = arg, .text = text, .left = len};

	if ((p.config = calloc(1, sizeof(*p.config))) == NULL) {
		report(arg, "out of memory");
		return NULL;
	}
	settings_default(&p.config->settings);
	(void)ini_parse_stream(next_line, &p, on_value, &p);
	section_finish(&p);
	settings_finish(&p);
	if (p.errors > 0) {
		config_free(p.config);
		return NULL;
	}
	return p.config;
}

struct config *
config_load(const char *file, void (*report)(void *, const char *), void *arg)
{
	struct config *c = NULL;
	char *text = malloc(FILE_MAX + 1), message[512];
	FILE *f = fopen(file, "re");
	size_t len = 0;

	message[0] = '\0';
	if (text == NULL)
		snprintf(message, sizeof(message), "out of memory");
	else if (f == NULL)
		snprintf(message, sizeof(message), "%s: %s", file, strerror(errno));
	else if ((len = fread(text, 1, FILE_MAX + 1, f)) > FILE_MAX)
		snprintf(
		    message, sizeof(message), "%s: larger than %u bytes", file, FILE_MAX);
	else if (ferror(f))
		snprintf(message, sizeof(message), "%s: %s", file, strerror(errno));
	if (message[0] != '\0')
		report(arg, message);
	else
		c = config_parse(file, text, len, report, arg);
	if (f != NULL)
		fclose(f);
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
