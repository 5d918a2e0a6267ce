/* pin.c - see pin.h */
#include "tests/soak/pin.h"

#include <stdio.h>
#include <string.h>

/* The other token keeps number 0. */
static bool
changes(void)
{
	return strcmp(soak.token, "soak") == 0;
}

static CK_ULONG
pin_text(char pin[32], unsigned number)
{
	return (CK_ULONG)snprintf(pin, 32, "12345%u", number);
}

static CK_RV
try(struct job *j, unsigned number)
{
	char pin[32];
	CK_ULONG len = pin_text(pin, number);

	return soak.p11->C_Login(j->session, CKU_USER, (CK_BYTE *)pin, len);
}

CK_RV
pin_login(struct job *j)
{
	struct shared *s = soak.shared;

	if (!changes())
		return try(j, 0);
	for (;;) {
		unsigned done = atomic_load(&s->pin_done),
			 begun = atomic_load(&s->pin_begun);
		CK_RV rv = try(j, done);

		/* In this order: once the old one is wrong, the new one is right. */
		if (rv == CKR_PIN_INCORRECT && begun != done)
			rv = try(j, begun);
		if (rv != CKR_PIN_INCORRECT)
			return rv;
		if (atomic_load(&s->pin_done) == done &&
		    atomic_load(&s->pin_begun) == begun)
			fail(j, "C_Login: CKR_PIN_INCORRECT, with PIN %u (%u announced)",
			    done, begun);
	}
}

CK_RV
pin_wrong(struct job *j)
{
	char pin[32];
	int n = snprintf(pin, sizeof(pin), "x%u", chance_below(j, 1000000));

	return soak.p11->C_Login(j->session, CKU_USER, (CK_BYTE *)pin, (CK_ULONG)n);
}

/* One application alone has this role, and nobody kills it. */
void
pin_step(struct job *j)
{
	struct shared *s = soak.shared;
	unsigned old = atomic_load(&s->pin_done), new = old + 1;
	char a[32], b[32];
	CK_ULONG an = pin_text(a, old), bn = pin_text(b, new);

	if (chance_of(j, 20))
		REFUSED(j, CKR_PIN_INCORRECT, C_SetPIN, j->session, (CK_BYTE *)b, bn,
		    (CK_BYTE *)a, an);
	atomic_store(&s->pin_begun, new);
	MUST(j, C_SetPIN, j->session, (CK_BYTE *)a, an, (CK_BYTE *)b, bn);
	atomic_store(&s->pin_done, new);
	if (chance_of(j, 30)) {
		MUST(j, C_Logout, j->session);
		app_login(j);
	}
	for (unsigned ms = 500 + chance_below(j, 2500);
	     ms > 0 && !atomic_load(&soak.stop);) {
		unsigned n = ms < 100 ? ms : 100;

		pause_ms(n);
		ms -= n;
	}
}
