/* policy.c - see policy.h; the formulas are those of TPM 2.0 part 3, chapter 23. */
#include "tpm/policy.h"

#include <string.h>

#include "tpm/backend.h"
#include "tpm/digest.h"

/* Command codes, part 2, 6.5.2. */
#define CC_AUTHORIZE 0x0000016a
#define CC_COMMAND   0x0000016c
#define CC_LOCALITY  0x0000016f
#define CC_OR	     0x00000171
#define CC_PCR	     0x0000017f

#define ALG_SHA256   0x000b
#define ARG_MAX	     (8 * POLICY_LEN) /* bytes of arguments in one step: PolicyOR's list */

static void
put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* d = H(d || command code || arguments); every step is this. */
static void
step(uint8_t d[POLICY_LEN], uint32_t cc, const void *args, size_t len)
{
	uint8_t m[POLICY_LEN + 4 + ARG_MAX];

	memcpy(m, d, POLICY_LEN);
	put_u32(m + POLICY_LEN, cc);
	if (len > 0)
		memcpy(m + POLICY_LEN + 4, args, len);
	tpm_sha256(m, POLICY_LEN + 4 + len, d);
}

void
policy_pcr_digest(const uint8_t *values, size_t npcrs, uint8_t out[POLICY_LEN])
{
	tpm_sha256(values, npcrs * POLICY_LEN, out);
}

void
policy_pcr(uint8_t d[POLICY_LEN], uint32_t mask, const uint8_t pcr_digest[POLICY_LEN])
{
	uint8_t args[10 + POLICY_LEN];

	put_u32(args, 1); /* one bank */
	args[4] = ALG_SHA256 >> 8;
	args[5] = ALG_SHA256 & 0xff;
	args[6] = 3; /* bytes of the selection */
	tpm_pcr_bytes(mask, args + 7);
	memcpy(args + 10, pcr_digest, POLICY_LEN);
	step(d, CC_PCR, args, sizeof(args));
}

void
policy_authorize(uint8_t d[POLICY_LEN], const uint8_t name[34], const char *ref)
{
	uint8_t m[POLICY_LEN + TPM_REF_MAX];
	size_t len = strnlen(ref, TPM_REF_MAX);

	/* What was before is forgotten: the authority answers for it. */
	memset(d, 0, POLICY_LEN);
	step(d, CC_AUTHORIZE, name, 34);
	memcpy(m, d, POLICY_LEN);
	memcpy(m + POLICY_LEN, ref, len);
	tpm_sha256(m, POLICY_LEN + len, d);
}

void
policy_or(uint8_t d[POLICY_LEN], const uint8_t (*branches)[POLICY_LEN], size_t n)
{
	memset(d, 0, POLICY_LEN);
	step(d, CC_OR, branches, (n < 8 ? n : 8) * POLICY_LEN);
}

void
policy_locality(uint8_t d[POLICY_LEN], uint8_t mask)
{
	step(d, CC_LOCALITY, &mask, 1);
}

void
policy_command(uint8_t d[POLICY_LEN], uint32_t command_code)
{
	uint8_t args[4];

	put_u32(args, command_code);
	step(d, CC_COMMAND, args, sizeof(args));
}
