/*
 * tpm2_group.h - what tests of the TPM 2.0 back end have in common: a TPM for each test,
 * an authority and one that is none, a secret to seal.
 */
#ifndef CAAS_TESTS_TPM_TPM2_GROUP_H
#define CAAS_TESTS_TPM_TPM2_GROUP_H

#include "rig.h"

#define REF "vsmd-use:0f3c"
#define SECRET_LEN 32

extern const char secret[]; /* SECRET_LEN bytes and a NUL, not writable */
extern struct rig tpm_a;
/* The authority's files, another one's, and the directory of approvals. */
extern char priv[128], pub[128], evil_priv[128], approvals[128];
extern const struct tpm_policy pcrs_only;

struct tpm_policy with_authority(void);
struct tpm *must_open(const char *address);
void must_seal(struct tpm *t, const struct tpm_policy *p, struct buf *b);
/* It is the secret, or nothing and a sentence. */
enum tpm_result unseal(struct tpm *t, const struct buf *b, int *ret_updated);
void expect(struct tpm *t, const struct buf *b, enum tpm_result want);

int tpm2_group_setup(void **state);
int tpm2_group_teardown(void **state);
/* Each test has a fresh TPM and an empty directory of approvals. */
int tpm2_setup(void **state);
int tpm2_teardown(void **state);

#endif
