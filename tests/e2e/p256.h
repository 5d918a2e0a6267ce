/* p256.h - a P-256 key of a token, and signatures by it; beside plain.h. */
#ifndef CAAS_TEST_P256_H
#define CAAS_TEST_P256_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "protocol/pkcs11.h"

#define P256_POINT 65
#define P256_DIGEST 32

/* The one object of that class and label; none or several end the program. */
CK_OBJECT_HANDLE p256_find(CK_SESSION_HANDLE s, CK_OBJECT_CLASS class, const char *label);
/* The point of a public key on the token; a key of it, the caller's to free. */
void p256_point(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_BYTE point[P256_POINT]);
EVP_PKEY *p256_public(const CK_BYTE point[P256_POINT]);
/* Is that a signature of the digest? */
bool p256_is_right(EVP_PKEY *public, const CK_BYTE digest[P256_DIGEST],
    const CK_BYTE *signature, CK_ULONG len);

#endif
