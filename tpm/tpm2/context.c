/*
 * context.c - one library context of OpenSSL for all that ESYS hashes.
 *
 * ESYS 3 makes a context for each hash and each HMAC, and frees it after that.  To find
 * SHA-256 in a fresh one costs some 0.5 ms, five times for a command in a session: forty
 * times what the command itself costs on this side.  The program's definitions come before
 * libcrypto's, so ESYS calls these.  While a TPM is connected they give out one context,
 * and keep it; otherwise they are libcrypto's.
 *
 * Threads: one, as the rest.
 */
#include <dlfcn.h>
#include <openssl/crypto.h>
#include <string.h>

#include "tpm/tpm2/tpm2.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT OSSL_LIB_CTX *OSSL_LIB_CTX_new(void);
EXPORT void OSSL_LIB_CTX_free(OSSL_LIB_CTX *c);

static OSSL_LIB_CTX *shared;
static unsigned connected;

void
tpm2_context_use(bool on)
{
	if (on)
		connected++;
	else if (connected > 0)
		connected--;
}

static void
find(const char *name, void *ret)
{
	void *p = dlsym(RTLD_NEXT, name);

	/* A function although its type says data. */
	memcpy(ret, &p, sizeof(p));
}

OSSL_LIB_CTX *
OSSL_LIB_CTX_new(void)
{
	OSSL_LIB_CTX *(*real)(void);

	if (connected > 0 && shared != NULL)
		return shared;
	find("OSSL_LIB_CTX_new", &real);
	if (real == NULL)
		return NULL;
	if (connected == 0)
		return real();
	return shared = real();
}

void
OSSL_LIB_CTX_free(OSSL_LIB_CTX *c)
{
	void (*real)(OSSL_LIB_CTX *c);

	if (c == NULL || c == shared)
		return;
	find("OSSL_LIB_CTX_free", &real);
	if (real != NULL)
		real(c);
}
