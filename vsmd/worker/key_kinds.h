/*
 * key_kinds.h - the kinds of keys that key.c puts together; nobody else includes this.
 *
 * For each kind: which calls it takes with which mechanism, and one operation.  A compute
 * function returns false, with nothing of worth in job->out, where SoftHSM2 is to be asked.
 * A mechanism that needs no parameter and comes with one is not taken: the parameter is
 * the guest's to choose, and what is the same is told by a hash of it.
 */
#ifndef CAAS_VSMD_WORKER_KEY_KINDS_H
#define CAAS_VSMD_WORKER_KEY_KINDS_H

#include <openssl/types.h>

#include "vsmd/worker/key.h"

#define KEY_BYTES_MAX 256 /* of a secret key; longer ones are not learnt */
#define JOB_MAX ((CK_ULONG)1 << 30)

struct key {
	enum key_kind kind;
	RSA *rsa;
	EC_KEY *ec;
	EVP_PKEY *edwards;
	size_t len;
	uint8_t *bytes; /* of sec_alloc() */
};

struct job {
	uint32_t number;
	const CK_MECHANISM *m;
	const uint8_t *in;
	CK_ULONG len;
	uint8_t *out;
	CK_ULONG room, done;
};

bool rsa_takes(uint32_t number, const CK_MECHANISM *m);
bool rsa_compute(const struct key *key, struct job *job);
/* With this mechanism, no two signatures are the same. */
bool rsa_salted(const CK_MECHANISM *m);
bool rsa_verify(const struct key *key, const struct job *job, const uint8_t *signature,
    CK_ULONG len);

bool ec_takes(uint32_t number, const CK_MECHANISM *m);
bool ec_compute(const struct key *key, struct job *job);
bool ec_verify(const struct key *key, const struct job *job, const uint8_t *signature,
    CK_ULONG len);

bool edwards_takes(uint32_t number, const CK_MECHANISM *m);
bool edwards_compute(const struct key *key, struct job *job);

/* AES and HMAC. */
bool bytes_takes(uint32_t number, const CK_MECHANISM *m);
bool bytes_compute(const struct key *key, struct job *job);

#endif
