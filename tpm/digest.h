/*
 * digest.h - the two hash functions that TPMs speak, and hexadecimal.
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

/* 2 * len digits and a NUL; dst has 2 * len + 1 bytes.  Returns dst. */
char *tpm_hex(char *dst, const void *data, size_t len);
/* Exactly `len` bytes from 2 * len digits.  0, or -1. */
int tpm_unhex(uint8_t *dst, size_t len, const char *hex);

#endif
