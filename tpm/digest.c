/* digest.c - see digest.h */
#include "tpm/digest.h"

#include <openssl/evp.h>

#include "common/log.h"

static void
digest(const EVP_MD *md, const void *data, size_t len, uint8_t *out)
{
	if (EVP_Digest(data, len, out, NULL, md, NULL) != 1)
		log_fatal("libcrypto cannot compute %s: it is damaged or restricted",
		    EVP_MD_get0_name(md));
}

void
tpm_sha256(const void *data, size_t len, uint8_t out[32])
{
	digest(EVP_sha256(), data, len, out);
}

void
tpm_sha1(const void *data, size_t len, uint8_t out[20])
{
	digest(EVP_sha1(), data, len, out);
}
