/*
 * grant.h - what one principal may do with one token: policy, ready to be applied.
 *
 * The supervisor makes it from the policy file when a channel is accepted and sends it
 * with the channel; the worker applies it and knows nothing else of policy.
 */
#ifndef CAAS_VSMD_GRANT_H
#define CAAS_VSMD_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "protocol/calls.h"

#define GRANT_NAME 64
#define GRANT_MAX_RULES 64
#define GRANT_MAX_MECHS 128
#define GRANT_MAX_QUOTAS 16 /* of mechanisms */
#define GRANT_RULE_QUOTAS 4 /* the same, in one rule */

#define GRANT_CHANNEL_LOGIN 0x01 /* C_Login without a PIN; the store gives the user PIN */
#define GRANT_PIN_LOCKOUT 0x02   /* count wrong PINs, lock */
#define GRANT_DENY_EXTRACT 0x04  /* no wrapping out, no extractable or clear-text keys */
#define GRANT_AUDIT_USE 0x08     /* an audit record for each signature and decryption */
#define GRANT_ADMIN 0x10         /* role admin */
#define GRANT_STATUS 0x20        /* of what administrators may ask: status; never a peer's */

/* Matches an object: every member that is set must agree. */
struct grant_match {
	bool has_class, has_type, has_label, has_id;
	CK_OBJECT_CLASS class;
	CK_KEY_TYPE type;
	char label[GRANT_NAME];    /* fnmatch(3) pattern */
	uint8_t id[64];
	uint8_t id_len;
};

/* How often a mechanism may be used. */
struct grant_quota {
	CK_MECHANISM_TYPE mech;
	uint32_t rate, burst;             /* a second, and at once */
};

struct grant_rule {
	struct grant_match match;
	bool hide;                        /* as if it were not on the token */
	bool limit_mechs;                 /* only the mechanisms below */
	CK_MECHANISM_TYPE mechs[GRANT_MAX_MECHS];
	uint16_t nmechs;
	uint32_t rate, burst;             /* private-key uses per second; 0: no quota */
	struct grant_quota quotas[GRANT_RULE_QUOTAS]; /* and of these mechanisms with it */
	uint16_t nquotas;
};

struct grant {
	char principal[GRANT_NAME];
	char peer[GRANT_NAME];            /* "uid 33 pid 812", for the audit */
	uint32_t flags;                   /* GRANT_* */
	uint32_t classes;                 /* 1 << enum call_class, for each that is allowed */
	bool limit_mechs;                 /* for the token as a whole */
	CK_MECHANISM_TYPE mechs[GRANT_MAX_MECHS];
	uint16_t nmechs;
	uint32_t rate, burst;             /* private-key uses per second; 0: no quota */
	struct grant_quota quotas[GRANT_MAX_QUOTAS]; /* of mechanisms, whatever the key */
	uint16_t nquotas;
	uint16_t nrules;
	struct grant_rule rules[GRANT_MAX_RULES]; /* last: what is beyond nrules is not touched */
};

void grant_write(struct buf *b, const struct grant *g);
/* False when malformed: then *g is a grant that allows nothing and has no rules.  What
 * rules[] holds beyond nrules is left as it was. */
bool grant_read(struct buf *b, struct grant *g);

#endif
