/* sign.c - role: signatures by several threads, with sessions that come and go */
#include "tests/soak/keys.h"

#define SOME 5 /* sessions beside, at most */

static struct pair pairs[KEY_KINDS];

void
sign_prepare(struct job *j)
{
	for (int k = 0; k < KEY_KINDS; k++)
		keys_find(j, keys_labels[k], &pairs[k]);
}

/* Several sessions; what one began, another does not see. */
static void
sessions(struct job *j)
{
	CK_SESSION_HANDLE own = j->session, some[SOME];
	CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
	unsigned n = 1 + chance_below(j, SOME);

	for (unsigned i = 0; i < n; i++) {
		app_open(j);
		some[i] = j->session;
		keys_use(j, &pairs[chance_below(j, KEY_KINDS)]);
		if (chance_of(j, 30)) /* closed with this under way */
			MUST(j, C_SignInit, j->session, &m, pairs[KEY_EC].private);
	}
	for (unsigned i = 0; i < n; i++) {
		CK_BYTE out[64];
		CK_ULONG len = sizeof(out);

		MUST(j, C_CloseSession, some[i]);
		REFUSED(
		    j, CKR_SESSION_HANDLE_INVALID, C_Sign, some[i], out, 32, out, &len);
	}
	j->session = own;
}

void
sign_step(struct job *j)
{
	if (chance_of(j, 3))
		sessions(j);
	else
		keys_use(j, &pairs[chance_below(j, KEY_KINDS)]);
	/* Not all day: eleven others share the machine. */
	if (chance_of(j, 10))
		pause_ms(chance_below(j, 60));
}
