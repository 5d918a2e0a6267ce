/* token_make.c - see token_make.h */
#include "caas/token_make.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/pkcs11.h"

#define LABEL_LEN 32

int
token_label_ok(const char *label)
{
	size_t len = strlen(label);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)label[i] < 0x20 || label[i] == 0x7f)
			return cmd_usage("a label must not hold control characters");
	if (len < 1 || len > LABEL_LEN)
		return cmd_usage(
		    "a label must have 1 to %d bytes, not %zu", LABEL_LEN, len);
	return CMD_OK;
}

static void
pad_label(CK_UTF8CHAR dst[LABEL_LEN], const char *label)
{
	size_t len = strlen(label);

	memset(dst, ' ', LABEL_LEN);
	memcpy(dst, label, len < LABEL_LEN ? len : LABEL_LEN);
}

static int
failed(const char *what, CK_RV rv)
{
	switch (rv) {
	case CKR_DEVICE_ERROR:
	case CKR_DEVICE_REMOVED:
	case CKR_TOKEN_NOT_PRESENT:
		return cmd_fail(
		    "%s: vsmd does not answer (0x%lx): is it running?", what, rv);
	case CKR_FUNCTION_REJECTED:
		return cmd_fail("%s: policy refuses (0x%lx): see vsmd.conf(5)", what, rv);
	case CKR_PIN_LEN_RANGE:
		return cmd_fail("%s: a PIN is too short or too long", what);
	case CKR_PIN_INCORRECT:
		return cmd_fail("%s: the PIN is not correct", what);
	default:
		return cmd_fail("%s: PKCS#11 error 0x%lx: see the log of vsmd", what, rv);
	}
}

static json_t *
token_json(CK_SLOT_ID slot, const CK_TOKEN_INFO *t)
{
	char label[LABEL_LEN + 1], serial[sizeof(t->serialNumber) + 1];
	int l = LABEL_LEN, s = sizeof(t->serialNumber);

	while (l > 0 && t->label[l - 1] == ' ')
		l--;
	while (s > 0 && t->serialNumber[s - 1] == ' ')
		s--;
	snprintf(label, sizeof(label), "%.*s", l, (const char *)t->label);
	snprintf(serial, sizeof(serial), "%.*s", s, (const char *)t->serialNumber);
	return json_pack("{s:s, s:s, s:I}", "label", label, "serial", serial, "slot",
	    (json_int_t)slot);
}

struct found {
	bool token, free;
	CK_SLOT_ID slot; /* of the token when there is one, else the free one */
	CK_TOKEN_INFO info;
};

static int
look(CK_FUNCTION_LIST *f, const char *label, struct found *ret)
{
	CK_UTF8CHAR padded[LABEL_LEN];
	CK_ULONG n = 0;
	CK_SLOT_ID *slots;
	CK_TOKEN_INFO info;
	CK_RV rv;

	*ret = (struct found){0};
	pad_label(padded, label);
	rv = f->C_GetSlotList(CK_FALSE, NULL, &n);
	slots = rv == CKR_OK ? calloc(n + 1, sizeof(*slots)) : NULL;
	if (slots != NULL)
		rv = f->C_GetSlotList(CK_FALSE, slots, &n);
	for (CK_ULONG i = 0; rv == CKR_OK && slots != NULL && i < n && !ret->token; i++) {
		if (f->C_GetTokenInfo(slots[i], &info) != CKR_OK)
			continue;
		if ((info.flags & CKF_TOKEN_INITIALIZED) == 0) {
			if (!ret->free) {
				ret->free = true;
				ret->slot = slots[i];
				ret->info = info;
			}
		} else if (memcmp(info.label, padded, LABEL_LEN) == 0) {
			ret->token = true;
			ret->slot = slots[i];
			ret->info = info;
		}
	}
	free(slots);
	return rv == CKR_OK ? CMD_OK : failed("cannot list the slots", rv);
}

/* Known before anything is changed: a token without a user PIN helps nobody. */
static int
check_pins(const struct token_order *o, const CK_TOKEN_INFO *t)
{
	if (o->pin->len < t->ulMinPinLen || o->pin->len > t->ulMaxPinLen ||
	    o->so_pin->len < t->ulMinPinLen || o->so_pin->len > t->ulMaxPinLen)
		return cmd_fail("a PIN must have %lu to %lu characters: choose another",
		    t->ulMinPinLen, t->ulMaxPinLen);
	return CMD_OK;
}

static int
init_pin(CK_FUNCTION_LIST *f, CK_SLOT_ID slot, const struct token_order *o)
{
	CK_SESSION_HANDLE s;
	CK_RV rv;

	rv = f->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s);
	if (rv != CKR_OK)
		return failed("the token is made, but cannot open a session on it", rv);
	rv = f->C_Login(s, CKU_SO, (CK_UTF8CHAR *)o->so_pin->text, o->so_pin->len);
	if (rv == CKR_OK) {
		rv = f->C_InitPIN(s, (CK_UTF8CHAR *)o->pin->text, o->pin->len);
		f->C_Logout(s);
	}
	f->C_CloseSession(s);
	return rv == CKR_OK
		   ? CMD_OK
		   : failed("the token is made, but its user PIN cannot be set", rv);
}

static int
make(CK_FUNCTION_LIST *f, const struct token_order *o, json_t **ret)
{
	CK_UTF8CHAR padded[LABEL_LEN];
	struct found found;
	CK_RV rv;

	if (look(f, o->label, &found) != CMD_OK)
		return CMD_FAILED;
	if (found.token && !o->keep_existing)
		return cmd_fail(
		    "there is a token %s already: choose another --label", o->label);
	if (!found.token) {
		if (!found.free)
			return cmd_fail("no free slot: vsmd's policy shows none to you");
		if (check_pins(o, &found.info) != CMD_OK)
			return CMD_FAILED;
		pad_label(padded, o->label);
		rv = f->C_InitToken(
		    found.slot, (CK_UTF8CHAR *)o->so_pin->text, o->so_pin->len, padded);
		if (rv != CKR_OK)
			return failed("cannot make the token", rv);
		if (init_pin(f, found.slot, o) != CMD_OK)
			return CMD_FAILED;
		f->C_GetTokenInfo(found.slot, &found.info);
	}
	if (ret != NULL)
		*ret = token_json(found.slot, &found.info);
	return CMD_OK;
}

int
token_make(const struct token_order *o, json_t **ret)
{
	CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;
	CK_FUNCTION_LIST *f;
	void *lib, *sym;
	CK_RV rv;
	int rc;

	if (o->address != NULL && setenv("CAAS_VSM_ADDRESS", o->address, 1) < 0)
		return cmd_fail("no memory: free some");
	lib = dlopen(o->module, RTLD_NOW | RTLD_LOCAL);
	sym = lib != NULL ? dlsym(lib, "C_GetFunctionList") : NULL;
	if (sym == NULL)
		return cmd_fail("cannot load %s: %s", o->module, dlerror());
	memcpy(&get, &sym, sizeof(get));
	rv = get(&f);
	if (rv == CKR_OK)
		rv = f->C_Initialize(NULL);
	if (rv != CKR_OK) {
		dlclose(lib);
		return failed("cannot use the module", rv);
	}
	rc = make(f, o, ret);
	f->C_Finalize(NULL);
	dlclose(lib);
	return rc;
}
