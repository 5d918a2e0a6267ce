/*
 * policy.h - the grant, applied to one request.
 *
 * A refusal is a code that the specification allows for the function, and an audit
 * record "policy-refusal" (left in r->event for serve() to send once the gate is left).
 *
 *	class not allowed      C_InitToken, PINs      CKR_TOKEN_WRITE_PROTECTED
 *	                       generate, import       CKR_TOKEN_WRITE_PROTECTED
 *	                       copy, set, destroy     CKR_ACTION_PROHIBITED
 *	                       use of a key           CKR_KEY_FUNCTION_NOT_PERMITTED
 *	                       digest                 CKR_MECHANISM_INVALID
 *	                       wrap                   CKR_KEY_NOT_WRAPPABLE
 *	                       random                 CKR_RANDOM_NO_RNG
 *	                       seed                   CKR_RANDOM_SEED_NOT_SUPPORTED
 *	                       login                  CKR_USER_TYPE_INVALID
 *	                       read                   CKR_FUNCTION_REJECTED
 *	mechanism not allowed                         CKR_MECHANISM_INVALID
 *	object is hidden                              CKR_OBJECT_HANDLE_INVALID
 *	quota used up: of the principal, the          CKR_FUNCTION_REJECTED
 *	mechanism, the key, or a mechanism with it
 *	extraction denied      C_WrapKey              CKR_KEY_UNEXTRACTABLE
 *	                       template               CKR_TEMPLATE_INCONSISTENT
 *	                       value asked            CKR_ATTRIBUTE_SENSITIVE
 *	label or id of an      set                    CKR_ATTRIBUTE_READ_ONLY
 *	object with a rule     copy                   CKR_ACTION_PROHIBITED
 *
 * All rules that match an object apply.  A use that one quota refuses costs the others
 * nothing.  Refusals by a quota have one record a second for each bucket ("of" says which
 * kind it is), which says how many there were.
 */
#ifndef CAAS_VSMD_WORKER_POLICY_H
#define CAAS_VSMD_WORKER_POLICY_H

#include "vsmd/worker/state.h"

/* Is the row's class allowed, and the mechanism in it on this token at all? */
CK_RV policy_call(struct request *r);
bool policy_mech_allowed(const struct grant *g, CK_MECHANISM_TYPE mech);

/* Some rule hides it. */
bool policy_hidden(const struct grant *g, const struct object *o);
/* Some rule matches it. */
bool policy_ruled(const struct grant *g, const struct object *o);
/* The grant says something of keys beside their class. */
bool policy_matters(const struct grant *g);
/* The key may be used with mech, and no quota is used up (one use is taken). */
CK_RV policy_use(struct request *r, const struct object *o, const CK_MECHANISM *mech);
/* A template for a private or secret key keeps it inside, where the grant demands it. */
CK_RV policy_template(struct request *r, const CK_ATTRIBUTE *t, CK_ULONG n);
/* The value of this attribute of a private or secret key is the key. */
bool policy_attr_secret(CK_ATTRIBUTE_TYPE type);
/* The template names CKA_LABEL or CKA_ID. */
bool policy_renames(const CK_ATTRIBUTE *t, CK_ULONG n);

/* Leave the record of a refusal in r->event; returns rv. */
CK_RV policy_refuse(struct request *r, CK_RV rv, const char *why, const struct object *o);

#endif
