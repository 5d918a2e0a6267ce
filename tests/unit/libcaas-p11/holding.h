/* holding.h - shortcuts.h for beginnings that are held: keys, and signing with them. */
#ifndef CAAS_TEST_HOLDING_H
#define CAAS_TEST_HOLDING_H

#include "shortcuts.h"

extern CK_OBJECT_HANDLE key, public_key, aes; /* a key pair and a key of the session s */
extern CK_MECHANISM hash_rsa;
extern CK_BYTE out[512]; /* of the last sign() */
extern CK_ULONG len;	 /* of what is in it */

#define COST(round_trips, of_them_fused) COST_OF(round_trips, fused, of_them_fused)

/* Before each test: shortcuts_begin() with these keys. */
int holding_begin(void **state);
/* C_Sign into out. */
CK_RV sign(CK_SESSION_HANDLE in);
/* From here on a beginning with this mechanism and key is held. */
void learn(CK_MECHANISM *m, CK_OBJECT_HANDLE with);
/* C_SignInit, which is held. */
void hold(CK_SESSION_HANDLE in, CK_MECHANISM *m, CK_OBJECT_HANDLE with);
/* Let key be the one on the token, which other processes see, too. */
void token_key(void);

#endif
