/* rules.c - the keys of [principal], [grant] and [key]. */
#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vchan-transport/address.h"
#include "vsmd/policy/policy.h"

#define LISTS ", \t"
#define MAX_RATE 1000000

static void
add_id(struct parse *p, enum peer_kind kind, uint32_t id)
{
	struct principal *pr = section_principal(p);
	uint32_t *bigger;

	for (size_t i = 0; i < pr->nids[kind]; i++)
		if (pr->ids[kind][i] == id)
			return;
	if (pr->nids[kind] == POLICY_MAX_IDS ||
	    (bigger = reallocarray(pr->ids[kind], pr->nids[kind] + 1, sizeof(id))) ==
		NULL) {
		parse_error(p, "%s: more than %d", p->conf.key, POLICY_MAX_IDS);
		return;
	}
	pr->ids[kind] = bigger;
	bigger[pr->nids[kind]++] = id;
}

static void
take_uid(struct parse *p, const char *item)
{
	const struct passwd *pw;
	unsigned long n;

	if (strcmp(item, "*") == 0)
		section_principal(p)->any[PEER_UID] = true;
	else if (isdigit((unsigned char)item[0])) {
		if (value_number(p, item, 0, UINT32_MAX - 1, &n))
			add_id(p, PEER_UID, (uint32_t)n);
	} else if ((pw = getpwnam(item)) == NULL)
		parse_error(p, "uid: there is no user `%s' on this machine", item);
	else
		add_id(p, PEER_UID, pw->pw_uid);
}

static void
take_number(struct parse *p, const char *item, enum peer_kind kind, unsigned long max)
{
	unsigned long n;

	if (strcmp(item, "*") == 0)
		section_principal(p)->any[kind] = true;
	else if (value_number(p, item, 0, max, &n))
		add_id(p, kind, (uint32_t)n);
}

static void
take_domid(struct parse *p, const char *item)
{
	if (strcmp(item, "coupled") == 0)
		add_id(p, PEER_DOMID, ADDRESS_COUPLED);
	else
		take_number(p, item, PEER_DOMID, ADDRESS_DOMID_LAST);
}

static void
take_cid(struct parse *p, const char *item)
{
	take_number(p, item, PEER_CID, UINT32_MAX - 1);
}

void
set_uid(struct parse *p, const char *value)
{
	value_list(p, value, LISTS, take_uid);
}

void
set_domid(struct parse *p, const char *value)
{
	value_list(p, value, LISTS, take_domid);
}

void
set_cid(struct parse *p, const char *value)
{
	value_list(p, value, LISTS, take_cid);
}

/* The guest's users are no users of this machine: numbers alone. */
static void
add_agent_uid(struct parse *p, struct agent_uids *users, const char *item)
{
	unsigned long n;

	if (!value_number(p, item, 0, UINT32_MAX - 1, &n))
		return;
	if (users->n == POLICY_AGENT_UIDS)
		parse_error(p, "%s: more than %d", p->conf.key, POLICY_AGENT_UIDS);
	else
		users->uid[users->n++] = (uint32_t)n;
}

static void
take_agent_uid(struct parse *p, const char *item)
{
	add_agent_uid(p, &section_principal(p)->users, item);
}

static void
take_admin_agent_uid(struct parse *p, const char *item)
{
	add_agent_uid(p, &section_principal(p)->admins, item);
}

static void
take_grant_agent_uid(struct parse *p, const char *item)
{
	add_agent_uid(p, &section_grant(p)->users, item);
}

void
set_agent_uid(struct parse *p, const char *value)
{
	value_list(p, value, LISTS, take_agent_uid);
}

void
set_admin_agent_uid(struct parse *p, const char *value)
{
	value_list(p, value, LISTS, take_admin_agent_uid);
}

void
set_grant_agent_uid(struct parse *p, const char *value)
{
	value_list(p, value, LISTS, take_grant_agent_uid);
}

void
set_role(struct parse *p, const char *value)
{
	static const char *const roles[] = {"admin"};
	size_t i;

	section_principal(p)->admin = value_choice(p, value, roles, 1, &i);
}

void
set_login(struct parse *p, const char *value)
{
	static const char *const ways[] = {"pin", "channel"};
	size_t i;

	if (value_choice(p, value, ways, 2, &i) && i == 1)
		section_grant(p)->flags |= GRANT_CHANNEL_LOGIN;
}

static void
take_allow(struct parse *p, const char *item)
{
	/* In the order of enum call_class, from CLASS_READ on. */
	static const char *const classes[] = {"read", "use", "random", "login", "pin",
	    "object", "generate", "import", "wrap", "destroy", "init", "all"};
	struct token_grant *g = section_grant(p);
	size_t i, n = sizeof(classes) / sizeof(classes[0]);

	_Static_assert(
	    CLASS_NONE == 0 && CLASS_READ == 1 && CLASS_INIT == 11, "see above");
	g->allow_given = true;
	if (!value_choice(p, item, classes, n, &i))
		return;
	for (size_t c = 0; c + 1 < n; c++)
		if (c == i || i == n - 1)
			g->classes |= 1u << (c + CLASS_READ);
}

void
set_allow(struct parse *p, const char *value)
{
	value_list(p, value, LISTS, take_allow);
}

void
set_extract(struct parse *p, const char *value)
{
	static const char *const ways[] = {"deny", "allow"};
	size_t i;

	if (value_choice(p, value, ways, 2, &i) && i == 1)
		section_grant(p)->flags &= ~(uint32_t)GRANT_DENY_EXTRACT;
}

static void
take_grant_mechanism(struct parse *p, const char *item)
{
	struct token_grant *g = section_grant(p);

	g->limit_mechs = true;
	value_mechanism(p, item, g->mechs, &g->nmechs);
}

void
set_grant_mechanisms(struct parse *p, const char *value)
{
	value_list(p, value, LISTS, take_grant_mechanism);
}

void
set_audit_use(struct parse *p, const char *value)
{
	bool yes;

	if (value_yes(p, value, &yes) && yes)
		section_grant(p)->flags |= GRANT_AUDIT_USE;
}

void
set_pin_lockout(struct parse *p, const char *value)
{
	bool yes;

	section_grant(p)->lockout_given = true;
	if (value_yes(p, value, &yes) && yes)
		section_grant(p)->flags |= GRANT_PIN_LOCKOUT;
}

void
set_label(struct parse *p, const char *value)
{
	struct grant_match *m = &section_rule(p)->rule.match;
	size_t len = strlen(value);

	if (len >= sizeof(m->label)) {
		parse_error(p, "label: longer than %zu bytes", sizeof(m->label) - 1);
		return;
	}
	memcpy(m->label, value, len + 1);
	m->has_label = true;
}

void
set_id(struct parse *p, const char *value)
{
	struct grant_match *m = &section_rule(p)->rule.match;
	const char *digits = "0123456789abcdef";
	size_t n = 0;

	for (; *value != '\0'; value++) {
		const char *d = strchr(digits, tolower((unsigned char)*value));

		if (*value == ':' && n % 2 == 0 && n > 0 && value[1] != ':' &&
		    value[1] != '\0')
			continue;
		if (d == NULL || n / 2 == sizeof(m->id))
			break;
		m->id[n / 2] = (uint8_t)(m->id[n / 2] << 4 | (d - digits));
		n++;
	}
	if (*value != '\0' || n % 2 != 0 || n == 0) {
		parse_error(p,
		    "id: not pairs of hexadecimal digits as 01ab or 01:ab, at most %zu",
		    sizeof(m->id));
		return;
	}
	m->id_len = (uint8_t)(n / 2);
	m->has_id = true;
}

void
set_class(struct parse *p, const char *value)
{
	static const char *const names[] = {"data", "certificate", "public-key",
	    "private-key", "secret-key", "domain-parameters"};
	static const CK_OBJECT_CLASS classes[] = {CKO_DATA, CKO_CERTIFICATE,
	    CKO_PUBLIC_KEY, CKO_PRIVATE_KEY, CKO_SECRET_KEY, CKO_DOMAIN_PARAMETERS};
	struct grant_match *m = &section_rule(p)->rule.match;
	size_t i;

	if (!value_choice(p, value, names, sizeof(names) / sizeof(names[0]), &i))
		return;
	m->class = classes[i];
	m->has_class = true;
}

void
set_type(struct parse *p, const char *value)
{
	static const char *const names[] = {"rsa", "dsa", "dh", "ec", "ed25519", "ed448",
	    "edwards", "montgomery", "generic", "aes", "des", "des2", "des3"};
	static const CK_KEY_TYPE types[] = {CKK_RSA, CKK_DSA, CKK_DH, CKK_EC,
	    CKK_EC_EDWARDS, CKK_EC_EDWARDS, CKK_EC_EDWARDS, CKK_EC_MONTGOMERY,
	    CKK_GENERIC_SECRET, CKK_AES, CKK_DES, CKK_DES2, CKK_DES3};
	struct grant_match *m = &section_rule(p)->rule.match;
	size_t i;

	if (!value_choice(p, value, names, sizeof(names) / sizeof(names[0]), &i))
		return;
	m->type = types[i];
	m->has_type = true;
}

void
set_hide(struct parse *p, const char *value)
{
	(void)value_yes(p, value, &section_rule(p)->rule.hide);
}

static void
take_key_mechanism(struct parse *p, const char *item)
{
	struct grant_rule *r = &section_rule(p)->rule;

	r->limit_mechs = true;
	value_mechanism(p, item, r->mechs, &r->nmechs);
}

void
set_key_mechanisms(struct parse *p, const char *value)
{
	value_list(p, value, LISTS, take_key_mechanism);
}

/* Digits to a number from 1 to MAX_RATE; 0 when there are none or it is not. */
static uint32_t
take_rate(const char **s)
{
	uint32_t n = 0;

	for (; isdigit((unsigned char)**s); (*s)++) {
		n = n * 10 + (uint32_t)(**s - '0');
		if (n > MAX_RATE)
			return 0;
	}
	return n;
}

/* RATE/s, or RATE/s burst N. */
static void
take_quota(struct parse *p, const char *value, uint32_t *ret_rate, uint32_t *ret_burst)
{
	const char *s = value;
	uint32_t rate = take_rate(&s), burst = rate;

	if (strncmp(s, "/s", 2) == 0) {
		s += 2;
		if (*s == ' ' || *s == '\t') {
			s += strspn(s, " \t");
			burst = 0;
			if (strncmp(s, "burst", 5) == 0 &&
			    (s[5] == ' ' || s[5] == '\t')) {
				s += 5;
				s += strspn(s, " \t");
				burst = take_rate(&s);
			}
		}
		if (rate > 0 && burst > 0 && *s == '\0') {
			*ret_rate = rate;
			*ret_burst = burst;
			return;
		}
	}
	parse_error(p,
	    "%s: `%s' is not written RATE/s or RATE/s burst N, numbers from 1 to %d",
	    p->conf.key, value, MAX_RATE);
}

void
set_grant_quota(struct parse *p, const char *value)
{
	struct token_grant *g = section_grant(p);

	take_quota(p, value, &g->rate, &g->burst);
}

void
set_key_quota(struct parse *p, const char *value)
{
	struct grant_rule *r = &section_rule(p)->rule;

	take_quota(p, value, &r->rate, &r->burst);
}

/* MECHANISM RATE/s [burst N] */
static void
take_mechanism_quota(
    struct parse *p, const char *item, struct grant_quota *quotas, uint16_t *n, uint16_t max)
{
	CK_MECHANISM_TYPE mech[GRANT_MAX_MECHS];
	size_t len = strcspn(item, " \t");
	char name[GRANT_NAME];
	uint16_t named = 0;

	if (item[len] == '\0' || len >= sizeof(name)) {
		parse_error(p, "%s: `%s' is not written MECHANISM RATE/s or MECHANISM "
			       "RATE/s burst N", p->conf.key, item);
		return;
	}
	memcpy(name, item, len);
	name[len] = '\0';
	value_mechanism(p, name, mech, &named);
	if (named == 0)
		return;
	for (uint16_t i = 0; i < *n; i++)
		if (quotas[i].mech == mech[0]) {
			parse_error(p, "%s: %s is there twice", p->conf.key, name);
			return;
		}
	if (*n == max) {
		parse_error(p, "%s: more than %d", p->conf.key, max);
		return;
	}
	quotas[*n].mech = mech[0];
	take_quota(p, item + len + strspn(item + len, " \t"), &quotas[*n].rate,
	    &quotas[*n].burst);
	++*n;
}

static void
take_grant_mechanism_quota(struct parse *p, const char *item)
{
	struct token_grant *g = section_grant(p);

	take_mechanism_quota(p, item, g->quotas, &g->nquotas, GRANT_MAX_QUOTAS);
}

void
set_grant_mechanism_quota(struct parse *p, const char *value)
{
	value_list(p, value, ",", take_grant_mechanism_quota);
}

static void
take_key_mechanism_quota(struct parse *p, const char *item)
{
	struct grant_rule *r = &section_rule(p)->rule;

	take_mechanism_quota(p, item, r->quotas, &r->nquotas, GRANT_RULE_QUOTAS);
}

void
set_key_mechanism_quota(struct parse *p, const char *value)
{
	value_list(p, value, ",", take_key_mechanism_quota);
}
