/* token.c - commands on slots, sessions, logins and PINs; see client.h */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "protocol/names.h"

#define MOST_SLOTS 64

CK_RV
do_init(struct client *c, char *argv[])
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

	(void)argv;
	return c->p11->C_Initialize(&args);
}

CK_RV
do_finalize(struct client *c, char *argv[])
{
	(void)argv;
	return c->p11->C_Finalize(NULL);
}

/* slots: how many, how many with a token, and the labels */
CK_RV
do_slots(struct client *c, char *argv[])
{
	CK_SLOT_ID slots[MOST_SLOTS];
	CK_ULONG n = 0, all = MOST_SLOTS;
	CK_TOKEN_INFO info;
	CK_RV rv;

	(void)argv;
	if ((rv = c->p11->C_GetSlotList(CK_FALSE, NULL, &n)) != CKR_OK ||
	    (rv = c->p11->C_GetSlotList(CK_FALSE, slots, &all)) != CKR_OK)
		return rv;
	say(c, " n=%lu labels=", all);
	for (CK_ULONG i = 0; i < all; i++)
		if (c->p11->C_GetTokenInfo(slots[i], &info) == CKR_OK) {
			int len = 32;

			while (len > 0 && info.label[len - 1] == ' ')
				len--;
			say(c, "%.*s%s", len, (const char *)info.label,
			    i + 1 < all ? "," : "");
		}
	return CKR_OK;
}

/* slot N */
CK_RV
do_slot(struct client *c, char *argv[])
{
	c->slot = number(argv[1], 0);
	return CKR_OK;
}

/* token LABEL: makes its slot the one to work with */
CK_RV
do_token(struct client *c, char *argv[])
{
	CK_SLOT_ID slots[MOST_SLOTS];
	CK_ULONG n = MOST_SLOTS;
	CK_TOKEN_INFO info;
	char label[33];
	CK_RV rv;

	snprintf(label, sizeof(label), "%-32.32s", argv[1] != NULL ? argv[1] : "");
	if ((rv = c->p11->C_GetSlotList(CK_TRUE, NULL, &(CK_ULONG){0})) != CKR_OK ||
	    (rv = c->p11->C_GetSlotList(CK_TRUE, slots, &n)) != CKR_OK)
		return rv;
	for (CK_ULONG i = 0; i < n; i++)
		if (c->p11->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
		    memcmp(info.label, label, 32) == 0) {
			c->slot = slots[i];
			return CKR_OK;
		}
	return CKR_TOKEN_NOT_PRESENT;
}

CK_RV
do_slotinfo(struct client *c, char *argv[])
{
	CK_SLOT_INFO info;

	(void)argv;
	return c->p11->C_GetSlotInfo(c->slot, &info);
}

CK_RV
do_tokeninfo(struct client *c, char *argv[])
{
	CK_TOKEN_INFO info;
	CK_RV rv = c->p11->C_GetTokenInfo(c->slot, &info);

	(void)argv;
	if (rv == CKR_OK)
		say(c, "%s%s%s%s%s%s%s",
		    info.flags & CKF_PROTECTED_AUTHENTICATION_PATH ? " path" : "",
		    info.flags & CKF_USER_PIN_COUNT_LOW ? " user-low" : "",
		    info.flags & CKF_USER_PIN_FINAL_TRY ? " user-final" : "",
		    info.flags & CKF_USER_PIN_LOCKED ? " user-locked" : "",
		    info.flags & CKF_SO_PIN_COUNT_LOW ? " so-low" : "",
		    info.flags & CKF_SO_PIN_FINAL_TRY ? " so-final" : "",
		    info.flags & CKF_SO_PIN_LOCKED ? " so-locked" : "");
	return rv;
}

CK_RV
do_open(struct client *c, char *argv[])
{
	(void)argv;
	return c->p11->C_OpenSession(
	    c->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &c->session);
}

CK_RV
do_close(struct client *c, char *argv[])
{
	(void)argv;
	return c->p11->C_CloseSession(c->session);
}

CK_RV
do_state(struct client *c, char *argv[])
{
	CK_SESSION_INFO info;
	CK_RV rv = c->p11->C_GetSessionInfo(c->session, &info);

	(void)argv;
	if (rv == CKR_OK)
		say(c, " state=%lu", info.state);
	return rv;
}

static CK_ULONG
length(const char *pin)
{
	return pin != NULL ? strlen(pin) : 0;
}

/* login user|so [PIN]: without one it is NULL, "" is an empty one */
CK_RV
do_login(struct client *c, char *argv[])
{
	CK_USER_TYPE user =
	    argv[1] != NULL && strcmp(argv[1], "so") == 0 ? CKU_SO : CKU_USER;

	return c->p11->C_Login(
	    c->session, user, (CK_UTF8CHAR_PTR)argv[2], length(argv[2]));
}

CK_RV
do_logout(struct client *c, char *argv[])
{
	(void)argv;
	return c->p11->C_Logout(c->session);
}

/* setpin OLD NEW */
CK_RV
do_setpin(struct client *c, char *argv[])
{
	return c->p11->C_SetPIN(c->session, (CK_UTF8CHAR_PTR)argv[1], length(argv[1]),
	    (CK_UTF8CHAR_PTR)argv[2], length(argv[2]));
}

/* initpin NEW */
CK_RV
do_initpin(struct client *c, char *argv[])
{
	return c->p11->C_InitPIN(c->session, (CK_UTF8CHAR_PTR)argv[1], length(argv[1]));
}

/* inittoken SO-PIN LABEL: the token of the slot, or the slot that has none */
CK_RV
do_inittoken(struct client *c, char *argv[])
{
	CK_UTF8CHAR label[33];

	snprintf(
	    (char *)label, sizeof(label), "%-32.32s", argv[2] != NULL ? argv[2] : "");
	return c->p11->C_InitToken(
	    c->slot, (CK_UTF8CHAR_PTR)argv[1], length(argv[1]), label);
}

/* mech CKM_NAME: may it be used here? */
CK_RV
do_mech(struct client *c, char *argv[])
{
	CK_MECHANISM_INFO info;
	CK_MECHANISM_TYPE type;

	if (argv[1] == NULL || !ckm_parse(argv[1], &type))
		return CKR_ARGUMENTS_BAD;
	return c->p11->C_GetMechanismInfo(c->slot, type, &info);
}
