/* seal.c - a secret sealed by DomT, to this pair and the image of this domain. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hex.h"
#include "common/log.h"
#include "common/secmem.h"
#include "tpm/approval.h"
#include "tpm/domt/domt.h"

/* Approvals, one after the other, and how long each is. */
struct chosen {
	struct buf text;
	size_t len[DOMT_APPROVALS];
	size_t n;
};

/* For approval_each(): non-zero ends the search. */
static int
choose(void *arg, const char *file, const struct approval *a)
{
	struct chosen *c = arg;
	size_t start = c->text.len;

	if (a->pcrs != 0)
		return 0; /* of a TPM's state */
	if (c->n == DOMT_APPROVALS) {
		log_warn("approval %s: more than %d for this store; passed over with what follows: "
		    "remove those that are not needed", file, DOMT_APPROVALS);
		return 1;
	}
	approval_put(a, &c->text);
	if (!buf_ok(&c->text))
		return 1;
	c->len[c->n++] = c->text.len - start;
	return 0;
}

static void
put_chosen(struct domt_question *q, const struct chosen *c)
{
	size_t at = 0;

	for (size_t i = 0; i < c->n && buf_ok(&c->text); i++) {
		q->approval[i] = (struct domt_bytes){c->text.data + at, c->len[i]};
		q->napprovals = i + 1;
		at += c->len[i];
	}
}

enum tpm_result
domt_image(struct tpm *t, uint8_t ret[DOMT_DIGEST])
{
	struct domt_question q = {.what = DOMT_DIGEST_OF_IMAGE};
	struct domt_answer a;
	enum tpm_result r = domt_ask(t, &q, &a);

	if (r == TPM_OK)
		memcpy(ret, a.bytes.data, DOMT_DIGEST);
	return r;
}

/* What to have approved, in the place of what DomT says, if it says which image this is. */
static void
explain(struct tpm *t, const char *ref)
{
	char said[TPM_ERROR_MAX], hex[2 * DOMT_DIGEST + 1];
	uint8_t digest[DOMT_DIGEST];

	memcpy(said, t->error, sizeof(said));
	if (domt_image(t, digest) == TPM_OK)
		(void)tpm_fail(t, TPM_WRONG_STATE, "sealed to another image of this domain: start "
		    "that one, or have this one approved with `caas tpm approve --image %s --ref "
		    "'%s'` (docs/tpm.md)", hex_put(hex, digest, DOMT_DIGEST), ref);
	else
		memcpy(t->error, said, sizeof(said));
}

static enum tpm_result
no_blob(struct tpm *t)
{
	return tpm_fail(t, TPM_BAD_BLOB, "the sealed key is damaged, or not one of DomT's: restore "
	    "the file from a copy");
}

/* The blob's DomT is the one that is spoken to; what of it is in clear. */
static enum tpm_result
begin(struct tpm *t, const void *blob, size_t len, struct domt_blob *ret)
{
	if (!domt_blob_read(blob, len, ret))
		return no_blob(t);
	return domt_pin_to(t, ret->identity);
}

enum tpm_result
domt_pin(struct tpm *t, const void *blob, size_t len)
{
	struct domt *d = t->state;
	struct domt_blob b;
	enum tpm_result r = begin(t, blob, len, &b);

	buf_reset(&d->own);
	if (r == TPM_OK)
		buf_put_raw(&d->own, blob, len);
	return r;
}

static enum tpm_result
open_by(struct tpm *t, const struct domt_blob *b, struct domt_question *q, void *secret,
    size_t size, size_t *ret_len, int *ret_updated)
{
	struct domt *d = t->state;
	struct domt_answer a;
	enum tpm_result r = domt_ask(t, q, &a);

	if (r == TPM_WRONG_STATE)
		explain(t, b->ref);
	if (r == TPM_OK && a.bytes.len > size)
		r = tpm_fail(t, TPM_BAD_BLOB, "what was sealed is longer than a key: restore the "
		    "file from a copy");
	if (r == TPM_OK) {
		memcpy(secret, a.bytes.data, a.bytes.len);
		*ret_len = a.bytes.len;
		*ret_updated = a.updated;
		buf_reset(&d->own); /* nothing is left to be confirmed */
	}
	buf_reset(&d->plain);
	return r;
}

enum tpm_result
domt_unseal(struct tpm *t, const void *blob, size_t len, const char *approvals, void *secret,
    size_t size, size_t *ret_len, int *ret_updated)
{
	struct domt_question q = {.what = DOMT_UNSEAL, .blob = {blob, len}};
	struct chosen c = {.n = 0};
	struct domt_blob b;
	enum tpm_result r = begin(t, blob, len, &b);

	if (r != TPM_OK)
		return r;
	buf_init(&c.text, (size_t)DOMT_APPROVALS * APPROVAL_TEXT_MAX);
	if (approvals != NULL)
		approval_each(approvals, b.ref, choose, &c);
	put_chosen(&q, &c);
	r = open_by(t, &b, &q, secret, size, ret_len, ret_updated);
	buf_free(&c.text);
	return r;
}

/* Unseal what lies on the disk, so that what lies there opens until something else was written
 * (message.h). */
static enum tpm_result
confirm(struct tpm *t)
{
	struct domt *d = t->state;
	uint8_t *secret;
	enum tpm_result r;
	struct buf own;
	size_t len;
	int updated;

	if (d->own.len == 0)
		return TPM_OK;
	if ((secret = sec_alloc(TPM_KEY_MAX)) == NULL)
		return tpm_fail(t, TPM_FAILED, "no memory for a secret");
	own = d->own;
	buf_init(&d->own, TPM_BLOB_MAX);
	r = domt_unseal(t, own.data, own.len, NULL, secret, TPM_KEY_MAX, &len, &updated);
	sec_free(secret);
	d->own = own;
	if (r == TPM_OK)
		buf_reset(&d->own);
	return r;
}

/* The file as it is: who opens a blob reads it from there. */
static enum tpm_result
load_authority(struct tpm *t, const char *file, uint8_t pem[DOMT_AUTHORITY_MAX], size_t *ret_len)
{
	uint8_t point[AUTHORITY_LEN];
	ssize_t n = -1;
	int fd;

	*ret_len = 0;
	if (file == NULL)
		return TPM_OK;
	if (authority_load(file, point) < 0)
		return tpm_fail(t, TPM_FAILED, "the authority's public key %s cannot be used: see "
		    "the line before", file);
	if ((fd = open(file, O_RDONLY | O_CLOEXEC)) >= 0) {
		struct stat st;

		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		    st.st_size <= DOMT_AUTHORITY_MAX)
			n = read(fd, pem, DOMT_AUTHORITY_MAX);
		close(fd);
	}
	if (n <= 0)
		return tpm_fail(t, TPM_FAILED, "the authority's public key %s is no file of at most "
		    "%d bytes", file, DOMT_AUTHORITY_MAX);
	*ret_len = (size_t)n;
	return TPM_OK;
}

/* A blob that names another DomT than the one that made it could never be opened. */
static enum tpm_result
take(struct tpm *t, const struct domt_answer *a, const char *ref, struct buf *b)
{
	struct domt *d = t->state;
	struct domt_blob blob;

	if (!domt_blob_read(a->bytes.data, a->bytes.len, &blob) || strcmp(blob.ref, ref) != 0 ||
	    memcmp(blob.identity, d->identity, DOMT_IDENTITY) != 0)
		return tpm_fail(t, TPM_FAILED, "what DomT has sealed does not name DomT and what it "
		    "is for: is it of the same version?");
	buf_put_raw(b, a->bytes.data, a->bytes.len);
	return domt_pin_to(t, blob.identity);
}

enum tpm_result
domt_seal(struct tpm *t, const struct tpm_policy *p, const void *secret, size_t len,
    struct buf *b)
{
	struct domt_question q = {.what = DOMT_SEAL, .secret = {secret, len}};
	uint8_t pem[DOMT_AUTHORITY_MAX];
	struct domt_answer a;
	enum tpm_result r;

	if (p->npcrs > 0 || p->locality >= 0)
		return tpm_fail(t, TPM_FAILED, "DomT seals to the image of this domain, and to no PCRs "
		    "or locality: take them out of the configuration");
	if (p->ref != NULL)
		snprintf(q.ref, sizeof(q.ref), "%s", p->ref);
	q.authority.data = pem;
	r = load_authority(t, p->authority, pem, &q.authority.len);
	if (r == TPM_OK)
		r = confirm(t);
	if (r == TPM_OK)
		r = domt_ask(t, &q, &a);
	return r == TPM_OK ? take(t, &a, q.ref, b) : r;
}
