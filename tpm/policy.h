/*
 * policy.h - policy digests of a TPM 2.0 (SHA-256), computed without one.
 *
 * A digest starts as 32 zero bytes; each function takes the digest so far and replaces it
 * by what the TPM would have after the step of that name.
 *
 * Threads: any.
 */
#ifndef CAAS_TPM_POLICY_H
#define CAAS_TPM_POLICY_H

#include <stddef.h>
#include <stdint.h>

#define POLICY_LEN 32

/* The digest of PCR values (32 bytes each, ascending), as PolicyPCR takes it. */
void policy_pcr_digest(const uint8_t *values, size_t npcrs, uint8_t out[POLICY_LEN]);

void policy_pcr(uint8_t d[POLICY_LEN], uint32_t mask, const uint8_t pcr_digest[POLICY_LEN]);
/* `name` is the TPM name of the authority's key, 34 bytes. */
void policy_authorize(uint8_t d[POLICY_LEN], const uint8_t name[34], const char *ref);
void policy_or(uint8_t d[POLICY_LEN], const uint8_t (*branches)[POLICY_LEN], size_t n);
void policy_locality(uint8_t d[POLICY_LEN], uint8_t mask);
void policy_command(uint8_t d[POLICY_LEN], uint32_t command_code);

#endif
