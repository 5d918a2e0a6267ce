/*
 * takenover.c - a PKCS#11 module in the place of SoftHSM2 that does what an attacker would
 * do who runs code in a worker: the first byte given to C_SeedRandom says what.
 *
 * CKR_OK: it worked.  CKR_FUNCTION_FAILED: it was denied.  Killed: no answer.
 */
#include "takenover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/pkcs11.h"

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ret);

static CK_RV
initialize(void *args)
{
	(void)args;
	return CKR_OK;
}

static CK_RV
get_slot_list(CK_BBOOL present, CK_SLOT_ID *list, CK_ULONG *n)
{
	(void)present;
	if (list != NULL)
		list[0] = 0;
	*n = 1;
	return CKR_OK;
}

static CK_RV
get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	(void)slot;
	memset(info, 0, sizeof(*info));
	info->flags = CKF_TOKEN_INITIALIZED;
	return CKR_OK;
}

static bool
open_file(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The last part of the token directory's path tells where its neighbour is. */
static bool
open_beside(const char *name, int flags)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", getenv("TAKENOVER_DIR"), name);
	return open_file(path, flags);
}

static bool
attempt(enum attempt what)
{
	switch (what) {
	case TRY_OWN_SLOT:
		return open_beside("slot/file", O_RDWR | O_CREAT);
	case TRY_PASSWD:
		return open_file("/etc/passwd", O_RDONLY);
	case TRY_OTHER_SLOT:
		return open_beside("other/secret", O_RDONLY);
	case TRY_WRITE_OTHER:
		return open_beside("other/new", O_WRONLY | O_CREAT);
	case TRY_MEMORY:
		return open_file("/proc/self/mem", O_RDWR);
	case TRY_PARENT_MEMORY: {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/mem", getppid());
		return open_file(path, O_RDONLY);
	}
	case TRY_SOCKET:
		return socket(AF_INET, SOCK_STREAM, 0) >= 0;
	case TRY_UNIX_SOCKET:
		return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
	case TRY_KILL:
		return kill(getppid(), SIGTERM) == 0;
	case TRY_PTRACE:
		return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
	case TRY_EXEC:
		return execl("/bin/true", "true", (char *)NULL) == 0;
	case TRY_FORK:
		return fork() >= 0;
	case TRY_DUMPABLE:
		return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
	}
	return false;
}

static CK_RV
seed_random(CK_SESSION_HANDLE session, CK_BYTE *seed, CK_ULONG len)
{
	(void)session;
	return len == 1 && attempt(seed[0]) ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
    .C_Initialize = initialize,
    .C_GetSlotList = get_slot_list,
    .C_GetTokenInfo = get_token_info,
    .C_SeedRandom = seed_random,
};

__attribute__((visibility("default"))) CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **ret)
{
	*ret = &functions;
	return CKR_OK;
}
