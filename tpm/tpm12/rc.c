/* rc.c - what a result of libtspi means for us. */
#include <time.h>
#include <trousers/tss.h>
#include <trousers/trousers.h>

#include "tpm/tpm12/tpm12.h"

#define PAUSE	 250  /* ms */
#define PATIENCE 5000 /* ms */
#define LAYER	 0xf000
#define CODE	 0x0fff

TSS_RESULT
tpm12_code(TSS_RESULT rc)
{
	return (rc & LAYER) == TSS_LAYER_TPM ? rc & CODE : 0;
}

bool
tpm12_wrong_state(TSS_RESULT rc)
{
	return tpm12_code(rc) == TPM_E_WRONGPCRVAL || tpm12_code(rc) == TPM_E_BAD_LOCALITY;
}

static bool
later(TSS_RESULT rc)
{
	switch (tpm12_code(rc)) {
	case TPM_E_RETRY:
	case TPM_E_NEEDS_SELFTEST:
	case TPM_E_DOING_SELFTEST:
	case TPM_E_RESOURCES:
		return true;
	default:
		return false;
	}
}

bool
tpm12_again(unsigned *waited, TSS_RESULT rc)
{
	struct timespec ts = {.tv_nsec = PAUSE * 1000000};

	if (!later(rc) || *waited >= PATIENCE)
		return false;
	nanosleep(&ts, NULL);
	*waited += PAUSE;
	return true;
}

static bool
lost(TSS_RESULT rc)
{
	if ((rc & LAYER) == TSS_LAYER_TDDL)
		return true; /* tcsd lost the TPM */
	if ((rc & LAYER) == TSS_LAYER_TPM)
		return false;
	switch (rc & CODE) {
	case TSS_E_COMM_FAILURE:
	case TSS_E_NO_CONNECTION:
	case TSS_E_CONNECTION_FAILED:
	case TSS_E_CONNECTION_BROKEN:
		return true;
	default:
		/* tcsd was restarted and does not know us. */
		return (rc & LAYER) == TSS_LAYER_TCS &&
		    (rc & CODE) == TCS_E_INVALID_CONTEXTHANDLE;
	}
}

enum tpm_result
tpm12_fail(struct tpm *t, TSS_RESULT rc, const char *what)
{
	struct tpm12 *s = t->state;

	if (lost(rc)) {
		tpm12_disconnect(s);
		return tpm_fail(t, TPM_ABSENT, "no TPM 1.2 answers through tcsd at %s:%s (%s: "
		    "%s): start tcsd, or correct the address", s->host, s->port, what,
		    Trspi_Error_String(rc));
	}
	if (later(rc))
		return tpm_fail(t, TPM_BUSY, "the TPM 1.2 is busy (%s, tried for %d s): stop "
		    "other users of it, or try again", what, PATIENCE / 1000);
	if ((rc & LAYER) != TSS_LAYER_TPM && (rc & CODE) == TSS_E_PS_KEY_NOTFOUND)
		rc = TPM_E_NOSRK;
	switch (tpm12_code(rc)) {
	case TPM_E_NOSRK:
		return tpm_fail(t, TPM_FAILED, "the TPM 1.2 at %s:%s has no storage root key "
		    "known to tcsd (%s): take ownership with tpm_takeownership -z", s->host,
		    s->port, what);
	case TPM_E_AUTHFAIL:
		return tpm_fail(t, TPM_FAILED, "the storage root key of the TPM 1.2 has a "
		    "password (%s): set the well-known secret with tpm_changeownerauth -s -z",
		    what);
	case TPM_E_DEACTIVATED:
	case TPM_E_DISABLED:
		return tpm_fail(t, TPM_FAILED, "the TPM 1.2 is disabled (%s): enable and "
		    "activate it in the firmware", what);
	case TPM_E_DEFEND_LOCK_RUNNING:
		return tpm_fail(t, TPM_LOCKOUT, "the TPM 1.2 is locked against guessing (%s): "
		    "wait, or tpm_resetdalock", what);
	default:
		return tpm_fail(t, TPM_FAILED, "the TPM 1.2 refused (%s: 0x%x %s): see "
		    "docs/tpm.md", what, rc, Trspi_Error_String(rc));
	}
}
