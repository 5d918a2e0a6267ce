/*
 * authority.h - the key that approves machine states: ECDSA on P-256 with SHA-256.
 *
 * A public key is its point (x then y), a signature r then s, 32 bytes each, big-endian,
 * as the TPM takes them.
 *
 * Errors: -1 after a line on the log; authority_verify() is silent.  Threads: any.
 */
#ifndef CAAS_TPM_AUTHORITY_H
#define CAAS_TPM_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUTHORITY_LEN 64 /* bytes of a public key, and of a signature */

/* The public key in a PEM file (PUBLIC KEY). */
int authority_load(const char *pem_file, uint8_t point[AUTHORITY_LEN]);
/* The same of `len` bytes of such a file.  Silent. */
int authority_parse(const void *pem, size_t len, uint8_t point[AUTHORITY_LEN]);
/* Sign `len` bytes with the private key in a PEM file; its public key too. */
int authority_sign(const char *pem_file, const void *data, size_t len,
    uint8_t signature[AUTHORITY_LEN], uint8_t point[AUTHORITY_LEN]);
bool authority_verify(const uint8_t point[AUTHORITY_LEN], const void *data, size_t len,
    const uint8_t signature[AUTHORITY_LEN]);

#endif
