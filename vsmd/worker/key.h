/*
 * key.h - a key that was learnt, and what is computed with it.
 *
 * SoftHSM2 reads, decrypts and takes apart a key for every operation anew; a struct key
 * keeps it ready.  It is a copy of the numbers, never an object of SoftHSM2's: that turns
 * the blinding of its own off.  RSA is blinded here; libcrypto's private operations for
 * RSA, the NIST curves, Edwards curves and AES (with hardware support) do not branch or
 * index memory by secrets.
 *
 * Only what succeeds is done here.  For input that SoftHSM2 would refuse, for too little
 * room, and for anything unusual, key_compute() says false, and SoftHSM2 is asked.
 *
 * Threads: a struct key is constant once made; any number of threads may compute with it.
 * Memory: a secret key's bytes are in secmem.h's memory, the numbers of others in
 * libcrypto's, which wipes them when they are freed; the process is locked in memory as
 * far as it may be, and never dumps core.
 */
#ifndef CAAS_VSMD_WORKER_KEY_H
#define CAAS_VSMD_WORKER_KEY_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/pkcs11.h"

struct key;

enum key_kind { KEY_NONE, KEY_RSA, KEY_EC, KEY_EDWARDS, KEY_BYTES };

/* The kind of key that call `number` (C_Sign, C_Decrypt, C_Encrypt) takes with the
 * mechanism; KEY_NONE for what is not computed here. */
enum key_kind key_kind_for(uint32_t number, const CK_MECHANISM *m);

/* Copies; NULL: out of memory, or not a private key of a form that is known here. */
struct key *key_from_rsa(const RSA *rsa);
struct key *key_from_ec(const EC_KEY *ec);
struct key *key_from_edwards(const EVP_PKEY *pkey);
struct key *key_from_bytes(const uint8_t *bytes, size_t len);
void key_free(struct key *key);
enum key_kind key_kind(const struct key *key);

/* One operation in one part.  true: done, `*ret_len` bytes of `room` are in `out`. */
bool key_compute(const struct key *key, uint32_t number, const CK_MECHANISM *m,
    const uint8_t *in, CK_ULONG len, uint8_t *out, CK_ULONG room, CK_ULONG *ret_len);
/* Does the key give, or is it by the public numbers in it the key of, this output of
 * SoftHSM2 for this input? */
bool key_proven(const struct key *key, uint32_t number, const CK_MECHANISM *m,
    const uint8_t *in, CK_ULONG len, const uint8_t *out, CK_ULONG out_len);

#endif
