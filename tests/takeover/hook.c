/* hook.c - see hook.h */
#include "hook.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "protocol/pkcs11.h"

/* Made before the fork. */
static struct shared {
	_Atomic long number; /* the last that was begun */
	char says[HOOK_SAYS];
} *shared;

static CK_FUNCTION_LIST real, hooked;

void
said(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(shared->says, sizeof(shared->says), format, ap);
	va_end(ap);
}

void
said_rc(long rc)
{
	if (rc < 0)
		said("%s", strerrorname_np(errno));
	else
		said("OK");
}

char *
next_word(char **arg)
{
	char *word;

	do
		word = strsep(arg, " \n");
	while (word != NULL && *word == '\0');
	return word;
}

long
next_number(char **arg)
{
	const char *word = next_word(arg);

	return word != NULL ? strtol(word, NULL, 0) : 0;
}

static int
find_attempt(const struct attempt *a, const char *name, char *arg)
{
	for (; a->name != NULL; a++)
		if (strcmp(a->name, name) == 0) {
			a->act(arg);
			return 1;
		}
	return 0;
}

static void
run(char *arg)
{
	long number = next_number(&arg);
	const char *name = next_word(&arg);

	/* The worker before this one did not come back from it. */
	if (atomic_exchange(&shared->number, number) == number || name == NULL)
		return;
	said(HOOK_GONE);
	if (!find_attempt(file_attempts, name, arg) &&
	    !find_attempt(pipe_attempts, name, arg) &&
	    !find_attempt(call_attempts, name, arg) && !call_attempt(name, arg))
		said("no attempt %s", name);
}

static CK_RV
seed(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG len)
{
	static const char hook[] = "hook ";
	char line[4096];

	if (len < sizeof(hook) || len >= sizeof(line) || memcmp(data, hook, sizeof(hook) - 1) != 0)
		return real.C_SeedRandom(session, data, len);
	memcpy(line, data, len);
	line[len] = '\0';
	run(line + sizeof(hook) - 1);
	return CKR_OK;
}

static CK_RV
generate(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG len)
{
	if (len != HOOK_SAYS)
		return real.C_GenerateRandom(session, data, len);
	memcpy(data, shared->says, HOOK_SAYS);
	return CKR_OK;
}

__attribute__((visibility("default"))) CK_RV
C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ret)
{
	void *dl = dlopen(CAAS_SOFTHSM2, RTLD_NOW | RTLD_LOCAL), *sym;
	CK_RV (*get)(CK_FUNCTION_LIST **);
	CK_FUNCTION_LIST *list;

	if (dl == NULL || (sym = dlsym(dl, "C_GetFunctionList")) == NULL)
		return CKR_GENERAL_ERROR;
	memcpy(&get, &sym, sizeof(get));
	if (get(&list) != CKR_OK)
		return CKR_GENERAL_ERROR;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return CKR_HOST_MEMORY;
	real = hooked = *list;
	hooked.C_SeedRandom = seed;
	hooked.C_GenerateRandom = generate;
	*ret = &hooked;
	return CKR_OK;
}
