/*
 * learn.h - which key SoftHSM2 uses for an operation.
 *
 * SoftHSM2 decrypts a key for the operation at hand and gives it to a function of
 * libcrypto.  learn.c defines those functions, and the dynamic linker binds SoftHSM2 to
 * them first (interpose.h says how); each notes the key, if its thread has asked for one,
 * and calls the real function.
 *
 *	RSA_private_encrypt, RSA_sign, RSA_private_decrypt    RSA
 *	ECDSA_do_sign                                         EC
 *	EVP_DigestSign                                        Edwards curves
 *	EVP_EncryptInit, EVP_DecryptInit, and the same with
 *	_ex; HMAC_Init_ex                                     secret keys
 *
 * SoftHSM2 decrypts attributes with the same functions, so the last secret key is not
 * always the right one: what was learnt must be proven (key_proven()) before it is used.
 *
 * Threads: what is learnt is the calling thread's.
 */
#ifndef CAAS_VSMD_WORKER_LEARN_H
#define CAAS_VSMD_WORKER_LEARN_H

#include "vsmd/worker/key.h"

/* Find the real functions; once, before confinement.  0, or -1 after logging. */
int learn_init(void);
/* From here on note a key of this kind. */
void learn_begin(enum key_kind kind);
/* Stop, and take the last one, which is the caller's to free; NULL: there was none. */
struct key *learn_end(void);

#endif
