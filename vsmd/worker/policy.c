/* policy.c - see policy.h */
#include "vsmd/worker/policy.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

CK_RV
policy_refuse(struct request *r, CK_RV rv, const char *why, const struct object *o)
{
	struct event *e = &r->event;

	e->name = "policy-refusal";
	e->detail[0] = '\0';
	e->rv = rv;
	event_word(e, "call", r->call->name);
	event_word(e, "why", why);
	if (o != NULL)
		event_object(e, o);
	for (size_t i = 0; r->call->args[i] != ARG_END; i++)
		if (r->call->args[i] == ARG_MECH)
			event_mech(e, r->args[i].ptr);
	r->refused = true;
	if (strcmp(why, "quota") != 0)
		worker_count(r->w, COUNTER_POLICY);
	return rv;
}

static CK_RV
class_code(const struct call *call)
{
	switch (call->class) {
	case CLASS_USE:
		return call->number == CALL_C_DigestInit ? CKR_MECHANISM_INVALID
		                                         : CKR_KEY_FUNCTION_NOT_PERMITTED;
	case CLASS_RANDOM:
		return call->number == CALL_C_SeedRandom ? CKR_RANDOM_SEED_NOT_SUPPORTED
		                                         : CKR_RANDOM_NO_RNG;
	case CLASS_LOGIN:
		return CKR_USER_TYPE_INVALID;
	case CLASS_OBJECT:
	case CLASS_DESTROY:
		return CKR_ACTION_PROHIBITED;
	case CLASS_PIN:
	case CLASS_INIT:
	case CLASS_GENERATE:
	case CLASS_IMPORT:
		return CKR_TOKEN_WRITE_PROTECTED;
	case CLASS_WRAP:
		return CKR_KEY_NOT_WRAPPABLE;
	default:
		return CKR_FUNCTION_REJECTED;
	}
}

/* Calls that begin something; those that go on with it are refused by SoftHSM2, since
 * nothing was begun. */
static bool
begins(const struct call *call)
{
	for (size_t i = 0; call->args[i] != ARG_END; i++)
		if (call->args[i] == ARG_MECH || call->args[i] == ARG_OBJECT)
			return true;
	return call->class != CLASS_USE && call->number != CALL_C_Logout &&
	    call->number != CALL_C_FindObjectsFinal;
}

bool
policy_mech_allowed(const struct grant *g, CK_MECHANISM_TYPE mech)
{
	if (!g->limit_mechs)
		return true;
	for (size_t i = 0; i < g->nmechs; i++)
		if (g->mechs[i] == mech)
			return true;
	return false;
}

static bool
matches(const struct grant_match *m, const struct object *o)
{
	char label[sizeof(o->label) + 1];

	if ((m->has_class && m->class != o->class) || (m->has_type && m->type != o->type))
		return false;
	if (m->has_id &&
	    (m->id_len != o->id_len || memcmp(m->id, o->id, o->id_len) != 0))
		return false;
	if (!m->has_label)
		return true;
	memcpy(label, o->label, o->label_len);
	label[o->label_len] = '\0';
	return fnmatch(m->label, label, 0) == 0;
}

bool
policy_hidden(const struct grant *g, const struct object *o)
{
	for (size_t i = 0; i < g->nrules; i++)
		if (g->rules[i].hide && matches(&g->rules[i].match, o))
			return true;
	return false;
}

bool
policy_ruled(const struct grant *g, const struct object *o)
{
	for (size_t i = 0; i < g->nrules; i++)
		if (matches(&g->rules[i].match, o))
			return true;
	return false;
}

static bool
rule_allows(const struct grant_rule *rule, const CK_MECHANISM *mech)
{
	if (!rule->limit_mechs || mech == NULL)
		return true;
	for (size_t i = 0; i < rule->nmechs; i++)
		if (rule->mechs[i] == mech->mechanism)
			return true;
	return false;
}

/* Whose buckets they are. */
static uint64_t
drawer(const struct worker *w)
{
	return quota_key(0, w->grant->principal, strlen(w->grant->principal));
}

/* A bucket that a use draws from. */
struct draw {
	uint64_t key;
	uint32_t rate, burst;
	const char *of; /* for the audit */
};

#define DRAWS_MAX (2 + 2 * GRANT_MAX_RULES)

/* Numbers that no rule has. */
#define OF_PRINCIPAL UINT64_MAX
#define OF_MECHANISM (UINT64_MAX - 1)

static bool
mech_quota(const struct grant_quota *q, uint16_t n, const CK_MECHANISM *mech, struct draw *ret)
{
	for (uint16_t i = 0; mech != NULL && i < n; i++)
		if (q[i].mech == mech->mechanism) {
			ret->key = quota_key(ret->key, &q[i].mech, sizeof(q[i].mech));
			ret->rate = q[i].rate;
			ret->burst = q[i].burst;
			return true;
		}
	return false;
}

/* One bucket per principal, rule and key.  Session objects share one: they are made at will,
 * copies of a key among them, and each with its own would leave no room for the others. */
static uint64_t
key_of(const struct worker *w, size_t rule, const struct object *o)
{
	uint64_t key = quota_key(rule, w->grant->principal, strlen(w->grant->principal));

	return o->token ? quota_key(key, o->identity, sizeof(o->identity)) : key;
}

/* All that a use of `o` (NULL: of no key) draws from, into ret; returns how many. */
static size_t
draws(struct worker *w, const struct object *o, const CK_MECHANISM *mech, struct draw *ret)
{
	const struct grant *g = w->grant;
	bool secret = o != NULL && object_is_secret(o);
	size_t n = 0, len = strlen(g->principal);

	if (g->nquotas > 0) {
		ret[n] = (struct draw){.key = quota_key(OF_MECHANISM, g->principal, len),
		    .of = "mechanism"};
		n += mech_quota(g->quotas, g->nquotas, mech, &ret[n]);
	}
	if (secret && g->rate > 0)
		ret[n++] = (struct draw){quota_key(OF_PRINCIPAL, g->principal, len), g->rate,
		    g->burst, "principal"};
	for (size_t i = 0; secret && i < g->nrules; i++) {
		const struct grant_rule *rule = &g->rules[i];

		if ((rule->rate == 0 && rule->nquotas == 0) || !matches(&rule->match, o))
			continue;
		if (rule->rate > 0)
			ret[n++] = (struct draw){key_of(w, i, o), rule->rate, rule->burst, "key"};
		if (rule->nquotas == 0)
			continue;
		ret[n] = (struct draw){.key = key_of(w, i, o), .of = "key-mechanism"};
		n += mech_quota(rule->quotas, rule->nquotas, mech, &ret[n]);
	}
	return n;
}

/* The record of a refusal, as often as the bucket has one. */
static CK_RV
over_quota(struct request *r, const struct object *o, const struct draw *d)
{
	uint32_t refused = quota_refused(&r->w->gate, drawer(r->w), d->key);
	char n[16];

	worker_count(r->w, COUNTER_QUOTA);
	if (refused == 0)
		return CKR_FUNCTION_REJECTED;
	snprintf(n, sizeof(n), "%u", refused);
	(void)policy_refuse(r, CKR_FUNCTION_REJECTED, "quota", NULL);
	/* Before what may be long: a detail has its end. */
	event_word(&r->event, "of", d->of);
	event_word(&r->event, "refused", n);
	if (o != NULL)
		event_object(&r->event, o);
	return CKR_FUNCTION_REJECTED;
}

/* One from each bucket, or none from any. */
static CK_RV
draw(struct request *r, const struct object *o, const CK_MECHANISM *mech)
{
	struct draw d[DRAWS_MAX + 1];
	size_t n = draws(r->w, o, mech, d);
	uint64_t who = drawer(r->w);

	for (size_t i = 0; i < n; i++) {
		if (quota_take(&r->w->gate, who, d[i].key, d[i].rate, d[i].burst))
			continue;
		for (size_t j = 0; j < i; j++)
			quota_give(&r->w->gate, who, d[j].key, d[j].rate);
		return over_quota(r, o, &d[i]);
	}
	return CKR_OK;
}

bool
policy_matters(const struct grant *g)
{
	return g->nrules > 0 || g->rate > 0 || g->nquotas > 0;
}

CK_RV
policy_use(struct request *r, const struct object *o, const CK_MECHANISM *mech)
{
	const struct grant *g = r->w->grant;

	for (size_t i = 0; i < g->nrules; i++)
		if (matches(&g->rules[i].match, o) && !rule_allows(&g->rules[i], mech))
			return policy_refuse(r, CKR_MECHANISM_INVALID, "mechanism", o);
	return policy_matters(g) ? draw(r, o, mech) : CKR_OK;
}

CK_RV
policy_call(struct request *r)
{
	const struct grant *g = r->w->grant;
	const struct call *call = r->call;
	const CK_MECHANISM *mech = NULL;
	bool key = false;

	if (call->class != CLASS_NONE && (g->classes & 1u << call->class) == 0 &&
	    begins(call))
		return policy_refuse(r, class_code(call), "class", NULL);
	for (size_t i = 0; call->args[i] != ARG_END; i++) {
		const CK_MECHANISM *m = r->args[i].ptr;

		if (call->args[i] == ARG_MECH && m != NULL &&
		    !policy_mech_allowed(g, m->mechanism))
			return policy_refuse(r, CKR_MECHANISM_INVALID, "mechanism", NULL);
		if (call->args[i] == ARG_MECH)
			mech = m;
		key |= call->args[i] == ARG_OBJECT;
	}
	/* With a key it is drawn when that is known: policy_use(). */
	return g->nquotas > 0 && mech != NULL && !key ? draw(r, NULL, mech) : CKR_OK;
}

static bool
is_bool(const CK_ATTRIBUTE *a, CK_ATTRIBUTE_TYPE type, bool value)
{
	return a->type == type && a->pValue != NULL && a->ulValueLen == sizeof(CK_BBOOL) &&
	    (*(const CK_BBOOL *)a->pValue != CK_FALSE) == value;
}

CK_RV
policy_template(struct request *r, const CK_ATTRIBUTE *t, CK_ULONG n)
{
	if ((r->w->grant->flags & GRANT_DENY_EXTRACT) == 0 || t == NULL)
		return CKR_OK;
	for (CK_ULONG i = 0; i < n; i++)
		if (is_bool(&t[i], CKA_EXTRACTABLE, true) ||
		    is_bool(&t[i], CKA_SENSITIVE, false))
			return policy_refuse(r, CKR_TEMPLATE_INCONSISTENT, "extract", NULL);
	return CKR_OK;
}

bool
policy_attr_secret(CK_ATTRIBUTE_TYPE type)
{
	switch (type) {
	case CKA_VALUE:
	case CKA_PRIVATE_EXPONENT:
	case CKA_PRIME_1:
	case CKA_PRIME_2:
	case CKA_EXPONENT_1:
	case CKA_EXPONENT_2:
	case CKA_COEFFICIENT:
		return true;
	default:
		return false;
	}
}

bool
policy_renames(const CK_ATTRIBUTE *t, CK_ULONG n)
{
	for (CK_ULONG i = 0; t != NULL && i < n; i++)
		if (t[i].type == CKA_LABEL || t[i].type == CKA_ID)
			return true;
	return false;
}
