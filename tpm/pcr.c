/* pcr.c - PCR selections as masks; see backend.h. */
#include <stdio.h>
#include <string.h>

#include "tpm/backend.h"

uint32_t
tpm_pcr_mask(const struct tpm_policy *p)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < p->npcrs; i++)
		mask |= UINT32_C(1) << p->pcrs[i];
	return mask;
}

size_t
tpm_pcr_count(uint32_t mask)
{
	return (size_t)__builtin_popcount(mask);
}

void
tpm_pcr_bytes(uint32_t mask, uint8_t out[3])
{
	for (int i = 0; i < 3; i++)
		out[i] = (uint8_t)(mask >> (8 * i));
}

void
tpm_pcr_differ(uint32_t mask, const uint8_t *a, const uint8_t *b, size_t each, char *out,
    size_t size)
{
	size_t n = 0, used = 0;

	for (unsigned i = 0; i < TPM_MAX_PCRS; i++) {
		if ((mask >> i & 1) == 0)
			continue;
		if (memcmp(a + n * each, b + n * each, each) != 0 && used < size)
			used += (size_t)snprintf(out + used, size - used,
			    used == 0 ? "PCR %u" : ", %u", i);
		n++;
	}
	if (used == 0)
		snprintf(out, size, "no PCR");
}
