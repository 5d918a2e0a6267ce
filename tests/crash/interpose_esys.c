/* interpose_esys.c - commands to a real TPM: a point before each, and one when it is done */
#include <tss2/tss2_esys.h>

#include "record.h"

TSS2_RC __real_Esys_NV_Extend(ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR index, ESYS_TR a,
    ESYS_TR b, ESYS_TR c, const TPM2B_MAX_NV_BUFFER *data);
TSS2_RC __real_Esys_NV_Increment(
    ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR index, ESYS_TR a, ESYS_TR b, ESYS_TR c);
TSS2_RC __real_Esys_NV_Read(ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR index, ESYS_TR a,
    ESYS_TR b, ESYS_TR c, UINT16 size, UINT16 offset, TPM2B_MAX_NV_BUFFER **data);
TSS2_RC __wrap_Esys_NV_Extend(ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR index, ESYS_TR a,
    ESYS_TR b, ESYS_TR c, const TPM2B_MAX_NV_BUFFER *data);
TSS2_RC __wrap_Esys_NV_Increment(
    ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR index, ESYS_TR a, ESYS_TR b, ESYS_TR c);
TSS2_RC __wrap_Esys_NV_Read(ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR index, ESYS_TR a,
    ESYS_TR b, ESYS_TR c, UINT16 size, UINT16 offset, TPM2B_MAX_NV_BUFFER **data);

TSS2_RC
__wrap_Esys_NV_Extend(ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR index, ESYS_TR a, ESYS_TR b,
    ESYS_TR c, const TPM2B_MAX_NV_BUFFER *data)
{
	TSS2_RC rc;

	(void)record_point();
	rc = __real_Esys_NV_Extend(esys, auth, index, a, b, c, data);
	(void)record_point();
	return rc;
}

TSS2_RC
__wrap_Esys_NV_Increment(
    ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR index, ESYS_TR a, ESYS_TR b, ESYS_TR c)
{
	TSS2_RC rc;

	(void)record_point();
	rc = __real_Esys_NV_Increment(esys, auth, index, a, b, c);
	(void)record_point();
	return rc;
}

TSS2_RC
__wrap_Esys_NV_Read(ESYS_CONTEXT *esys, ESYS_TR auth, ESYS_TR index, ESYS_TR a, ESYS_TR b,
    ESYS_TR c, UINT16 size, UINT16 offset, TPM2B_MAX_NV_BUFFER **data)
{
	TSS2_RC rc;

	(void)record_point();
	rc = __real_Esys_NV_Read(esys, auth, index, a, b, c, size, offset, data);
	(void)record_point();
	return rc;
}
