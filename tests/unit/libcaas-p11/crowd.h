/*
 * crowd.h - threads that do one thing again and again, each on its session, and are to
 * notice nothing of what goes on meanwhile.
 */
#ifndef CAAS_TEST_CROWD_H
#define CAAS_TEST_CROWD_H

#include "protocol/pkcs11.h"

#define CROWD_MAX 4

/* One thread more, of at most CROWD_MAX: it ends when `does` gives another code than
 * CKR_OK. */
void crowd_add(CK_RV (*does)(CK_SESSION_HANDLE), CK_SESSION_HANDLE session);
/* End them all; every code was CKR_OK. */
void crowd_stop(void);
/* CROWD_MAX threads, each on a new session, while change() is called so many times. */
void crowd_during(CK_RV (*does)(CK_SESSION_HANDLE), CK_RV (*change)(void), int times);

#endif
