/* domt.c - the back end of addresses domt:..., a TPM that another domain has (DomT). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hex.h"
#include "tpm/domt/domt.h"
#include "vchan-transport/deadline.h"

#define SHOWN 8 /* bytes of the identity that a person is shown */

static void
close_(struct tpm *t)
{
	struct domt *d = t->state;

	domt_disconnect(d);
	buf_free(&d->plain);
	buf_free(&d->own);
	free(d->where);
	free(d);
}

static enum tpm_result
open_(struct tpm *t, const char *where)
{
	struct domt *d = calloc(1, sizeof(*d));
	char hex[2 * SHOWN + 1];
	enum tpm_result r;

	if (d == NULL || (d->where = strdup(where)) == NULL) {
		free(d);
		return tpm_fail(t, TPM_FAILED, "no memory for DomT");
	}
	buf_init(&d->plain, DOMT_MESSAGE_MAX);
	buf_init(&d->own, TPM_BLOB_MAX);
	t->state = d;
	if ((r = domt_connect(t, deadline_at(DOMT_PATIENCE))) != TPM_OK)
		close_(t);
	else
		snprintf(t->description, sizeof(t->description), "TPM of DomT %s",
		    hex_put(hex, d->identity, SHOWN));
	return r;
}

static enum tpm_result
predict(struct tpm *t, const struct tpm_policy *p, const void *secret, size_t len,
    const uint8_t *values, struct buf *b)
{
	(void)p;
	(void)secret;
	(void)len;
	(void)values;
	(void)b;
	return tpm_fail(t, TPM_FAILED, "DomT needs no prediction: have the authority sign an "
	    "approval of the image with `caas tpm approve --image`");
}

static enum tpm_result
extend(struct tpm *t, unsigned pcr, const void *data, size_t len)
{
	(void)pcr;
	(void)data;
	(void)len;
	return tpm_fail(t, TPM_FAILED, "the TPM is DomT's, which extends no PCR for others");
}

static enum tpm_result
pcr_digest(struct tpm *t, const struct tpm_policy *p, uint8_t out[32], size_t *ret_len)
{
	enum tpm_result r = domt_image(t, out);

	(void)p;
	*ret_len = r == TPM_OK ? DOMT_DIGEST : 0;
	return r;
}

static enum tpm_result
random_(struct tpm *t, void *out, size_t len)
{
	struct domt *d = t->state;
	enum tpm_result r = TPM_OK;
	struct domt_answer a;
	uint8_t *p = out;

	for (size_t n; r == TPM_OK && len > 0; len -= n, p += n) {
		struct domt_question q = {.what = DOMT_RANDOM};

		n = len < DOMT_RANDOM_MAX ? len : DOMT_RANDOM_MAX;
		q.length = (uint32_t)n;
		r = domt_ask(t, &q, &a);
		if (r == TPM_OK && a.bytes.len != n)
			r = tpm_fail(t, TPM_FAILED, "DomT gave another number of random bytes than "
			    "it was asked for");
		if (r == TPM_OK)
			memcpy(p, a.bytes.data, n);
		buf_reset(&d->plain);
	}
	return r;
}

static enum tpm_result
ask_anchor(struct tpm *t, enum domt_what what, const struct tpm_anchor *at,
    const uint8_t *digest, struct tpm_anchor_value *ret)
{
	struct domt_question q = {.what = what,
	    .place = at->place,
	    .secret = {at->secret, TPM_ANCHOR_LEN},
	    .digest = {digest, TPM_ANCHOR_LEN}};
	struct domt_answer a;
	enum tpm_result r = domt_ask(t, &q, &a);

	if (r == TPM_OK && ret != NULL)
		*ret = a.value;
	return r;
}

static enum tpm_result
anchor_define(
    struct tpm *t, const struct tpm_anchor *a, const uint8_t origin[TPM_ANCHOR_LEN])
{
	return ask_anchor(t, DOMT_DEFINE, a, origin, NULL);
}

static enum tpm_result
anchor_read(struct tpm *t, const struct tpm_anchor *a, struct tpm_anchor_value *ret)
{
	return ask_anchor(t, DOMT_READ, a, NULL, ret);
}

static enum tpm_result
anchor_extend(
    struct tpm *t, const struct tpm_anchor *a, const uint8_t digest[TPM_ANCHOR_LEN])
{
	return ask_anchor(t, DOMT_EXTEND, a, digest, NULL);
}

static enum tpm_result
anchor_count(struct tpm *t, const struct tpm_anchor *a)
{
	return ask_anchor(t, DOMT_COUNT, a, NULL, NULL);
}

const struct tpm_backend domt_backend = {
    .prefix = "domt:",
    .seals_surely = true,
    .open = open_,
    .close = close_,
    .seal = domt_seal,
    .unseal = domt_unseal,
    .pin = domt_pin,
    .predict = predict,
    .extend = extend,
    .pcr_digest = pcr_digest,
    .random = random_,
    .anchor_define = anchor_define,
    .anchor_read = anchor_read,
    .anchor_extend = anchor_extend,
    .anchor_count = anchor_count,
};
