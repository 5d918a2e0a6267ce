/* order.c, against what SoftHSM2 itself says to a session that does not exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcaas-p11/order.h"
#include "protocol/invoke.h"

static CK_FUNCTION_LIST *fl;
static char dir[] = "/tmp/caas-p11-order.XXXXXX";

/* Something valid of every kind, then each pointer of the row taken away in turn. */
static void
fill(const struct call *call, struct arg *args)
{
	static CK_BYTE room[1024];
	static CK_ULONG numbers[ARGS_MAX];
	static CK_MECHANISM mech = {CKM_SHA256, NULL, 0};

	memset(args, 0, ARGS_MAX * sizeof(*args));
	for (size_t i = 0; i < call_nargs(call); i++) {
		numbers[i] = 1;
		args[i].plen = &numbers[i];
		switch (call->args[i]) {
		case ARG_SLOT:
		case ARG_SESSION:
			args[i].len = 4711;
			break;
		case ARG_MECH:
			args[i].ptr = &mech;
			break;
		case ARG_ATTRS:
		case ARG_ATTRS_QUERY:
			memset(room, 0, sizeof(room));
			args[i].ptr = room;
			args[i].len = 0;
			break;
		case ARG_FLAGS:
			args[i].len = CKF_SERIAL_SESSION;
			break;
		case ARG_USER_TYPE:
			args[i].len = CKU_USER;
			break;
		case ARG_OBJECT:
			break;
		default:
			args[i].ptr = room;
			args[i].len = 1;
			break;
		}
	}
}

static void
compare(const struct call *call, struct arg *args)
{
	CK_RV theirs = call_invoke(call, fl, args), ours;

	ours = order_pointers_bad(call, args) ? CKR_ARGUMENTS_BAD :
	    call->where == WHERE_SLOT ? CKR_SLOT_ID_INVALID : CKR_SESSION_HANDLE_INVALID;
	if (ours != theirs)
		print_message("%s: 0x%lx, SoftHSM2 0x%lx\n", call->name, ours, theirs);
	assert_int_equal(ours, theirs);
}

static void
test_as_softhsm2(void **state)
{
	const struct call *calls;
	struct arg args[ARGS_MAX];
	size_t n;

	(void)state;
	calls = call_table(&n);
	for (size_t c = 0; c < n; c++) {
		if (calls[c].where != WHERE_SLOT && calls[c].where != WHERE_SESSION)
			continue;
		fill(&calls[c], args);
		compare(&calls[c], args);
		for (size_t i = 0; i < call_nargs(&calls[c]); i++) {
			/* Not before the slot, and not by us: see protocol/invoke.h. */
			if (calls[c].args[i] == ARG_LABEL)
				continue;
			fill(&calls[c], args);
			args[i].ptr = NULL;
			compare(&calls[c], args);
			fill(&calls[c], args);
			args[i].plen = NULL;
			compare(&calls[c], args);
			fill(&calls[c], args);
			if (calls[c].args[i] == ARG_ATTRS ||
			    calls[c].args[i] == ARG_ATTRS_QUERY) {
				args[i].ptr = NULL;
				args[i].len = 1;
				compare(&calls[c], args);
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_softhsm2)};
	char conf[64], command[96];
	CK_C_GetFunctionList get;
	int failed;
	void *lib;
	FILE *f;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(conf, sizeof(conf), "%s/conf", dir);
	if ((f = fopen(conf, "w")) == NULL)
		return 1;
	fprintf(f, "directories.tokendir = %s\n", dir);
	(void)fclose(f);
	(void)setenv("SOFTHSM2_CONF", conf, 1);
	if ((lib = dlopen(CAAS_SOFTHSM2, RTLD_NOW | RTLD_LOCAL)) == NULL)
		return 1;
	*(void **)&get = dlsym(lib, "C_GetFunctionList");
	if (get(&fl) != CKR_OK || fl->C_Initialize(NULL) != CKR_OK)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)fl->C_Finalize(NULL);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) != 0 || failed;
}
