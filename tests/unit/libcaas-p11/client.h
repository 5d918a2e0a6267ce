/*
 * client.h - an application for tests, through the built module as applications load it.
 */
#ifndef CAAS_TEST_CLIENT_H
#define CAAS_TEST_CLIENT_H

#include "protocol/pkcs11.h"

#define SERIAL CKF_SERIAL_SESSION
#define RW (CKF_SERIAL_SESSION | CKF_RW_SESSION)

extern CK_FUNCTION_LIST *p11;

/* dlopen() the module and get its list; unload it again. */
void client_load(void);
void client_unload(void);
/* A symbol of the loaded module, or NULL. */
void *client_symbol(const char *name);
/* What most tests begin with: initialised, a session on FAKE_SLOT, logged in. */
CK_SESSION_HANDLE client_begin(void);
/* For C_Initialize: an application that has mutexes of its own, and wants them used. */
CK_C_INITIALIZE_ARGS client_mutexes(void);
/* An RSA-1024 key pair with this label; *ret_public may be NULL. */
CK_OBJECT_HANDLE client_rsa(CK_SESSION_HANDLE s, const char *label, CK_BBOOL token,
    CK_OBJECT_HANDLE *ret_public);
/* The objects that have this label, at most `room`; their number. */
CK_ULONG client_find(CK_SESSION_HANDLE s, const char *label, CK_OBJECT_HANDLE *ret,
    CK_ULONG room);
/* The private key of that label, or 0. */
CK_OBJECT_HANDLE client_find_private(CK_SESSION_HANDLE s, const char *label);
/* A data object; 0 on failure. */
CK_OBJECT_HANDLE client_data(CK_SESSION_HANDLE s, const char *label, CK_BBOOL token);
/* C_SignInit and C_Sign by CKM_RSA_PKCS. */
CK_RV client_sign(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key);
/* Run f in a forked child; its exit status: 0 when f returned true. */
int client_in_child(int (*f)(void));

#endif
