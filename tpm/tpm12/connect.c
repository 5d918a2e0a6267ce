/* connect.c - a libtspi context with the SRK loaded, made, made again, closed. */
#include <stdlib.h>
#include <string.h>
#include <trousers/tss.h>
#include <trousers/trousers.h>

#include "tpm/tpm12/tpm12.h"

static BYTE well_known[TPM_SHA1_160_HASH_LEN] = TSS_WELL_KNOWN_SECRET;

TSS_RESULT
tpm12_well_known(struct tpm12 *s, TSS_HOBJECT object)
{
	TSS_HPOLICY policy;
	TSS_RESULT rc;

	rc = Tspi_Context_CreateObject(s->context, TSS_OBJECT_TYPE_POLICY, TSS_POLICY_USAGE,
	    &policy);
	if (rc == TSS_SUCCESS)
		rc = Tspi_Policy_SetSecret(policy, TSS_SECRET_MODE_SHA1, sizeof(well_known),
		    well_known);
	if (rc == TSS_SUCCESS)
		rc = Tspi_Policy_AssignToObject(policy, object);
	return rc;
}

static TSS_RESULT
connect_to(struct tpm12 *s)
{
	unsigned len = (unsigned)strlen(s->host) + 1;
	UNICODE *host;
	TSS_RESULT rc;

	/* libtspi takes the port from nowhere else. */
	if (setenv("TSS_TCSD_PORT", s->port, 1) != 0)
		return TSP_ERROR(TSS_E_OUTOFMEMORY);
	host = (UNICODE *)(void *)Trspi_Native_To_UNICODE((BYTE *)s->host, &len);
	if (host == NULL)
		return TSP_ERROR(TSS_E_OUTOFMEMORY);
	rc = Tspi_Context_Connect(s->context, host);
	free(host);
	return rc;
}

static TSS_RESULT
load_srk(struct tpm12 *s)
{
	static const TSS_UUID uuid = TSS_UUID_SRK;
	TSS_RESULT rc;

	TPM12_TRY(rc, Tspi_Context_LoadKeyByUUID(s->context, TSS_PS_TYPE_SYSTEM, uuid, &s->srk));
	return rc == TSS_SUCCESS ? tpm12_well_known(s, s->srk) : rc;
}

enum tpm_result
tpm12_connect(struct tpm *t)
{
	struct tpm12 *s = t->state;
	enum tpm_result r;
	TSS_RESULT rc;

	if (s->context != 0)
		return TPM_OK;
	rc = Tspi_Context_Create(&s->context);
	if (rc != TSS_SUCCESS) {
		s->context = 0;
		return tpm12_fail(t, rc, "making a context");
	}
	rc = connect_to(s);
	if (rc == TSS_SUCCESS)
		rc = Tspi_Context_GetTpmObject(s->context, &s->tpm);
	if (rc == TSS_SUCCESS)
		rc = load_srk(s);
	if (rc == TSS_SUCCESS)
		return TPM_OK;
	r = tpm12_fail(t, rc, "connecting");
	tpm12_disconnect(s);
	return r;
}

void
tpm12_disconnect(struct tpm12 *s)
{
	if (s->context != 0) {
		(void)Tspi_Context_FreeMemory(s->context, NULL);
		(void)Tspi_Context_Close(s->context);
	}
	s->context = 0;
	s->tpm = 0;
	s->srk = 0;
}
