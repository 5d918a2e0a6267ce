/* rc.c - what a return code of ESYS or of the TPM means for us. */
#include <time.h>
#include <tss2/tss2_rc.h>

#include "tpm/tpm2/tpm2.h"

#define FIRST_PAUSE 20	 /* ms */
#define LAST_PAUSE  640	 /* ms */
#define PATIENCE    5000 /* ms */

static TSS2_RC
layer(TSS2_RC rc)
{
	return rc & TSS2_RC_LAYER_MASK;
}

TSS2_RC
tpm2_code(TSS2_RC rc)
{
	/* A resource manager passes the TPM's codes on under its own layer. */
	if (layer(rc) != TSS2_TPM_RC_LAYER && layer(rc) != TSS2_RESMGR_TPM_RC_LAYER)
		return 0;
	rc &= 0xffff;
	return rc & TPM2_RC_FMT1 ? rc & (TPM2_RC_FMT1 | 0x3f) : rc;
}

static bool
later(TSS2_RC rc)
{
	switch (tpm2_code(rc)) {
	case TPM2_RC_RETRY:
	case TPM2_RC_YIELDED:
	case TPM2_RC_TESTING:
	case TPM2_RC_NV_RATE:
		return true;
	default:
		return false;
	}
}

bool
tpm2_again(struct tpm2_retry *r, TSS2_RC rc)
{
	struct timespec ts = {0};

	if (!later(rc) || r->waited >= PATIENCE)
		return false;
	r->next = r->next == 0 ? FIRST_PAUSE : 2 * r->next;
	if (r->next > LAST_PAUSE)
		r->next = LAST_PAUSE;
	ts.tv_nsec = (long)r->next * 1000000;
	nanosleep(&ts, NULL);
	r->waited += r->next;
	return true;
}

bool
tpm2_wrong_state(TSS2_RC rc)
{
	switch (tpm2_code(rc)) {
	case TPM2_RC_POLICY_FAIL: /* Unseal: another digest */
	case TPM2_RC_VALUE:	  /* PolicyOR: a branch that is not listed */
	case TPM2_RC_PCR_CHANGED:
	case TPM2_RC_LOCALITY:
		return true;
	default:
		return false;
	}
}

bool
tpm2_wrong_key(TSS2_RC rc)
{
	switch (tpm2_code(rc)) {
	case TPM2_RC_BAD_AUTH:
	case TPM2_RC_AUTH_FAIL:
	case TPM2_RC_HANDLE:	/* no SRK there */
	case TPM2_RC_KEY:	/* or one of another type: the salt does not fit */
	case TPM2_RC_SIZE:
	case TPM2_RC_ECC_POINT:
	case TPM2_RC_INSUFFICIENT:
	case TPM2_RC_VALUE:
		return true;
	default:
		return rc == TSS2_ESYS_RC_RSP_AUTH_FAILED;
	}
}

static bool
lost(TSS2_RC rc)
{
	return layer(rc) == TSS2_TCTI_RC_LAYER || rc == TSS2_ESYS_RC_IO_ERROR ||
	    rc == TSS2_ESYS_RC_INSUFFICIENT_RESPONSE ||
	    rc == TSS2_ESYS_RC_MALFORMED_RESPONSE || rc == TSS2_SYS_RC_INSUFFICIENT_RESPONSE ||
	    rc == TSS2_SYS_RC_MALFORMED_RESPONSE;
}

enum tpm_result
tpm2_fail(struct tpm *t, TSS2_RC rc, const char *what)
{
	struct tpm2 *s = t->state;

	if (lost(rc)) {
		tpm2_disconnect(s);
		return tpm_fail(t, TPM_ABSENT, "the TPM at tpm2:%s does not answer (%s: %s): "
		    "start it, or correct the address", s->where, what, Tss2_RC_Decode(rc));
	}
	if (later(rc))
		return tpm_fail(t, TPM_BUSY, "the TPM at tpm2:%s is busy (%s, tried for %d s): "
		    "stop other users of it, or try again", s->where, what, PATIENCE / 1000);
	switch (tpm2_code(rc)) {
	case TPM2_RC_LOCKOUT:
		return tpm_fail(t, TPM_LOCKOUT, "the TPM is locked against guessing (%s): wait "
		    "for its recovery time, or clear it with tpm2_dictionarylockout -c", what);
	case TPM2_RC_OBJECT_MEMORY:
	case TPM2_RC_SESSION_MEMORY:
	case TPM2_RC_OBJECT_HANDLES:
	case TPM2_RC_SESSION_HANDLES:
		return tpm_fail(t, TPM_BUSY, "the TPM at tpm2:%s has no room (%s): others hold "
		    "its slots; on hardware use tpm2:device:/dev/tpmrm0, which shares them",
		    s->where, what);
	case TPM2_RC_BAD_AUTH:
	case TPM2_RC_AUTH_FAIL:
		return tpm_fail(t, TPM_FAILED, "the TPM wants a password (%s): the owner "
		    "hierarchy or the key at 0x%08x has one; remove it (tpm2_changeauth), or "
		    "clear the TPM", what, TPM2_SRK_HANDLE);
	case TPM2_RC_INITIALIZE:
	case TPM2_RC_FAILURE:
		return tpm_fail(t, TPM_FAILED, "the TPM failed (%s: %s): restart the machine "
		    "(or the swtpm), and if that does not help, replace it", what,
		    Tss2_RC_Decode(rc));
	default:
		return tpm_fail(t, TPM_FAILED, "the TPM refused (%s: 0x%x %s): see docs/tpm.md",
		    what, rc, Tss2_RC_Decode(rc));
	}
}
