/*
 * faketpm12.c - see faketpm.h: libtspi.
 *
 * What it gives out is the context's, until it is given back or the context is closed; but
 * what Tspi_NV_ReadValue() gives it keeps no account of, as version 0.3.15 does not.
 */
#include <stdlib.h>
#include <string.h>
#include <trousers/tss.h>
#include <trousers/trousers.h>

#include "faketpm.h"

#define GIVEN 64

static struct {
	TSS_HCONTEXT open;
	uint32_t next;
	void *given[GIVEN];
	uint8_t sealed[256];
	UINT32 sealed_len;
	uint8_t area[48];
} tpm;

void
faketpm12_begin(void)
{
	memset(&tpm, 0, sizeof(tpm));
}

static void
take_back_all(void)
{
	for (unsigned i = 0; i < GIVEN; i++) {
		free(tpm.given[i]);
		tpm.given[i] = NULL;
	}
}

void
faketpm12_end(void)
{
	if (tpm.open != 0)
		abort();
	take_back_all();
}

/* Of exactly that length. */
static void *
give(size_t len)
{
	void *p = faketpm_bytes(len > 0 ? len : 1);

	for (unsigned i = 0; i < GIVEN; i++)
		if (tpm.given[i] == NULL)
			return tpm.given[i] = p;
	abort(); /* nothing is ever given back */
}

static TSS_RESULT
object(TSS_HOBJECT *ret)
{
	TSS_RESULT rc = faketpm_code();

	if (rc == TSS_SUCCESS)
		*ret = ++tpm.next;
	return rc;
}

static TSS_RESULT
of(TSS_HCONTEXT c)
{
	if (c == 0 || c != tpm.open)
		abort();
	return faketpm_code();
}

TSS_RESULT
Tspi_Context_Create(TSS_HCONTEXT *ret)
{
	TSS_RESULT rc = object(ret);

	if (rc == TSS_SUCCESS)
		tpm.open = *ret;
	return rc;
}

TSS_RESULT
Tspi_Context_Close(TSS_HCONTEXT c)
{
	TSS_RESULT rc = of(c);

	take_back_all();
	tpm.open = 0;
	return rc;
}

TSS_RESULT
Tspi_Context_Connect(TSS_HCONTEXT c, TSS_UNICODE *where)
{
	(void)where;
	return of(c);
}

TSS_RESULT
Tspi_Context_FreeMemory(TSS_HCONTEXT c, BYTE *p)
{
	if (c == 0 || c != tpm.open)
		abort();
	if (p == NULL)
		take_back_all();
	for (unsigned i = 0; p != NULL && i < GIVEN; i++)
		if (tpm.given[i] == p) {
			free(p);
			tpm.given[i] = NULL;
			return TSS_SUCCESS;
		}
	return p == NULL ? TSS_SUCCESS : TSP_ERROR(TSS_E_INVALID_RESOURCE);
}

TSS_RESULT
Tspi_Context_CreateObject(TSS_HCONTEXT c, TSS_FLAG type, TSS_FLAG flags, TSS_HOBJECT *ret)
{
	(void)type;
	(void)flags;
	return c == tpm.open ? object(ret) : TSP_ERROR(TSS_E_INVALID_HANDLE);
}

TSS_RESULT
Tspi_Context_CloseObject(TSS_HCONTEXT c, TSS_HOBJECT o)
{
	(void)o;
	return of(c);
}

TSS_RESULT
Tspi_Context_GetTpmObject(TSS_HCONTEXT c, TSS_HTPM *ret)
{
	(void)c;
	return object(ret);
}

TSS_RESULT
Tspi_Context_LoadKeyByUUID(TSS_HCONTEXT c, TSS_FLAG storage, TSS_UUID uuid, TSS_HKEY *ret)
{
	(void)c;
	(void)storage;
	(void)uuid;
	return object(ret);
}

TSS_RESULT
Tspi_GetPolicyObject(TSS_HOBJECT o, TSS_FLAG type, TSS_HPOLICY *ret)
{
	(void)o;
	(void)type;
	return object(ret);
}

TSS_RESULT
Tspi_Policy_SetSecret(TSS_HPOLICY p, TSS_FLAG mode, UINT32 len, BYTE *secret)
{
	(void)p;
	(void)mode;
	(void)len;
	(void)secret;
	return faketpm_code();
}

TSS_RESULT
Tspi_Policy_AssignToObject(TSS_HPOLICY p, TSS_HOBJECT o)
{
	(void)p;
	(void)o;
	return faketpm_code();
}

TSS_RESULT
Tspi_SetAttribUint32(TSS_HOBJECT o, TSS_FLAG flag, TSS_FLAG sub, UINT32 v)
{
	(void)o;
	(void)flag;
	(void)sub;
	(void)v;
	return faketpm_code();
}

TSS_RESULT
Tspi_SetAttribData(TSS_HOBJECT o, TSS_FLAG flag, TSS_FLAG sub, UINT32 len, BYTE *data)
{
	volatile uint8_t sum = 0;

	(void)o;
	(void)flag;
	(void)sub;
	for (UINT32 i = 0; i < len; i++) /* all of it is there */
		sum = (uint8_t)(sum + data[i]);
	return faketpm_code();
}

/* The sealed blob. */
TSS_RESULT
Tspi_GetAttribData(TSS_HOBJECT o, TSS_FLAG flag, TSS_FLAG sub, UINT32 *len, BYTE **ret)
{
	TSS_RESULT rc = faketpm_code();

	(void)o;
	(void)flag;
	(void)sub;
	if (rc != TSS_SUCCESS)
		return rc;
	*len = faketpm_honest() ? 300 : (UINT32)faketpm_size(3000);
	*ret = give(*len);
	return rc;
}

TSS_RESULT
Tspi_Data_Seal(TSS_HENCDATA d, TSS_HKEY key, UINT32 len, BYTE *data, TSS_HPCRS pcrs)
{
	(void)d;
	(void)key;
	(void)pcrs;
	if (len > sizeof(tpm.sealed))
		abort();
	memcpy(tpm.sealed, data, len);
	tpm.sealed_len = len;
	return faketpm_code();
}

TSS_RESULT
Tspi_Data_Unseal(TSS_HENCDATA d, TSS_HKEY key, UINT32 *len, BYTE **ret)
{
	TSS_RESULT rc = faketpm_code();
	bool honest;

	(void)d;
	(void)key;
	if (rc != TSS_SUCCESS)
		return rc;
	honest = faketpm_honest();
	*len = honest ? tpm.sealed_len : (UINT32)faketpm_size(300);
	*ret = give(*len);
	if (honest)
		memcpy(*ret, tpm.sealed, *len);
	return rc;
}

TSS_RESULT
Tspi_PcrComposite_SelectPcrIndexEx(TSS_HPCRS p, UINT32 index, UINT32 direction)
{
	(void)p;
	(void)index;
	(void)direction;
	return faketpm_code();
}

TSS_RESULT
Tspi_PcrComposite_SetPcrLocality(TSS_HPCRS p, UINT32 locality)
{
	(void)p;
	(void)locality;
	return faketpm_code();
}

TSS_RESULT
Tspi_PcrComposite_SetPcrValue(TSS_HPCRS p, UINT32 index, UINT32 len, BYTE *value)
{
	return Tspi_SetAttribData(p, index, 0, len, value);
}

TSS_RESULT
Tspi_TPM_GetCapability(
    TSS_HTPM t, TSS_FLAG area, UINT32 sub_len, BYTE *sub, UINT32 *len, BYTE **ret)
{
	TSS_RESULT rc = faketpm_code();

	(void)t;
	(void)area;
	(void)sub_len;
	(void)sub;
	if (rc != TSS_SUCCESS)
		return rc;
	*len = faketpm_honest() ? 4 : (UINT32)faketpm_size(100);
	*ret = give(*len);
	return rc;
}

/* As many as were asked for: libtspi sees to that. */
TSS_RESULT
Tspi_TPM_GetRandom(TSS_HTPM t, UINT32 len, BYTE **ret)
{
	TSS_RESULT rc = faketpm_code();

	(void)t;
	if (rc == TSS_SUCCESS)
		*ret = give(len);
	return rc;
}

TSS_RESULT
Tspi_TPM_PcrRead(TSS_HTPM t, UINT32 index, UINT32 *len, BYTE **ret)
{
	TSS_RESULT rc = faketpm_code();

	(void)t;
	(void)index;
	if (rc != TSS_SUCCESS)
		return rc;
	*len = faketpm_honest() ? 20 : (UINT32)faketpm_size(100);
	*ret = give(*len);
	return rc;
}

TSS_RESULT
Tspi_TPM_PcrExtend(TSS_HTPM t, UINT32 index, UINT32 data_len, BYTE *data, TSS_PCR_EVENT *event,
    UINT32 *len, BYTE **ret)
{
	(void)data_len;
	(void)data;
	(void)event;
	return Tspi_TPM_PcrRead(t, index, len, ret);
}

TSS_RESULT
Tspi_NV_DefineSpace(TSS_HNVSTORE nv, TSS_HPCRS read, TSS_HPCRS write)
{
	(void)nv;
	(void)read;
	(void)write;
	return faketpm_code();
}

TSS_RESULT
Tspi_NV_ReleaseSpace(TSS_HNVSTORE nv)
{
	(void)nv;
	return faketpm_code();
}

TSS_RESULT
Tspi_NV_WriteValue(TSS_HNVSTORE nv, UINT32 offset, UINT32 len, BYTE *data)
{
	(void)nv;
	if (offset != 0 || len != sizeof(tpm.area))
		abort();
	memcpy(tpm.area, data, len);
	return faketpm_code();
}

TSS_RESULT
Tspi_NV_ReadValue(TSS_HNVSTORE nv, UINT32 offset, UINT32 *len, BYTE **ret)
{
	TSS_RESULT rc = faketpm_code();

	(void)nv;
	(void)offset;
	if (rc != TSS_SUCCESS)
		return rc;
	if (faketpm_honest()) {
		*ret = faketpm_bytes(*len);
		memcpy(*ret, tpm.area, *len < sizeof(tpm.area) ? *len : sizeof(tpm.area));
	} else {
		*len = (UINT32)faketpm_size(100);
		*ret = faketpm_bytes(*len);
	}
	return rc;
}
