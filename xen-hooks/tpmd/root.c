/* root.c - see root.h */
#include "xen-hooks/tpmd/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/secmem.h"
#include "vchan-transport/deadline.h"
#include "vsmd/store/crypt.h"
#include "vsmd/store/file.h"

#define SEALED	      "root.sealed"
#define SEALED_NEXT   "root.sealed.next"
#define REF	      "domt-root"
#define PAGE	      "tpm2:tis:"
#define PATIENCE_MS   5000
#define AGAIN_MS      1000 /* without trying to connect to a TPM that did not answer */

static int __attribute__((format(printf, 2, 3)))
fail(struct root *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	return -1;
}

/* What the TPM says of a result, or what is known without it. */
static enum tpm_result
tell(struct root *r, enum tpm_result result, char why[LEDGER_WHY])
{
	if (result == TPM_OK)
		return TPM_OK;
	snprintf(why, LEDGER_WHY, "%s",
	    r->tpm != NULL ? tpm_error(r->tpm) : tpm_result_text(result));
	/* The next question begins afresh; but a page, once given back, stays lost. */
	if (strncmp(r->address, PAGE, strlen(PAGE)) == 0) {
		r->lost = result == TPM_ABSENT;
	} else if (r->tpm != NULL && result != TPM_UNANCHORED) {
		tpm_close(r->tpm);
		r->tpm = NULL;
	}
	return result;
}

/* Connected, with the TPM that sealed. */
static enum tpm_result
reach(struct root *r)
{
	enum tpm_result result;

	if (r->tpm != NULL)
		return TPM_OK;
	/* Each try is a line in the log. */
	if (r->refused != TPM_OK && deadline_left(r->again) != 0)
		return r->refused;
	r->refused = result = tpm_open(r->address, &r->tpm);
	if (result != TPM_OK) {
		r->again = deadline_at(AGAIN_MS);
		r->tpm = NULL;
		return result;
	}
	return r->blob.len > 0 ? tpm_pin(r->tpm, r->blob.data, r->blob.len) : TPM_OK;
}

static enum tpm_result
define(void *arg, const uint8_t origin[TPM_ANCHOR_LEN], char why[LEDGER_WHY])
{
	struct root *r = arg;
	enum tpm_result result = reach(r);

	if (result == TPM_OK)
		result = tpm_anchor_define(r->tpm, &r->keys->anchor, origin);
	return tell(r, result, why);
}

static enum tpm_result
read_(void *arg, struct tpm_anchor_value *ret, char why[LEDGER_WHY])
{
	struct root *r = arg;
	enum tpm_result result = reach(r);

	if (result == TPM_OK)
		result = tpm_anchor_read(r->tpm, &r->keys->anchor, ret);
	return tell(r, result, why);
}

static enum tpm_result
extend(void *arg, const uint8_t digest[TPM_ANCHOR_LEN], char why[LEDGER_WHY])
{
	struct root *r = arg;
	enum tpm_result result = reach(r);

	if (result == TPM_OK)
		result = tpm_anchor_extend(r->tpm, &r->keys->anchor, digest);
	return tell(r, result, why);
}

static const struct ledger_tpm anchor = {.define = define, .read = read_, .extend = extend};

static int
derive(struct root *r, const uint8_t secret[CRYPT_KEY])
{
	struct root_keys *k = r->keys;
	uint8_t place[CRYPT_KEY];

	if (!crypt_derive(secret, NULL, 0, "caas domt identity", k->identity) ||
	    !crypt_derive(secret, NULL, 0, "caas domt blobs", k->wrap) ||
	    !crypt_derive(secret, NULL, 0, "caas domt state", k->state) ||
	    !crypt_derive(secret, NULL, 0, "caas domt anchor", k->anchor.secret) ||
	    !crypt_derive(secret, NULL, 0, "caas domt anchor's place", place) ||
	    !domt_identity(k->identity, r->identity))
		return fail(r, "libcrypto cannot derive keys");
	k->anchor.place = ((uint32_t)place[0] | (uint32_t)place[1] << 8 |
			      (uint32_t)place[2] << 16) %
			  TPM_ANCHOR_PLACES;
	return 0;
}

/* Sealed, and durable under that name. */
static int
seal(struct root *r, const uint8_t secret[CRYPT_KEY], const char *name)
{
	struct buf blob;
	int rc = -1;

	buf_init(&blob, TPM_BLOB_MAX);
	if (tpm_seal(r->tpm, &r->policy, secret, CRYPT_KEY, &blob) != TPM_OK)
		(void)fail(r, "cannot seal: %s", tpm_error(r->tpm));
	else if (file_replace(r->dir, name, "root.sealed.new", blob.data, blob.len) < 0 ||
		 fsync(r->dir) < 0)
		(void)fail(r, "%s cannot be written: %s", name, strerror(errno));
	else
		rc = 0;
	if (rc == 0) {
		buf_free(&r->blob);
		r->blob = blob;
	} else {
		buf_free(&blob);
	}
	return rc;
}

static int
make(struct root *r, struct ledger *l, uint8_t secret[CRYPT_KEY])
{
	uint8_t ours[CRYPT_KEY], theirs[CRYPT_KEY];
	int rc = -1;

	if (faccessat(r->dir, "state.0", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	    faccessat(r->dir, "state.1", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return fail(r, SEALED " is missing and there is a state: bring back the right "
				      "disk; nothing is made anew beside it");
	if (!crypt_random(ours, sizeof(ours)))
		(void)fail(r, "no randomness");
	else if (tpm_random(r->tpm, theirs, sizeof(theirs)) != TPM_OK)
		(void)fail(r, "no randomness from the TPM: %s", tpm_error(r->tpm));
	else if (!crypt_derive(ours, theirs, sizeof(theirs), "caas domt root", secret))
		(void)fail(r, "libcrypto cannot derive keys");
	else
		rc = 0;
	sec_wipe(ours, sizeof(ours));
	sec_wipe(theirs, sizeof(theirs));
	if (rc < 0 || derive(r, secret) < 0 || seal(r, secret, SEALED_NEXT) < 0)
		return -1;
	if (ledger_make(l) < 0)
		return fail(r, "%s", l->why);
	if (renameat(r->dir, SEALED_NEXT, r->dir, SEALED) < 0 || fsync(r->dir) < 0)
		return fail(r, SEALED ": %s", strerror(errno));
	log_info("a new DomT, sealed to %s", tpm_describe(r->tpm));
	return 0;
}

static int
unseal(struct root *r, struct ledger *l, uint8_t secret[CRYPT_KEY])
{
	int updated = 0;
	size_t got = 0;

	if (tpm_unseal(r->tpm, r->blob.data, r->blob.len, r->approvals, secret, CRYPT_KEY, &got,
		&updated) != TPM_OK)
		return fail(r, SEALED ": the TPM does not open it: %s", tpm_error(r->tpm));
	if (got != CRYPT_KEY)
		return fail(r, SEALED ": what was sealed is no secret of DomT's");
	if (derive(r, secret) < 0)
		return -1;
	if (ledger_open(l) < 0)
		return fail(r, "%s", l->why);
	if (updated) {
		/* It opens as it is: what fails now is tried again at the next start. */
		if (seal(r, secret, SEALED) < 0)
			log_warn("%s", r->why);
		else
			log_info("opened in a state that was approved, sealed again to it");
	}
	return 0;
}

/* 1: there is one; 0: there is none. */
static int
load(struct root *r)
{
	uint8_t *p = buf_reserve(&r->blob, TPM_BLOB_MAX);
	ssize_t n = p != NULL ? file_load(r->dir, SEALED, p, TPM_BLOB_MAX) : -1;

	if (p == NULL)
		return fail(r, "no memory");
	if (n >= 0)
		buf_truncate(&r->blob, (size_t)n);
	if (n > 0)
		return 1;
	buf_reset(&r->blob);
	if (n < 0 && errno == ENOENT)
		return 0;
	return fail(r, SEALED ": %s", n < 0 ? strerror(errno) : "it is empty");
}

int
root_open(struct root *r, struct ledger *l)
{
	uint8_t *secret = sec_alloc(CRYPT_KEY);
	enum tpm_result result;
	int rc = -1, found;

	r->policy.ref = REF;
	r->tpm = NULL;
	buf_init(&r->blob, TPM_BLOB_MAX);
	if (secret == NULL || (r->keys = sec_alloc(sizeof(*r->keys))) == NULL) {
		sec_free(secret);
		return fail(r, "no memory for secrets: %s", strerror(errno));
	}
	l->dir = r->dir;
	l->tpm = &anchor;
	l->tpm_arg = r;
	l->key = r->keys->state;
	l->patience = PATIENCE_MS;
	if ((found = load(r)) >= 0) {
		/* tpm_unseal() pins; before there is a blob, whoever answers is the TPM. */
		if ((result = tpm_open(r->address, &r->tpm)) != TPM_OK) {
			r->tpm = NULL;
			(void)fail(r, "TPM %s: %s", r->address, tpm_result_text(result));
		} else {
			snprintf(r->name, sizeof(r->name), "%s", tpm_describe(r->tpm));
			rc = found == 1 ? unseal(r, l, secret) : make(r, l, secret);
		}
	}
	sec_free(secret);
	return rc;
}

void
root_close(struct root *r, struct ledger *l)
{
	ledger_close(l);
	if (r->tpm != NULL)
		tpm_close(r->tpm);
	r->tpm = NULL;
	buf_free(&r->blob);
	sec_free(r->keys);
	r->keys = NULL;
}

enum tpm_result
root_random(void *root, uint8_t ret[32], char why[LEDGER_WHY])
{
	struct root *r = root;
	enum tpm_result result = reach(r);

	if (result == TPM_OK)
		result = tpm_random(r->tpm, ret, 32);
	return tell(r, result, why);
}

void
root_rest(struct root *r)
{
	if (r->tpm != NULL)
		tpm_anchor_rest(r->tpm);
}

bool
root_lost(const struct root *r)
{
	return r->lost;
}
