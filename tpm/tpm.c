/* tpm.c - see tpm.h: addresses to back ends, arguments checked once for both. */
#include "tpm/tpm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/secmem.h"
#include "tpm/backend.h"

static const struct tpm_backend *const backends[] = {
    &tpm2_backend,
#ifdef CAAS_TPM12
    &tpm12_backend,
#endif
    &domt_backend,
};

enum tpm_result
tpm_fail(struct tpm *t, enum tpm_result r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->error, sizeof(t->error), fmt, ap);
	va_end(ap);
	return r;
}

static enum tpm_result
check_policy(struct tpm *t, const struct tpm_policy *p)
{
	if (p->npcrs > TPM_MAX_PCRS || p->locality < -1 || p->locality > 4)
		return tpm_fail(t, TPM_FAILED, "a TPM policy has at most %d PCRs and a "
		    "locality from 0 to 4: correct the configuration", TPM_MAX_PCRS);
	for (size_t i = 0; i < p->npcrs; i++)
		if (p->pcrs[i] >= TPM_MAX_PCRS || (i > 0 && p->pcrs[i] <= p->pcrs[i - 1]))
			return tpm_fail(t, TPM_FAILED, "the PCRs of a TPM policy must be "
			    "ascending and below %d: correct the configuration",
			    TPM_MAX_PCRS);
	if (p->ref != NULL && strlen(p->ref) > TPM_REF_MAX)
		return tpm_fail(t, TPM_FAILED, "the reference of a TPM policy is longer than "
		    "%d bytes", TPM_REF_MAX);
	return TPM_OK;
}

enum tpm_result
tpm_open(const char *address, struct tpm **ret_tpm)
{
	const struct tpm_backend *be = NULL;
	struct tpm *t;
	enum tpm_result r;

	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
		if (strncmp(address, backends[i]->prefix, strlen(backends[i]->prefix)) == 0)
			be = backends[i];
	if (be == NULL) {
		log_error("TPM address %s is not of the form tpm2:TCTI (e.g. "
		    "tpm2:device:/dev/tpmrm0), tpm1.2:HOST:PORT, or domt:coupled", address);
		return TPM_FAILED;
	}
	t = calloc(1, sizeof(*t));
	if (t == NULL) {
		log_error("no memory for the TPM");
		return TPM_FAILED;
	}
	t->backend = be;
	r = be->open(t, address + strlen(be->prefix));
	if (r != TPM_OK) {
		log_error("%s", t->error);
		free(t);
		return r;
	}
	*ret_tpm = t;
	return TPM_OK;
}

void
tpm_close(struct tpm *t)
{
	if (t == NULL)
		return;
	t->backend->close(t);
	free(t);
}

const char *
tpm_describe(struct tpm *t)
{
	return t->description;
}

/* A key that does not come back is not sealed: open it before it is relied upon. */
static enum tpm_result
check_opens(struct tpm *t, const void *secret, size_t len, const struct buf *b)
{
	uint8_t *again = sec_alloc(TPM_KEY_MAX);
	enum tpm_result r;
	size_t n;
	int updated;

	if (again == NULL)
		return tpm_fail(t, TPM_FAILED, "no memory for a secret");
	r = tpm_unseal(t, b->data, b->len, NULL, again, TPM_KEY_MAX, &n, &updated);
	if (r == TPM_OK && (n != len || !sec_equal(again, secret, len)))
		r = tpm_fail(t, TPM_FAILED, "the TPM gave back another secret than it was "
		    "given to seal: it cannot be used");
	sec_free(again);
	return r;
}

enum tpm_result
tpm_seal(struct tpm *t, const struct tpm_policy *p, const void *secret, size_t len,
    struct buf *b)
{
	struct buf blob;
	enum tpm_result r = check_policy(t, p);

	if (r != TPM_OK)
		return r;
	if (len == 0 || len > TPM_KEY_MAX)
		return tpm_fail(t, TPM_FAILED, "a sealed secret has 1 to %d bytes, not %zu",
		    TPM_KEY_MAX, len);
	buf_init(&blob, TPM_BLOB_MAX);
	r = t->backend->seal(t, p, secret, len, &blob);
	if (r == TPM_OK && !buf_ok(&blob))
		r = tpm_fail(t, TPM_FAILED, "the sealed blob does not fit %d bytes",
		    TPM_BLOB_MAX);
	if (r == TPM_OK && !t->backend->seals_surely)
		r = check_opens(t, secret, len, &blob);
	if (r == TPM_OK) {
		buf_put_raw(b, blob.data, blob.len);
		if (!buf_ok(b))
			r = tpm_fail(t, TPM_FAILED, "no room for the sealed blob");
	}
	buf_free(&blob);
	return r;
}

enum tpm_result
tpm_unseal(struct tpm *t, const void *blob, size_t blob_len, const char *approvals,
    void *secret, size_t size, size_t *ret_len, int *ret_updated)
{
	enum tpm_result r;

	*ret_len = 0;
	*ret_updated = 0;
	if (blob_len == 0 || blob_len > TPM_BLOB_MAX)
		return tpm_fail(t, TPM_BAD_BLOB, "a sealed key of %zu bytes is none of ours: "
		    "restore the file from a copy", blob_len);
	r = t->backend->unseal(t, blob, blob_len, approvals, secret, size, ret_len,
	    ret_updated);
	if (r != TPM_OK) {
		sec_wipe(secret, size);
		*ret_len = 0;
		*ret_updated = 0;
	}
	return r;
}

enum tpm_result
tpm_pin(struct tpm *t, const void *blob, size_t blob_len)
{
	if (blob_len == 0 || blob_len > TPM_BLOB_MAX)
		return tpm_fail(t, TPM_BAD_BLOB, "a sealed key of %zu bytes is none of ours: "
		    "restore the file from a copy", blob_len);
	return t->backend->pin(t, blob, blob_len);
}

enum tpm_result
tpm_predict(struct tpm *t, const struct tpm_policy *p, const void *secret, size_t len,
    const uint8_t *values, struct buf *b)
{
	struct buf blob;
	enum tpm_result r = check_policy(t, p);

	if (r != TPM_OK)
		return r;
	if (len == 0 || len > TPM_KEY_MAX || p->npcrs == 0)
		return tpm_fail(t, TPM_FAILED, "a prediction needs PCRs and a secret of 1 to "
		    "%d bytes", TPM_KEY_MAX);
	buf_init(&blob, TPM_BLOB_MAX);
	buf_put_raw(&blob, b->data, b->len);
	r = t->backend->predict(t, p, secret, len, values, &blob);
	if (r == TPM_OK && !buf_ok(&blob))
		r = tpm_fail(t, TPM_FAILED, "the sealed blob does not fit %d bytes: seal "
		    "again without old predictions first", TPM_BLOB_MAX);
	if (r == TPM_OK) {
		buf_reset(b);
		buf_put_raw(b, blob.data, blob.len);
		if (!buf_ok(b))
			r = tpm_fail(t, TPM_FAILED, "no room for the sealed blob");
	}
	buf_free(&blob);
	return r;
}

enum tpm_result
tpm_extend(struct tpm *t, unsigned pcr, const void *data, size_t len)
{
	if (pcr >= TPM_MAX_PCRS)
		return tpm_fail(t, TPM_FAILED, "there is no PCR %u: choose one below %d", pcr,
		    TPM_MAX_PCRS);
	return t->backend->extend(t, pcr, data, len);
}

enum tpm_result
tpm_pcr_digest(struct tpm *t, const struct tpm_policy *p, uint8_t out[32], size_t *ret_len)
{
	enum tpm_result r = check_policy(t, p);

	*ret_len = 0;
	return r != TPM_OK ? r : t->backend->pcr_digest(t, p, out, ret_len);
}

enum tpm_result
tpm_random(struct tpm *t, void *out, size_t len)
{
	return t->backend->random(t, out, len);
}

const char *
tpm_error(struct tpm *t)
{
	return t->error;
}

const char *
tpm_result_text(enum tpm_result r)
{
	switch (r) {
	case TPM_OK:
		return "no error";
	case TPM_ABSENT:
		return "no TPM answers at the configured address: start it, or correct the address";
	case TPM_BUSY:
		return "the TPM is busy: stop other users of it, or try again";
	case TPM_WRONG_STATE:
		return "the machine is not in the state that the key was sealed to: undo the "
		       "change, or have the authority approve it (caas tpm approve)";
	case TPM_FOREIGN:
		return "the key was sealed by another TPM, or this one was cleared: restore a "
		       "backup";
	case TPM_BAD_BLOB:
		return "the sealed key is damaged: restore the file from a copy";
	case TPM_LOCKOUT:
		return "the TPM is locked against guessing: wait, or clear the lock-out "
		       "(tpm2_dictionarylockout -c)";
	case TPM_UNAPPROVED:
		return "the approval for this state was not signed by the authority: get one "
		       "that is";
	case TPM_UNANCHORED:
		return "the TPM has no anchor for this store: it was removed or replaced";
	case TPM_FAILED:
		break;
	}
	return "the TPM failed: see the log";
}
