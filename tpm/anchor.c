/* anchor.c - an anchor in the TPM's NV memory: what both kinds of TPM share; see tpm.h */
#include <stdio.h>
#include <string.h>

#include "tpm/backend.h"
#include "tpm/digest.h"

void
tpm_anchor_after(uint8_t value[TPM_ANCHOR_LEN], const uint8_t digest[TPM_ANCHOR_LEN])
{
	uint8_t both[2 * TPM_ANCHOR_LEN];

	memcpy(both, value, TPM_ANCHOR_LEN);
	memcpy(both + TPM_ANCHOR_LEN, digest, TPM_ANCHOR_LEN);
	tpm_sha256(both, sizeof(both), value);
}

static enum tpm_result
check_place(struct tpm *t, const struct tpm_anchor *a)
{
	if (a->place < TPM_ANCHOR_PLACES)
		return TPM_OK;
	return tpm_fail(t, TPM_FAILED, "there is no place %u for an anchor", a->place);
}

enum tpm_result
tpm_anchor_define(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t origin[TPM_ANCHOR_LEN])
{
	enum tpm_result r = check_place(t, a);

	return r != TPM_OK ? r : t->backend->anchor_define(t, a, origin);
}

enum tpm_result
tpm_anchor_read(struct tpm *t, const struct tpm_anchor *a, struct tpm_anchor_value *ret)
{
	enum tpm_result r = check_place(t, a);

	memset(ret, 0, sizeof(*ret));
	return r != TPM_OK ? r : t->backend->anchor_read(t, a, ret);
}

enum tpm_result
tpm_anchor_extend(struct tpm *t, const struct tpm_anchor *a,
    const uint8_t digest[TPM_ANCHOR_LEN])
{
	enum tpm_result r = check_place(t, a);

	return r != TPM_OK ? r : t->backend->anchor_extend(t, a, digest);
}

enum tpm_result
tpm_anchor_count(struct tpm *t, const struct tpm_anchor *a)
{
	enum tpm_result r = check_place(t, a);

	return r != TPM_OK ? r : t->backend->anchor_count(t, a);
}

void
tpm_anchor_rest(struct tpm *t)
{
	if (t->backend->anchor_rest != NULL)
		t->backend->anchor_rest(t);
}

void
tpm_anchor_name(struct tpm *t, const struct tpm_anchor *a, char *out, size_t size)
{
	if (t->backend->anchor_index == NULL)
		snprintf(out, size, "%splace 0x%06x", t->backend->prefix, a->place);
	else
		snprintf(out, size, "NV index 0x%08x", t->backend->anchor_index(a));
}
