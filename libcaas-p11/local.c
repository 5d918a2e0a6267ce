/* local.c - see local.h; the lists are in lists.c */
#include "libcaas-p11/local.h"

#include <string.h>

#include "libcaas-p11/module.h"

/* CK_C_INITIALIZE_ARGS as the specification has it; that of NSS's header has one member
 * more, which other callers do not pass. */
struct init_args {
	CK_CREATEMUTEX create;
	CK_DESTROYMUTEX destroy;
	CK_LOCKMUTEX take;
	CK_UNLOCKMUTEX give;
	CK_FLAGS flags;
	CK_VOID_PTR reserved;
};

CK_RV
local_C_Initialize(const struct arg *args)
{
	const struct init_args *init = args[0].ptr;
	struct lock_how how = {.callbacks = false};
	int given;

	if (init == NULL)
		return module_start(&how);
	if (init->reserved != NULL)
		return CKR_ARGUMENTS_BAD;
	given = (init->create != NULL) + (init->destroy != NULL) + (init->take != NULL) +
	    (init->give != NULL);
	if (given != 0 && given != 4)
		return CKR_ARGUMENTS_BAD;
	/* With the system's locks allowed they are better: several calls at a time. */
	if (given == 4 && !(init->flags & CKF_OS_LOCKING_OK))
		how = (struct lock_how){.callbacks = true, .create = init->create,
		    .destroy = init->destroy, .take = init->take, .give = init->give};
	return module_start(&how);
}

CK_RV
local_C_Finalize(const struct arg *args)
{
	if (!module_started())
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	if (args[0].ptr != NULL)
		return CKR_ARGUMENTS_BAD;
	return module_stop();
}

/* Text as the specification wants it: blanks behind, no NUL. */
static void
fill(CK_UTF8CHAR *dst, size_t size, const char *text)
{
	size_t len = strlen(text);

	memset(dst, ' ', size);
	memcpy(dst, text, len < size ? len : size);
}

CK_RV
local_C_GetInfo(const struct arg *args)
{
	CK_INFO *info = args[0].ptr;

	if (module_enter() == NULL)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	module_leave();
	if (info == NULL)
		return CKR_ARGUMENTS_BAD;
	memset(info, 0, sizeof(*info));
	info->cryptokiVersion.major = 2;
	info->cryptokiVersion.minor = 40;
	fill(info->manufacturerID, sizeof(info->manufacturerID), "CaaS");
	fill(info->libraryDescription, sizeof(info->libraryDescription),
	    "CaaS virtual HSM");
	info->libraryVersion.major = CAAS_VERSION_MAJOR;
	info->libraryVersion.minor = CAAS_VERSION_MINOR;
	return CKR_OK;
}

CK_RV
local_C_WaitForSlotEvent(const struct arg *args)
{
	/* Nobody would wake a thread that waits; that is said before anything else. */
	if (!(args[0].len & CKF_DONT_BLOCK))
		return CKR_FUNCTION_NOT_SUPPORTED;
	if (module_enter() == NULL)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	module_leave();
	return CKR_NO_EVENT;
}
