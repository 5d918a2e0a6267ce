/*
 * digest.h - the two hash functions that TPMs speak.
 *
 * Errors: libcrypto that cannot hash ends the process: nothing here could go on.
 * Threads: any.
 */
#ifndef CAAS_TPM_DIGEST_H
#define CAAS_TPM_DIGEST_H

#include <stddef.h>
#include <stdint.h>

void tpm_sha256(const void *data, size_t len, uint8_t out[32]);
void tpm_sha1(const void *data, size_t len, uint8_t out[20]);

#endif
