/* tpm2.c - the TPM 2.0 back end: addresses tpm2:TCTI. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/secmem.h"
#include "tpm/tis/page.h"
#include "tpm/tpm2/tpm2.h"

static bool
is_local(const char *where)
{
	if (strncmp(where, "pcap:", 5) == 0)
		where += 5;
	return strncmp(where, "swtpm", 5) == 0 || strncmp(where, "mssim", 5) == 0;
}

/* Four characters of a property, those that print. */
static void
add_text(char *dst, size_t size, UINT32 v)
{
	size_t n = strlen(dst);

	for (int i = 24; i >= 0 && n + 1 < size; i -= 8) {
		char c = (char)(v >> i & 0xff);

		if (isprint((unsigned char)c) && !(c == ' ' && (n == 0 || dst[n - 1] == ' ')))
			dst[n++] = c;
	}
	dst[n] = '\0';
}

static enum tpm_result
describe(struct tpm *t)
{
	struct tpm2 *s = t->state;
	TPMS_CAPABILITY_DATA *cap;
	char text[64] = "TPM 2.0 ";
	TSS2_RC rc;
	size_t n;

	TPM2_TRY(rc, Esys_GetCapability(s->esys, NO_SESSIONS, TPM2_CAP_TPM_PROPERTIES,
	    TPM2_PT_MANUFACTURER, 5, NULL, &cap));
	if (rc != TSS2_RC_SUCCESS)
		return tpm2_fail(t, rc, "asking who made it");
	for (UINT32 i = 0; i < cap->data.tpmProperties.count; i++) {
		const TPMS_TAGGED_PROPERTY *p = &cap->data.tpmProperties.tpmProperty[i];

		if (p->property < TPM2_PT_MANUFACTURER || p->property > TPM2_PT_VENDOR_STRING_4)
			continue;
		add_text(text, sizeof(text), p->value);
		if (p->property == TPM2_PT_MANUFACTURER)
			add_text(text, sizeof(text), (UINT32)' ' << 24);
	}
	Esys_Free(cap);
	for (n = strlen(text); n > 0 && text[n - 1] == ' '; n--)
		text[n - 1] = '\0';
	memcpy(t->description, text, sizeof(text));
	return TPM_OK;
}

static void
close_(struct tpm *t)
{
	struct tpm2 *s = t->state;

	tpm2_disconnect(s);
	free(s->where);
	free(s);
}

static enum tpm_result
open_(struct tpm *t, const char *where)
{
	struct tpm2 *s = calloc(1, sizeof(*s));
	enum tpm_result r;

	if (s == NULL || (s->where = strdup(where)) == NULL) {
		free(s);
		return tpm_fail(t, TPM_FAILED, "no memory for the TPM");
	}
	s->srk = s->anchor_session = s->anchor[0] = s->anchor[1] = ESYS_TR_NONE;
	s->local = is_local(where);
	s->fixed = tpm2_tis(where) != NULL ? tis_page_locality(tpm2_tis(where)) : -1;
	t->state = s;
	/* ESYS would print every refusal that we expect and explain ourselves. */
	setenv("TSS2_LOG", "all+none", 0);
	r = tpm2_connect(t);
	if (r == TPM_OK)
		r = describe(t);
	if (r != TPM_OK)
		close_(t);
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
	return tpm_fail(t, TPM_FAILED, "a TPM 2.0 needs no prediction: have the authority sign "
	    "an approval with `caas tpm approve`");
}

static enum tpm_result
random_(struct tpm *t, void *out, size_t len)
{
	struct tpm2 *s = t->state;
	enum tpm_result r = tpm2_connect(t);
	uint8_t *p = out;
	ESYS_TR session;
	TSS2_RC rc;

	if (r == TPM_OK)
		r = tpm2_srk(t);
	if (r != TPM_OK)
		return r;
	rc = tpm2_session(s, TPM2_SE_HMAC, &session);
	while (rc == TSS2_RC_SUCCESS && len > 0) {
		TPM2B_DIGEST *d;
		size_t n = len < POLICY_LEN ? len : POLICY_LEN;

		TPM2_TRY(rc, Esys_GetRandom(s->esys, session, ESYS_TR_NONE, ESYS_TR_NONE,
		    (UINT16)n, &d));
		if (rc != TSS2_RC_SUCCESS)
			break;
		if (d->size == 0) /* it may give less, but not nothing for ever */
			rc = TSS2_ESYS_RC_BAD_VALUE;
		n = d->size < n ? d->size : n;
		memcpy(p, d->buffer, n);
		p += n;
		len -= n;
		sec_wipe(d, sizeof(*d));
		Esys_Free(d);
	}
	tpm2_flush(s, &session);
	return rc == TSS2_RC_SUCCESS ? TPM_OK : tpm2_fail(t, rc, "getting random bytes");
}

const struct tpm_backend tpm2_backend = {
    .prefix = "tpm2:",
    .open = open_,
    .close = close_,
    .seal = tpm2_seal,
    .unseal = tpm2_unseal,
    .pin = tpm2_pin_to,
    .predict = predict,
    .extend = tpm2_extend,
    .pcr_digest = tpm2_pcr_digest,
    .random = random_,
    .anchor_define = tpm2_anchor_define,
    .anchor_read = tpm2_anchor_read,
    .anchor_extend = tpm2_anchor_extend,
    .anchor_count = tpm2_anchor_count,
    .anchor_rest = tpm2_anchor_rest,
    .anchor_index = tpm2_anchor_index,
};
