/* conf.c - see conf.h */
#include "xen-hooks/tpmd/conf.h"

#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "vchan-transport/address.h"

#define SECTION	   "[domt-tpmd]"
#define STATE	   "/var/lib/caas-tpmd"
#define USER	   "caas"
#define UNIX	   "unix:"
#define WRITES	   20
#define EXTENSIONS 50000

struct parse {
	struct conf conf; /* first: the callbacks get it */
	struct tpmd_conf *ret;
	bool in_section;
};

static void
keep(struct parse *p, const char *value, char **ret)
{
	char *copy = strdup(value);

	if (copy == NULL) {
		conf_error(&p->conf, "out of memory");
		return;
	}
	free(*ret);
	*ret = copy;
}

static void
set_tpm(struct parse *p, const char *value)
{
	if (strncmp(value, "tpm2:", 5) == 0 || strncmp(value, "tpm1.2:", 7) == 0)
		keep(p, value, &p->ret->tpm);
	else
		conf_error(&p->conf, "tpm: `%s' is not tpm2:TCTI (tpm2:tis:) or tpm1.2:HOST:PORT",
		    value);
}

static void
set_locality(struct parse *p, const char *value)
{
	unsigned long n;

	if (strcmp(value, "any") == 0)
		p->ret->policy.locality = -1;
	else if (conf_number(&p->conf, value, 0, 4, &n))
		p->ret->policy.locality = (int)n;
}

static void
add_pcr(struct parse *p, const char *word)
{
	struct tpm_policy *t = &p->ret->policy;
	unsigned long pcr;
	size_t at = 0;

	if (!conf_number(&p->conf, word, 0, TPM_MAX_PCRS - 1, &pcr))
		return;
	while (at < t->npcrs && t->pcrs[at] < pcr)
		at++;
	if (at < t->npcrs && t->pcrs[at] == pcr)
		return;
	memmove(t->pcrs + at + 1, t->pcrs + at, t->npcrs - at);
	t->pcrs[at] = (uint8_t)pcr;
	t->npcrs++;
}

static void
set_pcrs(struct parse *p, const char *value)
{
	char *list = strdup(value), *rest = NULL;

	p->ret->policy.npcrs = 0;
	if (list == NULL)
		conf_error(&p->conf, "out of memory");
	else if (strcmp(value, "none") != 0)
		for (char *w = strtok_r(list, ", \t", &rest); w != NULL;
		    w = strtok_r(NULL, ", \t", &rest))
			add_pcr(p, w);
	free(list);
}

static void
set_authority(struct parse *p, const char *value)
{
	char *path = (char *)(uintptr_t)p->ret->policy.authority;

	(void)conf_path(&p->conf, value, &path);
	p->ret->policy.authority = path;
}

static void
set_approvals(struct parse *p, const char *value)
{
	(void)conf_path(&p->conf, value, &p->ret->approvals);
}

static void
set_state(struct parse *p, const char *value)
{
	(void)conf_path(&p->conf, value, &p->ret->state);
}

static void
set_listen(struct parse *p, const char *value)
{
	if (strncmp(value, UNIX, strlen(UNIX)) == 0) {
		(void)conf_path(&p->conf, value + strlen(UNIX), &p->ret->sockets);
		return;
	}
	if (strcmp(value, "vchan") != 0)
		conf_error(&p->conf, "listen: `%s' is neither vchan nor unix:DIRECTORY", value);
	free(p->ret->sockets);
	p->ret->sockets = NULL;
}

static void
set_builder(struct parse *p, const char *value)
{
	unsigned long n;

	if (conf_number(&p->conf, value, 0, ADDRESS_DOMID_LAST, &n))
		p->ret->builder = (uint32_t)n;
}

static void
set_user(struct parse *p, const char *value)
{
	keep(p, value, &p->ret->user);
}

static void
set_writes(struct parse *p, const char *value)
{
	unsigned long n;

	if (strcmp(value, "unlimited") == 0)
		p->ret->writes = 0;
	else if (conf_number(&p->conf, value, 1, 100000, &n))
		p->ret->writes = (unsigned)n;
}

/* Less, and who waits for the next one gives up before it comes (DOMT_PATIENCE). */
static void
set_extensions(struct parse *p, const char *value)
{
	unsigned long n;

	if (strcmp(value, "unlimited") == 0)
		p->ret->extensions = 0;
	else if (conf_number(&p->conf, value, 20000, 10000000, &n))
		p->ret->extensions = (unsigned)n;
}

static const struct {
	const char *key;
	void (*set)(struct parse *p, const char *value);
} keys[] = {
    {"tpm", set_tpm},
    {"locality", set_locality},
    {"pcrs", set_pcrs},
    {"authority", set_authority},
    {"approvals", set_approvals},
    {"state", set_state},
    {"listen", set_listen},
    {"builder", set_builder},
    {"user", set_user},
    {"writes", set_writes},
    {"extensions", set_extensions},
};

#define NKEYS (sizeof(keys) / sizeof(keys[0]))

static void
section(struct conf *c, const char *header, size_t len)
{
	struct parse *p = (struct parse *)c;

	p->in_section = len == strlen(SECTION) && memcmp(header, SECTION, len) == 0;
	c->skip = !p->in_section;
	if (!p->in_section)
		conf_error(c, "%.*s: there is one section, " SECTION, (int)len, header);
}

static void
value(struct conf *c, const char *key, const char *v)
{
	struct parse *p = (struct parse *)c;
	const char *names[NKEYS], *near;

	if (!p->in_section) {
		conf_error(c, "%s: stands before " SECTION, key);
		return;
	}
	c->key = key;
	for (size_t i = 0; i < NKEYS; i++) {
		names[i] = keys[i].key;
		if (strcmp(keys[i].key, key) == 0) {
			keys[i].set(p, v);
			return;
		}
	}
	near = suggest(key, names, NKEYS);
	conf_error(c, "%s: there is no such key%s%s%s", key, near != NULL ? "; is it " : "",
	    near != NULL ? near : "", near != NULL ? "?" : "");
}

static void
default_to(struct parse *p, char **ret, const char *text)
{
	if (*ret == NULL)
		keep(p, text, ret);
}

bool
tpmd_conf_read(
    const char *file, struct tpmd_conf *ret, void (*report)(void *arg, const char *line), void *arg)
{
	struct parse p = {.conf = {.name = file,
			      .report = report,
			      .arg = arg,
			      .section = section,
			      .value = value},
	    .ret = ret};
	size_t len;
	char *text;

	*ret = (struct tpmd_conf){
	    .policy = {.locality = 2}, .writes = WRITES, .extensions = EXTENSIONS};
	if ((text = conf_load(file, &len, report, arg)) == NULL)
		return false;
	conf_read(&p.conf, text, len);
	free(text);
	default_to(&p, &ret->tpm, "tpm2:tis:");
	default_to(&p, &ret->state, STATE);
	default_to(&p, &ret->user, USER);
	if (ret->policy.authority != NULL && ret->policy.npcrs == 0)
		conf_error_at(&p.conf, 0, "authority: it approves values of PCRs, and the secret "
					  "is sealed to none: give pcrs");
	return p.conf.errors == 0;
}

void
tpmd_conf_free(struct tpmd_conf *c)
{
	free(c->tpm);
	free((char *)(uintptr_t)c->policy.authority);
	free(c->approvals);
	free(c->state);
	free(c->sockets);
	free(c->user);
	memset(c, 0, sizeof(*c));
}
