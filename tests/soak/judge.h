/* judge.h - OpenSSL's word on what the token says. */
#ifndef CAAS_SOAK_JUDGE_H
#define CAAS_SOAK_JUDGE_H

#include <openssl/evp.h>

#include "tests/soak/soak.h"

/* The public key object as OpenSSL knows it.  Fails when it is none. */
EVP_PKEY *judge_key(struct job *, CK_OBJECT_HANDLE public);
/* Is this the signature that the mechanism makes? */
bool judge_signature(EVP_PKEY *, CK_MECHANISM_TYPE, const CK_BYTE *data, size_t len,
    const CK_BYTE *signature, size_t signature_len);

#endif
