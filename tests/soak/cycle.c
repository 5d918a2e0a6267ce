/* cycle.c - role: C_Finalize and C_Initialize, with this and that under way */
#include "tests/soak/keys.h"

#define SESSIONS 6

static void
leave_untidy(struct job *j)
{
	CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
	CK_BYTE some[8];

	chance_fill(j, some, sizeof(some));
	for (unsigned n = chance_below(j, SESSIONS); n > 0; n--) {
		app_open(j);
		if (chance_of(j, 30)) {
			MUST(j, C_FindObjectsInit, j->session, NULL, 0);
			continue;
		}
		MUST(j, C_DigestInit, j->session, &sha);
		MUST(j, C_DigestUpdate, j->session, some, sizeof(some));
	}
}

void
cycle_step(struct job *j)
{
	struct pair p;

	for (int n = 0; n < 3; n++) {
		keys_find(j, keys_labels[chance_below(j, KEY_KINDS)], &p);
		keys_use(j, &p);
		keys_free(&p);
	}
	leave_untidy(j);
	switch (chance_below(j, 3)) {
	case 0:
		MUST(j, C_CloseAllSessions, soak.slot);
		break;
	case 1:
		MUST(j, C_Finalize, NULL);
		REFUSED(j, CKR_CRYPTOKI_NOT_INITIALIZED, C_Finalize, NULL);
		app_initialize(j);
		break;
	default:
		MUST(j, C_Finalize, NULL);
		app_initialize(j);
	}
	app_open(j);
	app_login(j);
	pause_ms(chance_below(j, 50));
}
