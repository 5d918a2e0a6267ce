/*
 * crypt.h - the store's cryptography: one hash, one MAC, one derivation, one box, one
 * signature.
 *
 * A box is  salt[32] | ciphertext | tag[16].  It is AES-256-GCM under a key that
 * HKDF-SHA256 makes from the caller's key, the box's random salt and a label, so each
 * key seals one box and the nonce can stay zero: a box that was half written, cut off
 * and written anew never meets its nonce again.
 *
 * All functions return false on failure (of authentication, memory or libcrypto); what
 * they would have written is then zero or untouched.  Threads: any.  Fork: libcrypto's
 * random generator notices a fork by itself.
 */
#ifndef CAAS_STORE_CRYPT_H
#define CAAS_STORE_CRYPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define CRYPT_KEY 32
#define CRYPT_HASH 32
#define CRYPT_SALT 32
#define CRYPT_TAG 16
#define BOX_OVERHEAD (CRYPT_SALT + CRYPT_TAG)
#define CRYPT_PUBLIC 32
#define CRYPT_SIGNATURE 64

/* A piece of what is hashed or authenticated; pieces are joined without separators, so
 * callers use pieces of fixed length, or one of variable length at the end. */
struct part {
	const void *data;
	size_t len;
};

bool crypt_random(void *out, size_t len);
/* SHA-256 of the parts. */
bool crypt_hash(const struct part *parts, size_t n, uint8_t out[CRYPT_HASH]);
/* HMAC-SHA256 of the parts. */
bool crypt_mac(const uint8_t key[CRYPT_KEY], const struct part *parts, size_t n,
    uint8_t out[CRYPT_HASH]);
/* HKDF-SHA256 to 32 bytes.  The salt may be NULL when salt_len is 0. */
bool crypt_derive(const uint8_t key[CRYPT_KEY], const void *salt, size_t salt_len,
    const char *label, uint8_t out[CRYPT_KEY]);
/* scrypt with r 8, p 1 and 2^cost blocks (cost 10 to 20) to 32 bytes.  Takes 2^cost KiB
 * of memory and, at cost 15, about a tenth of a second. */
bool crypt_scrypt(const void *secret, size_t len, const uint8_t *salt, size_t salt_len,
    unsigned cost, uint8_t out[CRYPT_KEY]);

/* Seal `len` bytes; BOX_OVERHEAD + len bytes are appended to out.  `aad` is authenticated
 * beside them. */
bool box_seal(const uint8_t key[CRYPT_KEY], const char *label, const struct part *aad,
    size_t naad, const void *in, size_t len, struct buf *out);
/* Open a box of `len` bytes; what it held is appended to out. */
bool box_open(const uint8_t key[CRYPT_KEY], const char *label, const struct part *aad,
    size_t naad, const void *in, size_t len, struct buf *out);

/* Ed25519.  The private key is any 32 random bytes. */
bool crypt_public(const uint8_t key[CRYPT_KEY], uint8_t out[CRYPT_PUBLIC]);
bool crypt_sign(const uint8_t key[CRYPT_KEY], const void *in, size_t len,
    uint8_t out[CRYPT_SIGNATURE]);
bool crypt_verify(const uint8_t public[CRYPT_PUBLIC], const void *in, size_t len,
    const uint8_t signature[CRYPT_SIGNATURE]);

#endif
