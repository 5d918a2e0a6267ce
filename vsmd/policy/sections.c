/* sections.c - section headers, and what must hold between sections. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "vsmd/policy/policy.h"

#define WORDS_MAX 4

static bool
name_ok(const char *s)
{
	for (; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && strchr("._-", *s) == NULL)
			return false;
	return true;
}

/* Words between blanks; one in double quotes may hold blanks.  False when malformed. */
static bool
split(const char *s, size_t len, char words[WORDS_MAX][GRANT_NAME], size_t *ret_n)
{
	size_t i = 0;

	*ret_n = 0;
	for (;;) {
		size_t at = 0;
		bool quoted;

		while (i < len && (s[i] == ' ' || s[i] == '\t'))
			i++;
		if (i == len)
			return true;
		if (*ret_n == WORDS_MAX)
			return false;
		quoted = s[i] == '"';
		for (i += quoted; i < len; i++) {
			if (quoted ? s[i] == '"' : (s[i] == ' ' || s[i] == '\t'))
				break;
			if (s[i] == '"' || at == GRANT_NAME - 1)
				return false;
			words[*ret_n][at++] = s[i];
		}
		if (at == 0 || (quoted && i++ == len))
			return false;
		words[(*ret_n)++][at] = '\0';
	}
}

/* One more element at the end, zeroed; NULL at the bound. */
static void *
append(struct parse *p, void *array, size_t *n, size_t max, size_t size)
{
	char *bigger;

	if (*n == max || (bigger = reallocarray(*(void **)array, *n + 1, size)) == NULL) {
		parse_error(p, "too many sections of this kind");
		return NULL;
	}
	*(void **)array = bigger;
	memset(bigger + *n * size, 0, size);
	return bigger + (*n)++ * size;
}

static bool
begin_principal(struct parse *p, const char *name)
{
	struct config *c = p->config;
	struct principal *pr;

	if (!name_ok(name)) {
		parse_error(p,
		    "the principal's name `%s' may hold letters, digits, and ._-", name);
		return false;
	}
	for (size_t i = 0; i < c->nprincipals; i++)
		if (strcmp(c->principals[i].name, name) == 0) {
			parse_error(p, "[principal %s] is already at line %u", name,
			    c->principals[i].line);
			return false;
		}
	pr = append(
	    p, &c->principals, &c->nprincipals, POLICY_MAX_PRINCIPALS, sizeof(*pr));
	if (pr == NULL)
		return false;
	memcpy(pr->name, name, GRANT_NAME);
	pr->line = p->conf.line;
	return true;
}

static bool
begin_grant(struct parse *p, char words[WORDS_MAX][GRANT_NAME])
{
	struct config *c = p->config;
	struct token_grant *g;

	for (size_t i = 0; i < c->ngrants; i++)
		if (strcmp(c->grants[i].principal, words[1]) == 0 &&
		    strcmp(c->grants[i].token, words[2]) == 0) {
			parse_error(p, "[grant %s %s] is already at line %u", words[1],
			    words[2], c->grants[i].line);
			return false;
		}
	g = append(p, &c->grants, &c->ngrants, POLICY_MAX_GRANTS, sizeof(*g));
	if (g == NULL)
		return false;
	memcpy(g->principal, words[1], GRANT_NAME);
	memcpy(g->token, words[2], GRANT_NAME);
	g->flags = GRANT_DENY_EXTRACT;
	g->line = p->conf.line;
	return true;
}

static bool
begin_rule(struct parse *p, char words[WORDS_MAX][GRANT_NAME])
{
	struct config *c = p->config;
	struct key_rule *r;

	for (size_t i = 0; i < c->nrules; i++)
		if (strcmp(c->rules[i].principal, words[1]) == 0 &&
		    strcmp(c->rules[i].token, words[2]) == 0 &&
		    strcmp(c->rules[i].name, words[3]) == 0) {
			parse_error(p, "[key %s %s %s] is already at line %u", words[1],
			    words[2], words[3], c->rules[i].line);
			return false;
		}
	r = append(p, &c->rules, &c->nrules, POLICY_MAX_GRANTS, sizeof(*r));
	if (r == NULL)
		return false;
	memcpy(r->principal, words[1], GRANT_NAME);
	memcpy(r->token, words[2], GRANT_NAME);
	memcpy(r->name, words[3], GRANT_NAME);
	r->line = p->conf.line;
	return true;
}

/* What the section before this one still lacks. */
static void
section_end(struct parse *p)
{
	if (p->conf.skip)
		return;
	if (p->section == SECTION_KEY) {
		struct key_rule *r = section_rule(p);

		if (!r->rule.hide && !r->rule.limit_mechs && r->rule.rate == 0 &&
		    r->rule.nquotas == 0)
			parse_error_at(p, r->line,
			    "[key %s %s %s] changes nothing: give hide, "
			    "mechanisms, quota or mechanism-quota",
			    r->principal, r->token, r->name);
	} else if (p->section == SECTION_PRINCIPAL) {
		struct principal *pr = section_principal(p);
		bool some = false;

		for (size_t k = 0; k < POLICY_KINDS; k++)
			some |= pr->nids[k] > 0 || pr->any[k];
		if (!some)
			parse_error_at(p, pr->line,
			    "[principal %s] is nobody: give uid, domid "
			    "or cid",
			    pr->name);
	}
}

void
section_begin(struct parse *p, const char *header, size_t len)
{
	static const struct {
		const char *name, *form;
		enum section section;
		size_t words;
	} kinds[] = {
	    {"vsmd", "[vsmd]", SECTION_VSMD, 1},
	    {"principal", "[principal NAME]", SECTION_PRINCIPAL, 2},
	    {"grant", "[grant PRINCIPAL TOKEN]", SECTION_GRANT, 3},
	    {"key", "[key PRINCIPAL TOKEN NAME]", SECTION_KEY, 4},
	};
	static const char *const names[] = {"vsmd", "principal", "grant", "key"};
	char words[WORDS_MAX][GRANT_NAME];
	const char *near;
	size_t n, i;

	section_end(p);
	memset(words, 0, sizeof(words));
	p->seen = 0;
	p->conf.skip = true;
	p->section = SECTION_NONE;
	if (header[len - 1] != ']') {
		parse_error(p, "a section header ends with `]', and nothing follows it");
		return;
	}
	if (!split(header + 1, len - 2, words, &n) || n == 0) {
		parse_error(p,
		    "malformed section header: at most %d words of at most %d bytes, "
		    "in double quotes when they hold blanks",
		    WORDS_MAX, GRANT_NAME - 1);
		return;
	}
	for (i = 0; i < 4 && strcmp(words[0], kinds[i].name) != 0; i++)
		;
	if (i == 4) {
		near = suggest(words[0], names, 4);
		parse_error(p, "unknown section [%s]: %s%s%s", words[0],
		    near ? "did you mean [" : "there are vsmd, principal, grant and key",
		    near ? near : "", near ? "]?" : "");
		return;
	}
	if (n != kinds[i].words) {
		parse_error(p, "a section of this kind is written %s", kinds[i].form);
		return;
	}
	p->section = kinds[i].section;
	if (i == 0 && p->config->vsmd_line != 0) {
		parse_error(p, "[vsmd] is already at line %u", p->config->vsmd_line);
		return;
	}
	if (i == 0)
		p->config->vsmd_line = p->conf.line;
	p->conf.skip =
	    !(i == 0 || (i == 1 && begin_principal(p, words[1])) ||
		(i == 2 && begin_grant(p, words)) || (i == 3 && begin_rule(p, words)));
}

static const struct principal *
find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nprincipals; i++)
		if (strcmp(c->principals[i].name, name) == 0)
			return &c->principals[i];
	return NULL;
}

/* No peer may be two principals. */
static void
check_overlap(struct parse *p, const struct principal *a, const struct principal *b)
{
	static const char *const kinds[POLICY_KINDS] = {"uid", "cid", "domid"};

	for (size_t k = 0; k < POLICY_KINDS; k++) {
		if (a->any[k] && b->any[k])
			parse_error_at(p, b->line,
			    "[principal %s] has %s = * as [principal %s] "
			    "has: a peer can be one principal only",
			    b->name, kinds[k], a->name);
		for (size_t i = 0; i < a->nids[k]; i++)
			for (size_t j = 0; j < b->nids[k]; j++)
				if (a->ids[k][i] == b->ids[k][j])
					parse_error_at(p, b->line,
					    "[principal %s] has %s %u as "
					    "[principal %s] has: a peer can be one "
					    "principal only",
					    b->name, kinds[k], b->ids[k][j], a->name);
	}
}

void
section_finish(struct parse *p)
{
	struct config *c = p->config;

	section_end(p);
	for (size_t i = 0; i < c->nprincipals; i++)
		for (size_t j = i + 1; j < c->nprincipals; j++)
			check_overlap(p, &c->principals[i], &c->principals[j]);
	for (size_t i = 0; i < c->ngrants; i++)
		if (find(c, c->grants[i].principal) == NULL)
			parse_error_at(p, c->grants[i].line, "there is no [principal %s]",
			    c->grants[i].principal);
	for (size_t i = 0; i < c->nrules; i++) {
		size_t of_principal = 0;

		if (find(c, c->rules[i].principal) == NULL)
			parse_error_at(p, c->rules[i].line, "there is no [principal %s]",
			    c->rules[i].principal);
		for (size_t j = 0; j <= i; j++)
			of_principal +=
			    strcmp(c->rules[j].principal, c->rules[i].principal) == 0;
		if (of_principal == GRANT_MAX_RULES + 1)
			parse_error_at(p, c->rules[i].line,
			    "more than %d [key] sections of "
			    "principal %s",
			    GRANT_MAX_RULES, c->rules[i].principal);
	}
}

struct principal *
section_principal(struct parse *p)
{
	return &p->config->principals[p->config->nprincipals - 1];
}

struct token_grant *
section_grant(struct parse *p)
{
	return &p->config->grants[p->config->ngrants - 1];
}

struct key_rule *
section_rule(struct parse *p)
{
	return &p->config->rules[p->config->nrules - 1];
}
