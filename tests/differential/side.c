/* side.c - load a module, make or find its token; see diff.h */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/differential/diff.h"

CK_RV
side_initialize(struct side *s)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

	if (s->conf != NULL)
		setenv("SOFTHSM2_CONF", s->conf, 1);
	return s->p11->C_Initialize(&args);
}

bool
side_load(struct side *s, const char *module)
{
	CK_C_GetFunctionList get;
	s->dl = dlopen(module, RTLD_NOW | RTLD_LOCAL);
	if (s->dl == NULL) {
		fprintf(stderr, "differential: %s\n", dlerror());
		return false;
	}
	*(void **)&get = dlsym(s->dl, "C_GetFunctionList");
	if (get == NULL || get(&s->p11) != CKR_OK || side_initialize(s) != CKR_OK) {
		fprintf(stderr, "differential: %s does not initialize\n", module);
		return false;
	}
	return true;
}

static void
pad_label(CK_UTF8CHAR out[32], const char *label)
{
	size_t n = strlen(label);

	memset(out, ' ', 32);
	memcpy(out, label, n > 32 ? 32 : n);
}

bool
side_find(struct world *w, struct side *s)
{
	CK_SLOT_ID slots[32];
	CK_ULONG n = 32;
	CK_UTF8CHAR label[32];

	pad_label(label, w->label);
	if (s->p11->C_GetSlotList(CK_TRUE, NULL, &n) != CKR_OK || n > 32)
		return false;
	n = 32;
	if (s->p11->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK)
		return false;
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO info;

		if (s->p11->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
		    (info.flags & CKF_TOKEN_INITIALIZED) && memcmp(info.label, label, 32) == 0) {
			s->slot = slots[i];
			return true;
		}
	}
	return false;
}

bool
side_token(struct world *w, struct side *s)
{
	CK_SLOT_ID slots[32], blank = 0;
	CK_ULONG n = 32;
	CK_UTF8CHAR label[32];
	CK_SESSION_HANDLE session;
	CK_RV rv;
	bool found = false;

	pad_label(label, w->label);
	if (s->p11->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK)
		return false;
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO info;

		if (s->p11->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
		    !(info.flags & CKF_TOKEN_INITIALIZED)) {
			blank = slots[i];
			found = true;
		}
	}
	rv = !found ? CKR_SLOT_ID_INVALID :
	    s->p11->C_InitToken(blank, (CK_UTF8CHAR_PTR)w->so_pin, strlen(w->so_pin), label);
	if (rv != CKR_OK || !side_find(w, s) ||
	    s->p11->C_OpenSession(s->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
	        &session) != CKR_OK ||
	    s->p11->C_Login(session, CKU_SO, (CK_UTF8CHAR_PTR)w->so_pin, strlen(w->so_pin)) !=
	        CKR_OK ||
	    s->p11->C_InitPIN(session, (CK_UTF8CHAR_PTR)w->user_pin, strlen(w->user_pin)) !=
	        CKR_OK ||
	    s->p11->C_CloseSession(session) != CKR_OK) {
		fprintf(stderr, "differential: a side cannot make its token (0x%lx)\n", rv);
		return false;
	}
	return true;
}

void
side_unload(struct side *s)
{
	if (s->p11 != NULL)
		(void)s->p11->C_Finalize(NULL);
	if (s->dl != NULL)
		dlclose(s->dl);
}
