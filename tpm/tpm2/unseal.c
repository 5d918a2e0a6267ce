/* unseal.c - a secret out of a TPM 2.0: in the sealed state, or in an approved one. */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/secmem.h"
#include "tpm/approval.h"
#include "tpm/digest.h"
#include "tpm/tpm2/tpm2.h"

#define PCR_RACES 5 /* tries while other software keeps extending */

struct unseal {
	struct tpm *t;
	struct tpm2_blob blob;
	TPML_DIGEST branches;
	ESYS_TR object, session;
	uint8_t *secret;
	size_t size, len;
	TSS2_RC rc;	  /* of the last try */
	unsigned refused; /* approvals for this state that the authority did not sign */
};

static TSS2_RC
policy_authorize_tpm(struct unseal *u, const struct approval *a)
{
	struct tpm2 *s = u->t->state;
	TPM2B_PUBLIC key;
	TPM2B_NAME name;
	TPM2B_DIGEST approved = {.size = POLICY_LEN}, digest = {.size = POLICY_LEN};
	TPM2B_NONCE ref = {.size = (UINT16)strlen(a->ref)};
	TPMT_SIGNATURE sig = {.sigAlg = TPM2_ALG_ECDSA};
	TPMS_SIGNATURE_ECC *ec = &sig.signature.ecdsa;
	TPMT_TK_VERIFIED *ticket = NULL;
	uint8_t m[POLICY_LEN + TPM_REF_MAX];
	ESYS_TR handle = ESYS_TR_NONE;
	TSS2_RC rc;

	tpm2_authority_public(u->blob.authority, &key);
	tpm2_authority_name(u->blob.authority, &name);
	memcpy(approved.buffer, a->policy, POLICY_LEN);
	memcpy(ref.buffer, a->ref, ref.size);
	memcpy(m, a->policy, POLICY_LEN);
	memcpy(m + POLICY_LEN, a->ref, ref.size);
	tpm_sha256(m, POLICY_LEN + ref.size, digest.buffer);
	ec->hash = TPM2_ALG_SHA256;
	ec->signatureR.size = ec->signatureS.size = AUTHORITY_LEN / 2;
	memcpy(ec->signatureR.buffer, a->signature, AUTHORITY_LEN / 2);
	memcpy(ec->signatureS.buffer, a->signature + AUTHORITY_LEN / 2, AUTHORITY_LEN / 2);

	/* In the owner hierarchy: a ticket of the null hierarchy is not taken. */
	TPM2_TRY(rc, Esys_LoadExternal(s->esys, NO_SESSIONS, NULL, &key, ESYS_TR_RH_OWNER,
	    &handle));
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	TPM2_TRY(rc, Esys_VerifySignature(s->esys, handle, NO_SESSIONS, &digest, &sig, &ticket));
	if (rc == TSS2_RC_SUCCESS)
		TPM2_TRY(rc, Esys_PolicyAuthorize(s->esys, u->session, NO_SESSIONS, &approved,
		    &ref, &name, ticket));
	Esys_Free(ticket);
	tpm2_flush(s, &handle);
	return rc;
}

/* The steps of tpm2_blob_policy(), done by the TPM. */
static TSS2_RC
run_policy(struct unseal *u, const struct approval *a)
{
	struct tpm2 *s = u->t->state;
	TPML_PCR_SELECTION sel = tpm2_selection(a != NULL ? a->pcrs : u->blob.pcrs);
	TPM2B_DIGEST of_now = {0}; /* empty: the values of now */
	TSS2_RC rc;

	TPM2_TRY(rc, Esys_PolicyRestart(s->esys, u->session, NO_SESSIONS));
	if (rc == TSS2_RC_SUCCESS && u->blob.pcrs != 0)
		TPM2_TRY(rc, Esys_PolicyPCR(s->esys, u->session, NO_SESSIONS, &of_now, &sel));
	if (rc == TSS2_RC_SUCCESS && a != NULL)
		rc = policy_authorize_tpm(u, a);
	if (rc == TSS2_RC_SUCCESS && u->branches.count > 0)
		TPM2_TRY(rc, Esys_PolicyOR(s->esys, u->session, NO_SESSIONS, &u->branches));
	if (rc == TSS2_RC_SUCCESS && u->blob.locality != 0)
		TPM2_TRY(rc, Esys_PolicyLocality(s->esys, u->session, NO_SESSIONS,
		    u->blob.locality));
	if (rc == TSS2_RC_SUCCESS)
		TPM2_TRY(rc, Esys_PolicyCommandCode(s->esys, u->session, NO_SESSIONS,
		    TPM2_CC_Unseal));
	return rc;
}

/* The secret, if the digest behind it is that of this blob. */
static TSS2_RC
take(struct unseal *u, const TPM2B_SENSITIVE_DATA *out)
{
	uint8_t binding[TPM2_BINDING_LEN];
	size_t len;

	if (out->size < sizeof(binding))
		return TPM2_RC_INTEGRITY;
	len = out->size - sizeof(binding);
	tpm2_blob_binding(&u->blob, binding);
	if (len > u->size || !sec_equal(binding, out->buffer + len, sizeof(binding)))
		return TPM2_RC_INTEGRITY;
	memcpy(u->secret, out->buffer, len);
	u->len = len;
	return TSS2_RC_SUCCESS;
}

static TSS2_RC
try_once(struct unseal *u, const struct approval *a)
{
	struct tpm2 *s = u->t->state;
	TPM2B_SENSITIVE_DATA *out = NULL;
	TSS2_RC rc = run_policy(u, a);

	if (rc != TSS2_RC_SUCCESS)
		return rc;
	TPM2_TRY(rc, Esys_Unseal(s->esys, u->object, u->session, ESYS_TR_NONE, ESYS_TR_NONE,
	    &out));
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	rc = take(u, out);
	sec_wipe(out, sizeof(*out));
	Esys_Free(out);
	tpm2_overwrite(s);
	return rc;
}

static TSS2_RC
try_open(struct unseal *u, const struct approval *a)
{
	struct tpm2 *s = u->t->state;
	uint8_t mask = u->blob.locality;
	int i = 0;

	/* One bit that is not locality 0: ask for it.  Refused: then as the TPM is. */
	if (mask != 0 && (mask & TPMA_LOCALITY_TPM2_LOC_ZERO) == 0)
		(void)tpm2_set_locality(s, (uint8_t)__builtin_ctz(mask));
	do
		u->rc = try_once(u, a);
	while (tpm2_code(u->rc) == TPM2_RC_PCR_CHANGED && ++i < PCR_RACES);
	(void)tpm2_set_locality(s, 0);
	return u->rc;
}

/* For approval_each(): non-zero ends the search. */
static int
consider(void *arg, const char *file, const struct approval *a)
{
	struct unseal *u = arg;
	uint8_t values[TPM_MAX_PCRS][POLICY_LEN], now[POLICY_LEN];

	if (a->pcrs == 0) /* of an image */
		return 0;
	if (tpm2_pcr_read(u->t, a->pcrs, values) != TPM_OK)
		return 1;
	policy_pcr_digest(values[0], tpm_pcr_count(a->pcrs), now);
	if (memcmp(now, a->pcr_digest, sizeof(now)) != 0)
		return 0; /* of another state */
	if (!approval_signed_by(a, u->blob.authority)) {
		log_warn("approval %s: it fits this state, but the authority has not signed it; "
		    "passed over", file);
		u->refused++;
		return 0;
	}
	if (try_open(u, a) == TSS2_RC_SUCCESS) {
		log_info("approval %s opened the sealed key", file);
		return 1;
	}
	log_warn("approval %s: the TPM refused it (0x%x); passed over", file, u->rc);
	return 0;
}

static enum tpm_result
explain_state(struct unseal *u)
{
	uint8_t now[TPM_MAX_PCRS][POLICY_LEN];
	char differ[128];

	if (u->refused > 0)
		return tpm_fail(u->t, TPM_UNAPPROVED, "the approval for this state was not "
		    "signed by the authority that the key was sealed with: have it signed by "
		    "that key (caas tpm approve; docs/tpm.md)");
	if (tpm2_code(u->rc) == TPM2_RC_LOCALITY)
		return tpm_fail(u->t, TPM_WRONG_STATE, "the key is sealed to another locality "
		    "(mask 0x%02x) than the one that is spoken at here (TPM: 0x%x): use the "
		    "TPM where it has it", u->blob.locality, u->rc & 0xffff);
	if (tpm2_pcr_read(u->t, u->blob.pcrs, now) != TPM_OK)
		snprintf(differ, sizeof(differ), "a PCR");
	else
		tpm_pcr_differ(u->blob.pcrs, u->blob.values[0], now[0], POLICY_LEN, differ,
		    sizeof(differ));
	if (!u->blob.has_authority)
		return tpm_fail(u->t, TPM_WRONG_STATE, "%s differs from the state that the key "
		    "was sealed in, and it was sealed without an authority: start the former "
		    "software, or restore a backup (docs/tpm.md)", differ);
	return tpm_fail(u->t, TPM_WRONG_STATE, "%s differs from the state that the key was "
	    "sealed in: find out what changed; if it was meant, have it approved with `caas "
	    "tpm approve --ref '%s'` (docs/tpm.md)", differ, u->blob.ref);
}

static enum tpm_result
explain(struct unseal *u, const char *what)
{
	if (tpm2_code(u->rc) == TPM2_RC_INTEGRITY)
		return tpm_fail(u->t, TPM_BAD_BLOB, "the sealed key was altered: "
		    "restore the file from a copy");
	return tpm2_fail(u->t, u->rc, what);
}

/* Load the object in a session that only the TPM with the pinned SRK can have. */
static enum tpm_result
load(struct unseal *u)
{
	struct tpm2 *s = u->t->state;
	ESYS_TR hmac;

	u->rc = tpm2_session(s, TPM2_SE_HMAC, &hmac);
	if (u->rc == TSS2_RC_SUCCESS)
		TPM2_TRY(u->rc, Esys_Load(s->esys, s->srk, hmac, ESYS_TR_NONE, ESYS_TR_NONE,
		    &u->blob.private, &u->blob.public, &u->object));
	tpm2_flush(s, &hmac);
	if (u->rc == TSS2_RC_SUCCESS)
		return TPM_OK;
	u->object = ESYS_TR_NONE;
	if (!tpm2_wrong_key(u->rc))
		return explain(u, "loading the sealed key");
	tpm2_unpin(s); /* this TPM is another: what it seals is sealed to its own SRK */
	return tpm_fail(u->t, TPM_FOREIGN, "the key was sealed by another TPM than the one at "
	    "tpm2:%s, or that was cleared since: correct the address, or restore a backup",
	    s->where);
}

static enum tpm_result
open_loaded(struct unseal *u, const char *approvals, int *ret_updated)
{
	struct tpm2 *s = u->t->state;

	u->rc = tpm2_session(s, TPM2_SE_POLICY, &u->session);
	if (u->rc != TSS2_RC_SUCCESS)
		return explain(u, "starting a policy session");
	if (try_open(u, NULL) == TSS2_RC_SUCCESS)
		return TPM_OK;
	if (!tpm2_wrong_state(u->rc))
		return explain(u, "unsealing the key");
	if (u->blob.has_authority && approvals != NULL)
		approval_each(approvals, u->blob.ref, consider, u);
	if (u->rc == TSS2_RC_SUCCESS) {
		*ret_updated = 1;
		return TPM_OK;
	}
	if (s->esys == NULL) /* lost meanwhile: explained then */
		return TPM_ABSENT;
	return tpm2_wrong_state(u->rc) ? explain_state(u) : explain(u, "unsealing the key");
}

/* Read the blob, connect, and load its object: so the TPM is the one that sealed it. */
static enum tpm_result
begin(struct unseal *u, const void *blob, size_t blob_len)
{
	enum tpm_result r;

	if (tpm2_blob_read(blob, blob_len, &u->blob) < 0)
		return tpm_fail(u->t, TPM_BAD_BLOB, "the sealed key is damaged, or not one of a "
		    "TPM 2.0: restore the file from a copy");
	tpm2_blob_policy(&u->blob, &u->branches, &(TPM2B_DIGEST){0});
	r = tpm2_connect(u->t);
	if (r == TPM_OK)
		r = tpm2_pin(u->t, u->blob.pin, u->blob.pin_len);
	return r == TPM_OK ? load(u) : r;
}

enum tpm_result
tpm2_unseal(struct tpm *t, const void *blob, size_t blob_len, const char *approvals,
    void *secret, size_t size, size_t *ret_len, int *ret_updated)
{
	struct unseal u = {.t = t, .object = ESYS_TR_NONE, .session = ESYS_TR_NONE,
	    .secret = secret, .size = size};
	enum tpm_result r = begin(&u, blob, blob_len);

	if (r == TPM_OK)
		r = open_loaded(&u, approvals, ret_updated);
	tpm2_flush(t->state, &u.session);
	tpm2_flush(t->state, &u.object);
	*ret_len = u.len;
	return r;
}

enum tpm_result
tpm2_pin_to(struct tpm *t, const void *blob, size_t blob_len)
{
	struct unseal u = {.t = t, .object = ESYS_TR_NONE, .session = ESYS_TR_NONE};
	enum tpm_result r = begin(&u, blob, blob_len);

	tpm2_flush(t->state, &u.object);
	return r;
}
