/* login.c - role: logins and logouts, right and wrong, and what is seen without one */
#include "tests/soak/find.h"
#include "tests/soak/keys.h"
#include "tests/soak/pin.h"

static void
logged_out(struct job *j, CK_OBJECT_HANDLE was)
{
	CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
	CK_OBJECT_HANDLE h;
	CK_SESSION_INFO info;
	CK_RV rv;

	MUST(j, C_GetSessionInfo, j->session, &info);
	if (info.state != CKS_RW_PUBLIC_SESSION)
		fail(j, "state %lu after C_Logout", info.state);
	if (find_all(j, CKO_PRIVATE_KEY, find_text(CKA_LABEL, "ec"), &h, 1) != 0)
		fail(j, "a private key is seen without a login");
	rv = soak.p11->C_SignInit(j->session, &m, was);
	if (rv != CKR_OBJECT_HANDLE_INVALID && rv != CKR_KEY_HANDLE_INVALID)
		expect(j, "C_SignInit without a login", rv, CKR_OBJECT_HANDLE_INVALID);
	MUST(j, C_Logout, j->session); /* as SoftHSM2 has it */
}

/* Alone in its process: the login is the application's. */
void
login_step(struct job *j)
{
	struct pair p;

	keys_find(j, "ec", &p);
	keys_use(j, &p);
	keys_free(&p);
	expect(j, "C_Login again", pin_wrong(j), CKR_USER_ALREADY_LOGGED_IN);
	MUST(j, C_Logout, j->session);
	logged_out(j, p.private);
	if (chance_of(j, 30))
		expect(j, "C_Login with a wrong PIN", pin_wrong(j), CKR_PIN_INCORRECT);
	app_login(j);
	pause_ms(chance_below(j, 150));
}
