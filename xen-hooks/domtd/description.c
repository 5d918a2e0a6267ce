/* description.c - see description.h: sections and keys, and what must hold between them. */
#include "xen-hooks/domtd/description.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xen-hooks/domtd/parse.h"

#define SERVING_TIMEOUT 120
#define TIMEOUT 600
#define PATH 512

enum { PAIR = 1u << SECTION_PAIR, DOMC_ = 1u << SECTION_DOMC, DOMU_ = 1u << SECTION_DOMU };

static const struct row {
	unsigned sections;
	const char *name;
	bool many;
	void (*set)(struct parse *, const char *);
} rows[] = {
#define PLACE_PAIR PAIR
#define PLACE_DOMU DOMU_
#define PLACE_BOTH (DOMC_ | DOMU_)
#define ONCE false
#define MANY true
#define KEY(section, name, times, set) {PLACE_##section, name, times, set},
#include "xen-hooks/domtd/keys.def"
#undef KEY
#undef ONCE
#undef MANY
};
#define NROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(NROWS <= 32, "struct parse's `seen` has a bit per row");

const char *
half_name(enum half h)
{
	return h == DOMC ? "DomC" : "DomU";
}

struct domain_plan *
parse_plan(struct parse *p)
{
	return &p->d->half[p->section == SECTION_DOMC ? DOMC : DOMU];
}

bool
parse_copy(struct parse *p, const char *value, char **ret)
{
	char *copy = strdup(value);

	if (copy == NULL) {
		conf_error(&p->conf, "out of memory");
		return false;
	}
	free(*ret);
	*ret = copy;
	return true;
}

static void
unknown_key(struct parse *p, const char *key)
{
	const char *names[NROWS], *near;
	size_t n = 0;

	for (size_t i = 0; i < NROWS; i++)
		if (rows[i].sections & 1u << p->section)
			names[n++] = rows[i].name;
	near = suggest(key, names, n);
	if (near != NULL)
		conf_error(&p->conf, "unknown key `%s': did you mean `%s'?", key, near);
	else
		conf_error(
		    &p->conf, "unknown key `%s' in this section: see caas-pair(5)", key);
}

static void
on_value(struct conf *c, const char *key, const char *value)
{
	struct parse *p = (struct parse *)c;

	if (p->section == SECTION_NONE) {
		conf_error(c, "`%s' stands before any section: begin with [domc]", key);
		return;
	}
	for (size_t i = 0; i < NROWS; i++) {
		if ((rows[i].sections & 1u << p->section) == 0 || strcmp(rows[i].name, key) != 0)
			continue;
		if (!rows[i].many && (p->seen & 1u << i))
			conf_error(c, "`%s' is given twice", key);
		else if (value[0] == '\0')
			conf_error(c, "`%s' has no value", key);
		else {
			c->key = key;
			rows[i].set(p, value);
		}
		p->seen |= 1u << i;
		return;
	}
	unknown_key(p, key);
}

static void
on_section(struct conf *c, const char *header, size_t len)
{
	static const char *const names[] = {"[pair]", "[domc]", "[domu]"};
	struct parse *p = (struct parse *)c;
	unsigned *line;
	size_t i = 0;

	p->seen = 0;
	p->section = SECTION_NONE;
	c->skip = true;
	while (i < 3 && (strlen(names[i]) != len || memcmp(names[i], header, len) != 0))
		i++;
	if (i == 3) {
		conf_error(c, "unknown section: there are [pair], [domc] and [domu]");
		return;
	}
	p->section = (enum section)(SECTION_PAIR + i);
	line = p->section == SECTION_PAIR ? &p->pair_line : &parse_plan(p)->line;
	if (*line != 0) {
		conf_error(c, "%s is already at line %u", names[i], *line);
		return;
	}
	*line = c->line;
	c->skip = false;
}

static void
finish_half(struct parse *p, enum half h)
{
	static const char *const sections[HALVES] = {"domc", "domu"};
	struct domain_plan *plan = &p->d->half[h];
	char name[DOMAIN_NAME];

	if (plan->line == 0) {
		conf_error(&p->conf, "there is no [%s]", sections[h]);
		return;
	}
	if (plan->kernel == NULL)
		conf_error_at(
		    &p->conf, plan->line, "[%s] has no kernel: it is booted by one", sections[h]);
	if (plan->memory == 0)
		conf_error_at(&p->conf, plan->line, "[%s] has no memory (MiB)", sections[h]);
	snprintf(name, sizeof(name), "%s-%s", p->d->name, sections[h]);
	if (plan->name == NULL)
		(void)parse_copy(p, name, &plan->name);
}

static void
finish(struct parse *p)
{
	const struct domain_plan *c = &p->d->half[DOMC], *u = &p->d->half[DOMU];

	finish_half(p, DOMC);
	finish_half(p, DOMU);
	if (c->name != NULL && u->name != NULL && strcmp(c->name, u->name) == 0)
		conf_error_at(&p->conf, u->line, "both domains are called %s", u->name);
	if (p->d->serving_timeout > p->d->timeout)
		conf_error_at(&p->conf, p->pair_line,
		    "serving-timeout = %u is more than timeout = %u", p->d->serving_timeout,
		    p->d->timeout);
}

struct description *
description_parse(const char *file, const char *name, const char *text, size_t len,
    void (*report)(void *, const char *), void *arg)
{
	struct parse p = {.conf = {.name = file,
			      .report = report,
			      .arg = arg,
			      .section = on_section,
			      .value = on_value}};

	if ((p.d = calloc(1, sizeof(*p.d))) == NULL) {
		report(arg, "out of memory");
		return NULL;
	}
	snprintf(p.d->name, sizeof(p.d->name), "%s", name);
	p.d->serving_timeout = SERVING_TIMEOUT;
	p.d->timeout = TIMEOUT;
	p.d->keep_on_save = p.d->restart = true;
	for (int h = 0; h < HALVES; h++)
		p.d->half[h].vcpus = 1;
	conf_read(&p.conf, text, len);
	finish(&p);
	if (p.conf.errors == 0)
		return p.d;
	description_free(p.d);
	return NULL;
}

/* Whoever may change it decides what runs as DomC. */
static bool
trusted(const char *file, void (*report)(void *, const char *), void *arg)
{
	char message[PATH + 128];
	struct stat st;

	if (stat(file, &st) < 0)
		snprintf(message, sizeof(message), "%s: %s", file, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		snprintf(message, sizeof(message), "%s: not a file", file);
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		snprintf(message, sizeof(message), "%s: belongs to uid %u: chown root", file,
		    (unsigned)st.st_uid);
	else if ((st.st_mode & 022) != 0)
		snprintf(message, sizeof(message),
		    "%s: others than its owner may write it: chmod go-w", file);
	else
		return true;
	report(arg, message);
	return false;
}

struct description *
description_load(
    const char *dir, const char *name, void (*report)(void *, const char *), void *arg)
{
	struct description *d = NULL;
	char file[PATH], *text;
	size_t len;

	if (!pair_name_ok(name) ||
	    snprintf(file, sizeof(file), "%s/%s.conf", dir, name) >= (int)sizeof(file)) {
		report(arg, "the pair's name is none: letters, digits and ._-, 40 at most");
		return NULL;
	}
	if (!trusted(file, report, arg) || (text = conf_load(file, &len, report, arg)) == NULL)
		return NULL;
	d = description_parse(file, name, text, len, report, arg);
	free(text);
	return d;
}

static void
plan_free(struct domain_plan *plan)
{
	free(plan->name);
	free(plan->kernel);
	free(plan->ramdisk);
	free(plan->cmdline);
	for (size_t i = 0; i < plan->ndisks; i++)
		free(plan->disks[i]);
	for (size_t i = 0; i < plan->nvifs; i++)
		free(plan->vifs[i]);
	free(plan->seclabel);
	free(plan->init_seclabel);
}

void
description_free(struct description *d)
{
	if (d == NULL)
		return;
	plan_free(&d->half[DOMC]);
	plan_free(&d->half[DOMU]);
	free(d);
}
