/* lists.c - the function lists of 2.40 and 3.0, and who asks for them */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "libcaas-p11/local.h"

/* The list of 2.40 is the beginning of that of 3.0, so one initialiser, made from
 * calls.def, serves both. */
_Static_assert(offsetof(CK_FUNCTION_LIST, C_Initialize) ==
	offsetof(CK_FUNCTION_LIST_3_0, C_Initialize), "same beginning");
_Static_assert(offsetof(CK_FUNCTION_LIST, C_WaitForSlotEvent) ==
	offsetof(CK_FUNCTION_LIST_3_0, C_WaitForSlotEvent), "same beginning");

#define CALL(number, name, where, class, gate, flags, args) .name = name,
static CK_FUNCTION_LIST_3_0 list_2_40 = {
    .version = {2, 40},
#include "protocol/calls.def"
};
static CK_FUNCTION_LIST_3_0 list_3_0 = {
    .version = {3, 0},
#include "protocol/calls.def"
};
#undef CALL

static CK_UTF8CHAR interface_name[] = "PKCS 11";

/* The first one is what is meant when nothing is asked for.  Not CKF_INTERFACE_FORK_SAFE:
 * session objects do not survive a fork. */
static CK_INTERFACE interfaces[] = {
    {(CK_CHAR *)interface_name, &list_3_0, 0},
    {(CK_CHAR *)interface_name, &list_2_40, 0},
};

#define NINTERFACES (sizeof(interfaces) / sizeof(interfaces[0]))

CK_RV
local_C_GetFunctionList(const struct arg *args)
{
	CK_FUNCTION_LIST **ret = args[0].ptr;

	if (ret == NULL)
		return CKR_ARGUMENTS_BAD;
	*ret = (CK_FUNCTION_LIST *)(void *)&list_2_40;
	return CKR_OK;
}

CK_RV
local_C_GetInterfaceList(const struct arg *args)
{
	CK_INTERFACE *ret = args[0].ptr;
	CK_ULONG *count = args[0].plen, room;

	if (count == NULL)
		return CKR_ARGUMENTS_BAD;
	room = *count;
	*count = NINTERFACES;
	if (ret == NULL)
		return CKR_OK;
	if (room < NINTERFACES)
		return CKR_BUFFER_TOO_SMALL;
	memcpy(ret, interfaces, sizeof(interfaces));
	return CKR_OK;
}

static bool
is_asked_for(const CK_INTERFACE *i, const char *name, const CK_VERSION *version,
    CK_FLAGS flags)
{
	const CK_VERSION *v = i->pFunctionList; /* each list begins with it */

	if (name != NULL && strcmp(name, (const char *)i->pInterfaceName) != 0)
		return false;
	if (version != NULL && (version->major != v->major || version->minor != v->minor))
		return false;
	return (flags & ~i->flags) == 0;
}

CK_RV
local_C_GetInterface(const struct arg *args)
{
	CK_INTERFACE **ret = args[2].ptr;

	if (ret == NULL)
		return CKR_ARGUMENTS_BAD;
	for (size_t i = 0; i < NINTERFACES; i++) {
		if (is_asked_for(&interfaces[i], args[0].ptr, args[1].ptr, args[3].len)) {
			*ret = &interfaces[i];
			return CKR_OK;
		}
	}
	return CKR_FUNCTION_FAILED;
}
