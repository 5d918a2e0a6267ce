/* serve.c - see serve.h */
#include "xen-hooks/tpmd/serve.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/secmem.h"
#include "tpm/authority.h"
#include "vsmd/store/crypt.h"
#include "xen-hooks/tpmd/seal.h"

static void
refuse(struct domt_answer *a, enum tpm_result r, const char *why)
{
	a->result = r;
	snprintf(a->why, sizeof(a->why), "%s", why);
}

static void
give(struct domt_answer *a, const struct buf *bytes)
{
	if (!buf_ok(bytes)) {
		refuse(a, TPM_FAILED, "DomT has no memory");
		return;
	}
	a->result = TPM_OK;
	a->bytes = (struct domt_bytes){bytes->data, bytes->len};
}

/* The row, to be changed, and made where there is none.  NULL: it is refused. */
static struct row *
change(struct service *s, const struct control_pair *who, enum row_kind kind,
    const uint8_t id[ROW_ID], struct domt_answer *a)
{
	const char *why = "DomT has no memory";
	struct rows *rows = ledger_change(s->ledger);
	struct row *row = rows != NULL ? rows_find(rows, who->pair, kind, id) : NULL;

	if (rows != NULL && row == NULL)
		row = rows_add(rows, who->pair, kind, id, &why);
	if (row == NULL)
		refuse(a, TPM_FAILED, why);
	return row;
}

static const struct row *
find(const struct service *s, const struct control_pair *who, enum row_kind kind,
    const uint8_t id[ROW_ID])
{
	return rows_find(ledger_rows(s->ledger), who->pair, kind, id);
}

static bool
hash(const void *data, size_t len, uint8_t ret[CRYPT_HASH], struct domt_answer *a)
{
	struct part p = {data, len};

	if (crypt_hash(&p, 1, ret))
		return true;
	refuse(a, TPM_FAILED, "DomT has no memory");
	return false;
}

static void
seal(struct service *s, const struct control_pair *who, const struct domt_question *q,
    struct domt_answer *a, struct buf *bytes)
{
	struct sealed what = {.authority = q->authority, .secret = q->secret};
	uint8_t id[ROW_ID], digest[CRYPT_HASH], point[AUTHORITY_LEN];
	const struct row *there;
	struct row *row;

	if (!hash(q->ref, strlen(q->ref), id, a))
		return;
	if (q->authority.len > 0 &&
	    authority_parse(q->authority.data, q->authority.len, point) < 0) {
		refuse(a, TPM_FAILED, "the authority is no public key on P-256 in PEM");
		return;
	}
	there = find(s, who, ROW_KEY, id);
	/* Else an image that may not open the key could put another in its place. */
	if (there != NULL && memcmp(there->image, who->digest, SEAL_IMAGE) != 0) {
		refuse(a, TPM_WRONG_STATE, "this key was sealed or opened last by a domain of "
					   "another image: only who has opened it seals it again");
		return;
	}
	snprintf(what.pair, sizeof(what.pair), "%s", who->pair);
	snprintf(what.ref, sizeof(what.ref), "%s", q->ref);
	memcpy(what.image, who->digest, SEAL_IMAGE);
	if (!seal_make(s->wrap, s->identity, &what, bytes)) {
		refuse(a, TPM_FAILED, "DomT cannot seal: no memory, or it is too long");
		return;
	}
	if (!hash(bytes->data, bytes->len, digest, a) ||
	    (row = change(s, who, ROW_KEY, id, a)) == NULL)
		return;
	if (row->nblobs == 0)
		memcpy(row->image, who->digest, SEAL_IMAGE);
	/* The second is replaced; the first stays until this one was opened. */
	row->nblobs = row->nblobs == 0 ? 1 : ROW_BLOBS;
	memcpy(row->blob[row->nblobs - 1], digest, sizeof(digest));
	give(a, bytes);
}

/* Which of the row's blobs; -1: none. */
static int
which(const struct row *row, const uint8_t digest[CRYPT_HASH])
{
	for (size_t i = 0; row != NULL && i < row->nblobs; i++)
		if (memcmp(row->blob[i], digest, CRYPT_HASH) == 0)
			return (int)i;
	return -1;
}

static void
unseal(struct service *s, const struct control_pair *who, const struct domt_question *q,
    struct domt_answer *a, struct buf *bytes)
{
	uint8_t id[ROW_ID], digest[CRYPT_HASH];
	const struct row *there;
	struct sealed what;
	struct buf plain;
	struct row *row;

	buf_init(&plain, TPM_BLOB_MAX);
	a->result = seal_open(
	    s->wrap, s->identity, q->blob.data, q->blob.len, &plain, &what, a->why);
	if (a->result == TPM_OK)
		a->result = seal_judge(&what, who->pair, who->digest, q->approval,
		    q->napprovals, &a->updated, a->why);
	if (a->result != TPM_OK || !hash(what.ref, strlen(what.ref), id, a) ||
	    !hash(q->blob.data, q->blob.len, digest, a))
		goto out;
	there = find(s, who, ROW_KEY, id);
	if (which(there, digest) < 0) {
		refuse(a, TPM_BAD_BLOB, there == NULL
			? "DomT keeps no such key: was its disk made anew?"
			: "an older copy of the sealed key: a later one was opened since");
		goto out;
	}
	if (there->nblobs > 1 || memcmp(there->image, who->digest, SEAL_IMAGE) != 0) {
		if ((row = change(s, who, ROW_KEY, id, a)) == NULL)
			goto out;
		memcpy(row->image, who->digest, SEAL_IMAGE);
		memcpy(row->blob[0], digest, sizeof(digest));
		row->nblobs = 1;
	}
	s->told = true;
	buf_put_raw(bytes, what.secret.data, what.secret.len);
	give(a, bytes);
out:
	buf_free(&plain);
}

/* Ours is in it too: neither the TPM's generator nor our own alone decides. */
static void
random_bytes(
    struct service *s, const struct domt_question *q, struct domt_answer *a, struct buf *bytes)
{
	EVP_MD_CTX *ctx;
	uint8_t ours[32], *out;
	bool ok;

	if (!s->drawn) {
		a->result = s->random(s->random_arg, s->seed, a->why);
		if (a->result != TPM_OK)
			return;
		s->drawn = true;
	}
	ctx = EVP_MD_CTX_new();
	out = buf_reserve(bytes, q->length);
	ok = ctx != NULL && out != NULL && crypt_random(ours, sizeof(ours)) &&
	     EVP_DigestInit_ex(ctx, EVP_shake256(), NULL) == 1 &&
	     EVP_DigestUpdate(ctx, s->seed, sizeof(s->seed)) == 1 &&
	     EVP_DigestUpdate(ctx, ours, sizeof(ours)) == 1 &&
	     EVP_DigestFinalXOF(ctx, out, q->length) == 1;
	EVP_MD_CTX_free(ctx);
	sec_wipe(ours, sizeof(ours));
	if (ok)
		give(a, bytes);
	else
		refuse(a, TPM_FAILED, "DomT has no randomness");
}

static void
digest_of_image(const struct control_pair *who, struct domt_answer *a, struct buf *bytes)
{
	buf_put_raw(bytes, who->digest, CONTROL_DIGEST);
	give(a, bytes);
}

static void
define(struct service *s, const struct control_pair *who, const struct domt_question *q,
    const uint8_t id[ROW_ID], const uint8_t secret[CRYPT_HASH], struct domt_answer *a)
{
	struct row *row = change(s, who, ROW_ANCHOR, id, a);

	if (row == NULL)
		return;
	memcpy(row->secret, secret, sizeof(row->secret));
	/* The count goes on, as a TPM's does. */
	memset(row->value.value, 0, TPM_ANCHOR_LEN);
	tpm_anchor_after(row->value.value, q->digest.data);
	a->result = TPM_OK;
}

static void
anchor(struct service *s, const struct control_pair *who, const struct domt_question *q,
    struct domt_answer *a)
{
	uint8_t id[ROW_ID] = {(uint8_t)q->place, (uint8_t)(q->place >> 8),
	    (uint8_t)(q->place >> 16), (uint8_t)(q->place >> 24)};
	uint8_t secret[CRYPT_HASH];
	const struct row *there;
	struct row *row;

	if (!hash(q->secret.data, q->secret.len, secret, a))
		return;
	if (q->what == DOMT_DEFINE) {
		define(s, who, q, id, secret, a);
		return;
	}
	there = find(s, who, ROW_ANCHOR, id);
	if (there == NULL || !sec_equal(there->secret, secret, sizeof(secret))) {
		refuse(a, TPM_UNANCHORED, "DomT keeps no anchor of this store");
		return;
	}
	if (q->what == DOMT_READ) {
		s->told = true;
		a->value = there->value;
		a->result = TPM_OK;
		return;
	}
	if ((row = change(s, who, ROW_ANCHOR, id, a)) == NULL)
		return;
	if (q->what == DOMT_EXTEND)
		tpm_anchor_after(row->value.value, q->digest.data);
	else
		row->value.count++;
	a->result = TPM_OK;
}

int
serve_begin(struct service *s)
{
	s->told = s->drawn = false;
	return ledger_settle(s->ledger);
}

void
serve_one(struct service *s, const struct control_pair *who, const struct domt_question *q,
    struct domt_answer *a, struct buf *bytes)
{
	*a = (struct domt_answer){.number = q->number, .what = q->what, .result = TPM_FAILED};
	switch (q->what) {
	case DOMT_SEAL:
		seal(s, who, q, a, bytes);
		break;
	case DOMT_UNSEAL:
		unseal(s, who, q, a, bytes);
		break;
	case DOMT_RANDOM:
		random_bytes(s, q, a, bytes);
		break;
	case DOMT_DIGEST_OF_IMAGE:
		digest_of_image(who, a, bytes);
		break;
	case DOMT_DEFINE:
	case DOMT_READ:
	case DOMT_EXTEND:
	case DOMT_COUNT:
		anchor(s, who, q, a);
		break;
	case DOMT_WHATS:
		break;
	}
}

int
serve_end(struct service *s)
{
	sec_wipe(s->seed, sizeof(s->seed));
	s->drawn = false;
	if (s->ledger->changed)
		return ledger_commit(s->ledger);
	return s->told ? ledger_check(s->ledger) : 0;
}

int
serve_forget(struct service *s, const char *pair, size_t *ret_removed)
{
	struct rows *rows;

	*ret_removed = 0;
	if (ledger_settle(s->ledger) < 0)
		return -1;
	if (rows_of(ledger_rows(s->ledger), pair) == 0)
		return 0;
	if ((rows = ledger_change(s->ledger)) == NULL) {
		snprintf(s->ledger->why, sizeof(s->ledger->why), "no memory");
		return -1;
	}
	*ret_removed = rows_remove(rows, pair);
	return ledger_commit(s->ledger);
}
