/* match.c - see config.h: from a peer to a principal, from a principal to its grant. */
#include <fnmatch.h>
#include <string.h>

#include "vsmd/policy/policy.h"

#define ALLOW_DEFAULT                                                                    \
	(1u << CLASS_READ | 1u << CLASS_USE | 1u << CLASS_RANDOM | 1u << CLASS_LOGIN)

static const struct principal *
by_name(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nprincipals; i++)
		if (strcmp(c->principals[i].name, name) == 0)
			return &c->principals[i];
	return NULL;
}

/* Nobody is taken out, or no agent says who it is, or it is one of them. */
static bool
among(const struct agent_uids *users, const struct hello_hint *hint)
{
	for (size_t i = 0; hint->given && i < users->n; i++)
		if (users->uid[i] == hint->uid)
			return true;
	return !hint->given || users->n == 0;
}

static const struct principal *
by_peer(const struct config *c, const struct peer *peer)
{
	const struct principal *any = NULL;

	if ((unsigned)peer->kind >= POLICY_KINDS)
		return NULL;
	for (size_t i = 0; i < c->nprincipals; i++) {
		const struct principal *pr = &c->principals[i];

		for (size_t j = 0; j < pr->nids[peer->kind]; j++)
			if (pr->ids[peer->kind][j] == peer->id)
				return pr;
		if (pr->any[peer->kind])
			any = pr;
	}
	return any;
}

const char *
config_principal(
    const struct config *c, const struct peer *peer, const struct hello_hint *hint)
{
	const struct principal *pr = by_peer(c, peer);

	return pr != NULL && among(&pr->users, hint) ? pr->name : NULL;
}

bool
config_is_admin(
    const struct config *c, const char *principal, const struct hello_hint *hint)
{
	const struct principal *pr = by_name(c, principal);

	return pr != NULL && pr->admin && among(&pr->admins, hint);
}

static uint32_t
classes(const struct token_grant *g)
{
	return 1u << CLASS_NONE | (g->allow_given ? g->classes : ALLOW_DEFAULT);
}

/* 3: the label itself, 2: a pattern, 1: "*", 0: another token. */
static int
specificity(const struct token_grant *g, const char *label)
{
	if (strcmp(g->token, label) == 0)
		return 3;
	if (strcmp(g->token, "*") == 0)
		return 1;
	return fnmatch(g->token, label, 0) == 0 ? 2 : 0;
}

static const struct token_grant *
find_grant(const struct config *c, const char *principal, const char *label)
{
	const struct token_grant *best = NULL;
	int best_score = 0;

	for (size_t i = 0; i < c->ngrants; i++) {
		const struct token_grant *g = &c->grants[i];
		int score;

		if (strcmp(g->principal, principal) != 0)
			continue;
		if (label == NULL)
			score = (classes(g) & 1u << CLASS_INIT) != 0;
		else
			score = specificity(g, label);
		/* Of equals, the first in the file. */
		if (score > best_score) {
			best = g;
			best_score = score;
		}
	}
	return best;
}

/* For the slot without a token: the rules of the grant's own tokens, and of all. */
static bool
rule_applies(const struct key_rule *r, const struct token_grant *g, const char *label)
{
	if (strcmp(r->principal, g->principal) != 0)
		return false;
	if (strcmp(r->token, "*") == 0 || strcmp(r->token, label ? label : g->token) == 0)
		return true;
	return label != NULL && fnmatch(r->token, label, 0) == 0;
}

bool
config_grant(const struct config *c, const char *principal, const char *token_label,
    const struct hello_hint *hint, struct grant *ret)
{
	const struct token_grant *g = find_grant(c, principal, token_label);

	/* Not another one in its place, which might give more. */
	if (g != NULL && !among(&g->users, hint))
		g = NULL;
	if (ret == NULL)
		return g != NULL;
	memset(ret, 0, sizeof(*ret));
	if (g == NULL)
		return false;
	memcpy(ret->principal, g->principal, sizeof(ret->principal));
	ret->flags = g->flags;
	ret->classes = classes(g);
	ret->limit_mechs = g->limit_mechs;
	memcpy(ret->mechs, g->mechs, sizeof(ret->mechs));
	ret->nmechs = g->nmechs;
	ret->rate = g->rate;
	ret->burst = g->burst;
	memcpy(ret->quotas, g->quotas, sizeof(ret->quotas));
	ret->nquotas = g->nquotas;
	for (size_t i = 0; i < c->nrules && ret->nrules < GRANT_MAX_RULES; i++)
		if (rule_applies(&c->rules[i], g, token_label))
			ret->rules[ret->nrules++] = c->rules[i].rule;
	return true;
}
