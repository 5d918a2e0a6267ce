/* connect.c - a connection to a TPM 2.0, made, made again, closed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_sys.h>
#include <unistd.h>

#include "tpm/tis/tcti_tis.h"
#include "tpm/tpm2/tpm2.h"

#define TIS "tis:"

/*
 * A TPM without resource manager keeps what a client that died had loaded, and has three
 * slots.  We are its only user, so what is loaded now is nobody's.
 */
static TSS2_RC
flush_stale(struct tpm2 *s)
{
	static const UINT32 first[] = {TPM2_TRANSIENT_FIRST, TPM2_LOADED_SESSION_FIRST,
	    TPM2_ACTIVE_SESSION_FIRST};
	TSS2_SYS_CONTEXT *sys;
	TSS2_RC rc = Esys_GetSysContext(s->esys, &sys);

	for (size_t i = 0; rc == TSS2_RC_SUCCESS && i < 3; i++) {
		TPMS_CAPABILITY_DATA *cap;

		TPM2_TRY(rc, Esys_GetCapability(s->esys, NO_SESSIONS, TPM2_CAP_HANDLES,
		    first[i], TPM2_MAX_CAP_HANDLES, NULL, &cap));
		if (rc != TSS2_RC_SUCCESS)
			break;
		for (UINT32 j = 0; j < cap->data.handles.count; j++)
			(void)Tss2_Sys_FlushContext(sys, cap->data.handles.handle[j]);
		Esys_Free(cap);
	}
	return rc;
}

/* tctildr does not say why a device would not open. */
static enum tpm_result
check_device(struct tpm *t)
{
	struct tpm2 *s = t->state;
	const char *path;
	int fd;

	if (strncmp(s->where, "device:", 7) != 0)
		return TPM_OK;
	path = s->where + 7;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return TPM_OK;
	}
	switch (errno) {
	case EBUSY:
		return tpm_fail(t, TPM_BUSY, "%s is held by another process: use "
		    "tpm2:device:/dev/tpmrm0, which shares the TPM", path);
	case EACCES:
	case EPERM:
		return tpm_fail(t, TPM_ABSENT, "%s may not be opened by this user: give vsmd "
		    "the group tss, or start it as root", path);
	default:
		return tpm_fail(t, TPM_ABSENT, "%s: %s: is the TPM enabled in the firmware, and "
		    "the address right?", path, strerror(errno));
	}
}

const char *
tpm2_tis(const char *where)
{
	if (strncmp(where, TIS, strlen(TIS)) != 0)
		return NULL;
	return where[strlen(TIS)] != '\0' ? where + strlen(TIS) : TIS_PAGE_DEFAULT;
}

/* s->tcti, by one of our own or by a library that is loaded. */
static enum tpm_result
open_tcti(struct tpm *t)
{
	struct tpm2 *s = t->state;
	const char *page = tpm2_tis(s->where);
	char why[TIS_PAGE_WHY];
	enum tpm_result r;
	TSS2_RC rc;

	if (page != NULL) {
		s->tcti = tcti_tis_open(page, why);
		return s->tcti != NULL ? TPM_OK : tpm_fail(t, TPM_ABSENT, "%s", why);
	}
	if ((r = check_device(t)) != TPM_OK)
		return r;
	rc = Tss2_TctiLdr_Initialize(s->where, &s->tcti);
	if (rc == TSS2_RC_SUCCESS)
		return TPM_OK;
	s->tcti = NULL;
	return tpm_fail(t, TPM_ABSENT, "no TPM answers at tpm2:%s (%s): start it, correct the "
	    "address, or install the package libtss2-tcti-* for it", s->where,
	    Tss2_RC_Decode(rc));
}

static void
close_tcti(struct tpm2 *s)
{
	if (tpm2_tis(s->where) == NULL)
		Tss2_TctiLdr_Finalize(&s->tcti);
	else
		tcti_tis_close(s->tcti);
	s->tcti = NULL;
}

enum tpm_result
tpm2_connect(struct tpm *t)
{
	struct tpm2 *s = t->state;
	enum tpm_result r;
	TSS2_RC rc;

	if (s->esys != NULL)
		return TPM_OK;
	if ((r = open_tcti(t)) != TPM_OK)
		return r;
	tpm2_context_use(true);
	rc = Esys_Initialize(&s->esys, s->tcti, NULL);
	if (rc != TSS2_RC_SUCCESS) {
		s->esys = NULL;
		tpm2_disconnect(s);
		return tpm2_fail(t, rc, "connecting");
	}
	TPM2_TRY(rc, Esys_Startup(s->esys, TPM2_SU_CLEAR));
	if (tpm2_code(rc) == TPM2_RC_INITIALIZE)
		rc = TSS2_RC_SUCCESS; /* started already, as on every real machine */
	if (rc == TSS2_RC_SUCCESS && s->local)
		rc = flush_stale(s);
	if (rc != TSS2_RC_SUCCESS) {
		r = tpm2_fail(t, rc, "starting it");
		tpm2_disconnect(s);
		return r;
	}
	return TPM_OK;
}

void
tpm2_disconnect(struct tpm2 *s)
{
	if (s->esys != NULL)
		Esys_Finalize(&s->esys);
	if (s->tcti != NULL) {
		close_tcti(s);
		tpm2_context_use(false);
	}
	s->srk = s->anchor_session = s->anchor[0] = s->anchor[1] = ESYS_TR_NONE;
	s->locality = 0;
}

void
tpm2_flush(struct tpm2 *s, ESYS_TR *handle)
{
	if (*handle != ESYS_TR_NONE && s->esys != NULL)
		(void)Esys_FlushContext(s->esys, *handle);
	*handle = ESYS_TR_NONE;
}

bool
tpm2_set_locality(struct tpm2 *s, uint8_t locality)
{
	if (s->fixed >= 0)
		return locality == s->fixed;
	if (s->esys == NULL || !s->local)
		return locality == 0;
	if (locality == s->locality)
		return true;
	if (Tss2_Tcti_SetLocality(s->tcti, locality) != TSS2_RC_SUCCESS)
		return false;
	s->locality = locality;
	return true;
}

void
tpm2_overwrite(struct tpm2 *s)
{
	TPMS_CAPABILITY_DATA *cap;

	if (Esys_GetCapability(s->esys, NO_SESSIONS, TPM2_CAP_COMMANDS, TPM2_CC_FIRST,
		TPM2_MAX_CAP_CC, NULL, &cap) == TSS2_RC_SUCCESS)
		Esys_Free(cap);
}
