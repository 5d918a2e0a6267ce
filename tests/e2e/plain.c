/* plain.c - see plain.h */
#include "plain.h"

#include <dlfcn.h>
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/names.h"

CK_FUNCTION_LIST *p11;
CK_SLOT_ID slot;

double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void
must(CK_RV rv, const char *what)
{
	if (rv != CKR_OK)
		errx(2, "%s: %s", what, ck_rv_name(rv));
}

void
load(const char *file)
{
	CK_C_GetFunctionList get;
	void *lib = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (lib == NULL)
		errx(2, "%s", dlerror());
	*(void **)&get = dlsym(lib, "C_GetFunctionList");
	if (get == NULL)
		errx(2, "%s: no PKCS#11 module", file);
	must(get(&p11), "C_GetFunctionList");
}

void
find_slot(const char *label)
{
	CK_SLOT_ID slots[64];
	CK_ULONG n = 64;
	CK_TOKEN_INFO info;

	must(p11->C_GetSlotList(CK_TRUE, slots, &n), "C_GetSlotList");
	for (CK_ULONG i = 0; i < n; i++)
		if (p11->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
		    memcmp(info.label, label, strlen(label)) == 0 &&
		    info.label[strlen(label)] == ' ') {
			slot = slots[i];
			return;
		}
	errx(2, "no token %s", label);
}

int
number_of(const char *text, int most, const char *usage)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end != '\0' || n < 1 || n > most)
		errx(2, "%s", usage);
	return (int)n;
}
