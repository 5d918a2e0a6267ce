/* grant.c - see grant.h: a grant as bytes between our processes. */
#include "vsmd/policy/grant.h"

#include <stddef.h>
#include <string.h>

#define FLAGS_ALL                                                                        \
	(GRANT_CHANNEL_LOGIN | GRANT_PIN_LOCKOUT | GRANT_DENY_EXTRACT |                  \
	    GRANT_AUDIT_USE | GRANT_ADMIN | GRANT_STATUS)
#define CLASSES_ALL ((1u << (CLASS_INIT + 1)) - 1)

#define HAS_CLASS 0x01
#define HAS_TYPE 0x02
#define HAS_LABEL 0x04
#define HAS_ID 0x08
#define RULE_HIDE 0x10
#define RULE_LIMIT 0x20
#define RULE_BITS 0x3f

/* Mechanisms, classes and key types have 32 bits (PKCS #11); so the largest grant stays
 * below IPC_MAX. */
static void
mechs_write(struct buf *b, const CK_MECHANISM_TYPE *mechs, uint16_t n)
{
	buf_put_u16(b, n);
	for (uint16_t i = 0; i < n; i++) {
		if (mechs[i] > UINT32_MAX)
			buf_fail(b);
		buf_put_u32(b, (uint32_t)mechs[i]);
	}
}

static void
mechs_read(struct buf *b, CK_MECHANISM_TYPE *mechs, uint16_t *ret_n)
{
	uint16_t n = buf_get_u16(b);

	if (n > GRANT_MAX_MECHS)
		buf_fail(b);
	for (uint16_t i = 0; i < n && buf_ok(b); i++)
		mechs[i] = buf_get_u32(b);
	*ret_n = buf_ok(b) ? n : 0;
}

static void
quotas_write(
    struct buf *b, uint32_t rate, uint32_t burst, const struct grant_quota *q, uint16_t n)
{
	buf_put_u32(b, rate);
	buf_put_u32(b, burst);
	buf_put_u16(b, n);
	for (uint16_t i = 0; i < n; i++) {
		if (q[i].mech > UINT32_MAX)
			buf_fail(b);
		buf_put_u32(b, (uint32_t)q[i].mech);
		buf_put_u32(b, q[i].rate);
		buf_put_u32(b, q[i].burst);
	}
}

static void
quotas_read(struct buf *b, uint32_t *ret_rate, uint32_t *ret_burst, struct grant_quota *q,
    uint16_t max, uint16_t *ret_n)
{
	uint16_t n;

	*ret_rate = buf_get_u32(b);
	*ret_burst = buf_get_u32(b);
	n = buf_get_u16(b);
	if (n > max)
		buf_fail(b);
	for (uint16_t i = 0; i < n && buf_ok(b); i++) {
		q[i].mech = buf_get_u32(b);
		q[i].rate = buf_get_u32(b);
		q[i].burst = buf_get_u32(b);
	}
	*ret_n = buf_ok(b) ? n : 0;
}

static void
rule_write(struct buf *b, const struct grant_rule *r)
{
	const struct grant_match *m = &r->match;

	buf_put_u8(
	    b, (uint8_t)((m->has_class ? HAS_CLASS : 0) | (m->has_type ? HAS_TYPE : 0) |
			 (m->has_label ? HAS_LABEL : 0) | (m->has_id ? HAS_ID : 0) |
			 (r->hide ? RULE_HIDE : 0) | (r->limit_mechs ? RULE_LIMIT : 0)));
	buf_put_u32(b, (uint32_t)m->class);
	buf_put_u32(b, (uint32_t)m->type);
	buf_put_str(b, m->label);
	buf_put_bytes(b, m->id, m->id_len);
	mechs_write(b, r->mechs, r->nmechs);
	quotas_write(b, r->rate, r->burst, r->quotas, r->nquotas);
}

static void
rule_read(struct buf *b, struct grant_rule *r)
{
	struct grant_match *m = &r->match;
	const uint8_t *id;
	uint8_t bits;
	size_t len;

	memset(r, 0, sizeof(*r));
	bits = buf_get_u8(b);
	if (bits & ~RULE_BITS)
		buf_fail(b);
	m->has_class = bits & HAS_CLASS;
	m->has_type = bits & HAS_TYPE;
	m->has_label = bits & HAS_LABEL;
	m->has_id = bits & HAS_ID;
	r->hide = bits & RULE_HIDE;
	r->limit_mechs = bits & RULE_LIMIT;
	m->class = buf_get_u32(b);
	m->type = buf_get_u32(b);
	buf_get_str(b, m->label, sizeof(m->label));
	id = buf_get_bytes(b, &len);
	if (len > sizeof(m->id))
		buf_fail(b);
	if (id != NULL && buf_ok(b)) {
		memcpy(m->id, id, len);
		m->id_len = (uint8_t)len;
	}
	mechs_read(b, r->mechs, &r->nmechs);
	quotas_read(b, &r->rate, &r->burst, r->quotas, GRANT_RULE_QUOTAS, &r->nquotas);
}

void
grant_write(struct buf *b, const struct grant *g)
{
	buf_put_str(b, g->principal);
	buf_put_str(b, g->peer);
	buf_put_u32(b, g->flags);
	buf_put_u32(b, g->classes);
	buf_put_u8(b, g->limit_mechs);
	mechs_write(b, g->mechs, g->nmechs);
	quotas_write(b, g->rate, g->burst, g->quotas, g->nquotas);
	buf_put_u16(b, g->nrules);
	for (uint16_t i = 0; i < g->nrules; i++)
		rule_write(b, &g->rules[i]);
}

/* But for the rules, of which there is room for many and which are nearly always few: to
 * write all of that would make each worker a copy of it. */
static void
clear(struct grant *g)
{
	memset(g, 0, offsetof(struct grant, rules));
}

bool
grant_read(struct buf *b, struct grant *g)
{
	uint8_t limit;

	clear(g);
	buf_get_str(b, g->principal, sizeof(g->principal));
	buf_get_str(b, g->peer, sizeof(g->peer));
	g->flags = buf_get_u32(b);
	g->classes = buf_get_u32(b);
	limit = buf_get_u8(b);
	g->limit_mechs = limit == 1;
	mechs_read(b, g->mechs, &g->nmechs);
	quotas_read(b, &g->rate, &g->burst, g->quotas, GRANT_MAX_QUOTAS, &g->nquotas);
	g->nrules = buf_get_u16(b);
	if (g->flags & ~(uint32_t)FLAGS_ALL || g->classes & ~CLASSES_ALL || limit > 1 ||
	    g->nrules > GRANT_MAX_RULES)
		buf_fail(b);
	for (uint16_t i = 0; i < g->nrules && buf_ok(b); i++)
		rule_read(b, &g->rules[i]);
	if (buf_ok(b))
		return true;
	clear(g);
	return false;
}
