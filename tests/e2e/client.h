/*
 * client.h - caas-e2e-client: one application, driven line by line.
 *
 *	caas-e2e-client MODULE
 *
 * Each line of standard input is a command; each gives one line: the code of the call
 *that failed, or CKR_OK, how long it took, and what there is to say:
 *
 *	sign 3
 *	CKR_OK ms=4
 *
 * There is one slot, one session and one key that commands work with, and one more
 *session that `bg COMMAND` works with in a thread of its own until `join`.
 */
#ifndef CAAS_E2E_CLIENT_H
#define CAAS_E2E_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/pkcs11.h"

#define MOST_WORDS 6

struct client {
	CK_FUNCTION_LIST *p11;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key, public;
	char says[2304]; /* what follows the code */
};

/* argv[0] is the command; missing words are NULL. */
typedef CK_RV command(struct client *c, char *argv[MOST_WORDS]);

/* token.c */
command do_init, do_finalize, do_slots, do_slot, do_token, do_slotinfo, do_tokeninfo,
    do_open, do_close, do_login, do_logout, do_setpin, do_initpin, do_inittoken, do_mech,
    do_state;
/* objects.c */
command do_genec, do_genrsa, do_genaes, do_import, do_find, do_count, do_sign, do_create,
    do_get, do_set, do_destroy, do_value, do_wrap, do_decrypt;
/* bulk.c */
command do_digest, do_hmac, do_aes;
/* taken.c */
command do_hook;

void say(struct client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A number, or `other` when there is none. */
unsigned long number(const char *word, unsigned long other);
/* The first object of this class and label. CKR_KEY_HANDLE_INVALID: none. */
CK_RV find_object(
    struct client *c, CK_OBJECT_CLASS class, const char *label, CK_OBJECT_HANDLE *ret);

#endif
