/* connect.c - a connection to a TPM 2.0, made, made again, closed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_sys.h>
#include <unistd.h>

#include "common/log.h"
#include "tpm/tis/tcti_tis.h"
#include "tpm/tpm2/tpm2.h"

#define TIS "tis:"

/* All handles of a kind, by the first that there may be. */
static TSS2_RC
flush_kind(struct tpm2 *s, TPM2_HANDLE first)
{
	TPMS_CAPABILITY_DATA *cap;
	TSS2_SYS_CONTEXT *sys;
	TSS2_RC rc = Esys_GetSysContext(s->esys, &sys);

	if (rc != TSS2_RC_SUCCESS)
		return rc;
	TPM2_TRY(rc, Esys_GetCapability(s->esys, NO_SESSIONS, TPM2_CAP_HANDLES, first,
	    TPM2_MAX_CAP_HANDLES, NULL, &cap));
	if (rc != TSS2_RC_SUCCESS)
		return rc;
	for (UINT32 j = 0; j < cap->data.handles.count; j++)
		(void)Tss2_Sys_FlushContext(sys, cap->data.handles.handle[j]);
	Esys_Free(cap);
	return rc;
}

/*
 * A TPM without resource manager keeps what a client that died had loaded, and has three
 * slots.  We are its only user, so what is loaded now is nobody's.
 */
static TSS2_RC
flush_stale(struct tpm2 *s)
{
	static const TPM2_HANDLE first[] = {TPM2_TRANSIENT_FIRST, TPM2_LOADED_SESSION_FIRST,
	    TPM2_ACTIVE_SESSION_FIRST};
	TSS2_RC rc = TSS2_RC_SUCCESS;

	for (size_t i = 0; rc == TSS2_RC_SUCCESS && i < 3; i++)
		rc = flush_kind(s, first[i]);
	return rc;
}

/* How many of them there is room for; `least' where the TPM does not say. */
static UINT32
room(struct tpm2 *s, TPM2_PT property, UINT32 least)
{
	TPMS_CAPABILITY_DATA *cap;
	UINT32 n = least;
	TSS2_RC rc;

	TPM2_TRY(rc, Esys_GetCapability(
	    s->esys, NO_SESSIONS, TPM2_CAP_TPM_PROPERTIES, property, 1, NULL, &cap));
	if (rc != TSS2_RC_SUCCESS)
		return least;
	if (cap->data.tpmProperties.count > 0 &&
	    cap->data.tpmProperties.tpmProperty[0].property == property)
		n = cap->data.tpmProperties.tpmProperty[0].value;
	Esys_Free(cap);
	return n;
}

/*
 * A TPM that others use too, by its registers: a domain that was destroyed has left what it had
 * loaded, and nobody gives it back.  Where there is no room for us, it goes.  A kernel that shares
 * the TPM has nothing loaded between two commands, and by its device only what is ours is seen.
 */
static TSS2_RC
make_room(struct tpm2 *s)
{
	static const struct {
		TPM2_PT property;
		UINT32 least; /* a key to be loaded, and the one below which it is */
		TPM2_HANDLE first;
	} kinds[] = {{TPM2_PT_HR_TRANSIENT_AVAIL, 2, TPM2_TRANSIENT_FIRST},
	    {TPM2_PT_HR_LOADED_AVAIL, 1, TPM2_LOADED_SESSION_FIRST}};
	TSS2_RC rc = TSS2_RC_SUCCESS;

	for (size_t i = 0; rc == TSS2_RC_SUCCESS && i < 2; i++) {
		if (room(s, kinds[i].property, kinds[i].least) >= kinds[i].least)
			continue;
		log_warn("TPM: its slots are held by who has died: freeing them");
		rc = flush_kind(s, kinds[i].first);
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
	if (rc == TSS2_RC_SUCCESS)
		rc = s->local ? flush_stale(s) : make_room(s);
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
