/*
 * token.h - a PKCS#11 module, loaded and logged in, and what lies on its token.
 *
 * What fails says so on standard error.
 */
#ifndef CAAS_BENCH_TOKEN_H
#define CAAS_BENCH_TOKEN_H

#include "bench/bench.h"
#include "protocol/pkcs11.h"

struct token {
	void *handle;
	CK_FUNCTION_LIST *p11;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session; /* keeps the login */
};

struct token_key {
	const char *name;
	CK_MECHANISM_TYPE gen, sign;
	CK_ULONG bits;
	const char *ec; /* DER of CKA_EC_PARAMS */
	size_t ec_len;
};

const struct token_key *token_key(enum bench_key key);
/* rv is CKR_OK; else a line with the name of the call. */
bool token_fine(const char *what, CK_RV rv);
bool token_open(struct token *t, const char *module, const char *label, const char *pin);
void token_close(struct token *t);
/* The first of that class and label; false when there is none. */
bool token_find(
    struct token *t, CK_OBJECT_CLASS class, const char *label, CK_OBJECT_HANDLE *ret);
/* A pair, or for BENCH_AES a secret key, with that label and the same as CKA_ID. */
bool token_make(
    struct token *t, enum bench_key key, const char *label, CK_OBJECT_HANDLE *ret);

#endif
