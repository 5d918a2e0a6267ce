/* values.c - the values of caas-pair(5): checked, or refused with what would be right. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "xen-hooks/domtd/parse.h"

#define MEMORY_LEAST 16
#define MEMORY_MOST (1u << 20) /* MiB */
#define VCPUS_MOST 128
#define TIMEOUT_MOST 86400
#define CMDLINE_MOST 2047 /* of Linux */

static void
choose_keep(struct parse *p, const char *value, bool *ret)
{
	static const char *const words[] = {"destroy", "keep"};
	size_t i;

	if (conf_choice(&p->conf, value, words, 2, &i))
		*ret = i == 1;
}

void
set_on_domc_gone(struct parse *p, const char *value)
{
	choose_keep(p, value, &p->d->keep[DOMC]);
}

void
set_on_domu_gone(struct parse *p, const char *value)
{
	choose_keep(p, value, &p->d->keep[DOMU]);
}

void
set_on_domu_reboot(struct parse *p, const char *value)
{
	static const char *const words[] = {"destroy", "restart"};
	size_t i;

	if (conf_choice(&p->conf, value, words, 2, &i))
		p->d->restart = i == 1;
}

void
set_on_save(struct parse *p, const char *value)
{
	choose_keep(p, value, &p->d->keep_on_save);
}

static void
number(struct parse *p, const char *value, unsigned long min, unsigned long max, unsigned *ret)
{
	unsigned long v;

	if (conf_number(&p->conf, value, min, max, &v))
		*ret = (unsigned)v;
}

void
set_serving_timeout(struct parse *p, const char *value)
{
	number(p, value, 1, TIMEOUT_MOST, &p->d->serving_timeout);
}

void
set_timeout(struct parse *p, const char *value)
{
	number(p, value, 1, TIMEOUT_MOST, &p->d->timeout);
}

void
set_name(struct parse *p, const char *value)
{
	size_t len = strlen(value);

	/* Not as a domid, which xl would take it for. */
	if (len >= DOMAIN_NAME || isdigit((unsigned char)value[0]) || value[0] == '-' ||
	    strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-") !=
		len) {
		conf_error(&p->conf,
		    "name: `%s' is no domain's name: letters, digits and ._+-, the first a "
		    "letter, %d at most",
		    value, DOMAIN_NAME - 1);
		return;
	}
	(void)parse_copy(p, value, &parse_plan(p)->name);
}

void
set_type(struct parse *p, const char *value)
{
	static const char *const words[] = {"pv", "pvh"};
	size_t i;

	if (conf_choice(&p->conf, value, words, 2, &i))
		parse_plan(p)->type = i == 0 ? DOMAIN_PV : DOMAIN_PVH;
}

void
set_kernel(struct parse *p, const char *value)
{
	(void)conf_path(&p->conf, value, &parse_plan(p)->kernel);
}

void
set_ramdisk(struct parse *p, const char *value)
{
	(void)conf_path(&p->conf, value, &parse_plan(p)->ramdisk);
}

/* Given again it goes on: a line of the file is shorter than a command line may be. */
void
set_cmdline(struct parse *p, const char *value)
{
	struct domain_plan *plan = parse_plan(p);
	const char *before = plan->cmdline;
	char *all;

	if (asprintf(&all, "%s%s%s", before != NULL ? before : "", before != NULL ? " " : "",
		value) < 0) {
		conf_error(&p->conf, "out of memory");
		return;
	}
	free(plan->cmdline);
	plan->cmdline = all;
	if (strlen(all) > CMDLINE_MOST)
		conf_error(&p->conf, "cmdline: longer than %d bytes", CMDLINE_MOST);
}

void
set_memory(struct parse *p, const char *value)
{
	number(p, value, MEMORY_LEAST, MEMORY_MOST, &parse_plan(p)->memory);
}

void
set_vcpus(struct parse *p, const char *value)
{
	number(p, value, 1, VCPUS_MOST, &parse_plan(p)->vcpus);
}

static void
add(struct parse *p, const char *value, char **list, size_t *n, size_t max)
{
	if (*n == max)
		conf_error(&p->conf, "%s: more than %zu", p->conf.key, max);
	else if (parse_copy(p, value, &list[*n]))
		(*n)++;
}

/* Its words are libxl's to judge, when the domain is made. */
void
set_disk(struct parse *p, const char *value)
{
	struct domain_plan *plan = parse_plan(p);

	add(p, value, plan->disks, &plan->ndisks, DOMAIN_DISKS);
}

void
set_vif(struct parse *p, const char *value)
{
	static const char *const words[] = {"bridge", "mac", "script", "backend"};
	struct domain_plan *plan = parse_plan(p);
	const char *s = value;

	while (*s != '\0') {
		size_t len = strcspn(s, ","), eq = strcspn(s, "="), i = 0;

		while (i < 4 && (strlen(words[i]) != eq || strncmp(words[i], s, eq) != 0))
			i++;
		if (i == 4 || eq >= len || eq + 1 == len) {
			conf_error(&p->conf,
			    "vif: `%s' is not bridge=NAME,mac=ADDRESS,script=PATH,backend=DOMAIN "
			    "or a part of that",
			    value);
			return;
		}
		s += len + (s[len] == ',');
	}
	add(p, value, plan->vifs, &plan->nvifs, DOMAIN_VIFS);
}

void
set_seclabel(struct parse *p, const char *value)
{
	(void)parse_copy(p, value, &parse_plan(p)->seclabel);
}

void
set_init_seclabel(struct parse *p, const char *value)
{
	(void)parse_copy(p, value, &parse_plan(p)->init_seclabel);
}

void
set_uuid(struct parse *p, const char *value)
{
	struct domain_plan *plan = parse_plan(p);

	plan->has_uuid = hex_uuid_get(value, plan->uuid);
	if (!plan->has_uuid)
		conf_error(&p->conf, "uuid: `%s' is none", value);
}
