/*
 * inprocess.h - a worker in this process, with SoftHSM2 behind it: for the tests of
 * vsmd/worker/key.h, learn.h and keycache.h, which have to see whether it asked SoftHSM2.
 *
 * It has one token with one session, logged in; there is no nursery, store or guest.  What
 * fails here is a failed assertion of cmocka.
 */
#ifndef CAAS_TEST_INPROCESS_H
#define CAAS_TEST_INPROCESS_H

#include "rig.h"
#include "vsmd/worker/state.h"

extern struct worker w;
extern CK_FUNCTION_LIST *real;	  /* SoftHSM2 itself */
extern CK_FUNCTION_LIST counting; /* SoftHSM2 as the worker calls it; tests change it */
extern atomic_uint asked;	  /* SoftHSM2, for a beginning */
extern CK_SESSION_HANDLE session;
extern uint8_t out[512];
extern __thread CK_RV begun;	   /* of the last request: what came of its beginning, */
extern __thread CK_ULONG out_len; /* and the length that its third argument tells */
extern const uint8_t text[64];	   /* to be signed or encrypted */

/* For a group of tests: make the token and open the session; remove it. */
int inprocess_start(void **state);
int inprocess_stop(void **state);

/* As loop.c does it with a frame: it is read, its turn will come; and is served.  `begin`
 * is the call of the beginning, or 0. */
struct request *arrive(uint32_t begin, const struct arg *begin_args, uint32_t number,
    const struct arg *args);
CK_RV answer(struct request *r);
/* Both. */
CK_RV serve_it(uint32_t begin, const struct arg *begin_args, uint32_t number,
    const struct arg *args);
#define PLAIN(name, ...)                                                                 \
	serve_it(0, NULL, CALL_##name, (const struct arg[ARGS_MAX]){__VA_ARGS__})
/* Call `number` with its beginning, fused, into the first `room` bytes of out. */
CK_RV use(uint32_t number, CK_MECHANISM *m, CK_OBJECT_HANDLE key, const void *in,
    CK_ULONG len, CK_ULONG room);
/* use() for C_Sign, of 32 bytes. */
CK_RV sign(CK_MECHANISM *m, CK_OBJECT_HANDLE key);
/* sign() until the key is ready: SoftHSM2 is asked once, if at all, and then not any more. */
void prime(CK_MECHANISM *m, CK_OBJECT_HANDLE key);
/* sign() is refused, by SoftHSM2, and as it refuses it. */
void assert_refused(CK_MECHANISM *m, CK_OBJECT_HANDLE key);

/* Made by SoftHSM2, for every use: an RSA pair of `bits`, or of 1024, whose private half is
 * returned (*ret_public may be NULL); a secret key with a value of `len` bytes. */
CK_OBJECT_HANDLE rsa_of(CK_ULONG bits, bool token, CK_OBJECT_HANDLE *ret_public);
CK_OBJECT_HANDLE rsa(bool token, CK_OBJECT_HANDLE *ret_public);
CK_OBJECT_HANDLE secret(CK_KEY_TYPE type, CK_ULONG len);

#endif
