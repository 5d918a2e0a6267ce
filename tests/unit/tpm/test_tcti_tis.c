/* test_tcti_tis.c - the TCTI over simulated registers, and ESYS over it */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_esys.h>

#include "registers.h"
#include "tpm/tis/tcti_tis.h"
#include "tpm/tpm.h"

#define LEN 100

static struct registers r;
static TSS2_TCTI_CONTEXT *c;
static uint8_t cmd[LEN];

static int
setup(void **state)
{
	size_t size = 0;

	(void)state;
	registers_init(&r);
	registers_command(cmd, LEN);
	assert_int_equal(tcti_tis_over(NULL, &size, &registers_ops, &r, 2), TSS2_RC_SUCCESS);
	assert_non_null(c = malloc(size));
	assert_int_equal(tcti_tis_over(c, &size, &registers_ops, &r, 2), TSS2_RC_SUCCESS);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tcti_tis_close(c);
	assert_false(r.active);
	return 0;
}

static void
test_transmit_and_receive(void **state)
{
	uint8_t rsp[LEN] = {0};
	size_t size = 1;

	(void)state;
	assert_int_equal(Tss2_Tcti_Receive(c, &size, rsp, -1), TSS2_TCTI_RC_BAD_SEQUENCE);
	assert_int_equal(Tss2_Tcti_Transmit(c, LEN, cmd), TSS2_RC_SUCCESS);
	assert_int_equal(Tss2_Tcti_Transmit(c, LEN, cmd), TSS2_TCTI_RC_BAD_SEQUENCE);
	assert_int_equal(Tss2_Tcti_SetLocality(c, 2), TSS2_TCTI_RC_BAD_SEQUENCE);
	assert_int_equal(Tss2_Tcti_Receive(c, &size, rsp, 0), TSS2_TCTI_RC_TRY_AGAIN);
	/* The size alone; then too little room; then all, the TPM being free since. */
	assert_int_equal(Tss2_Tcti_Receive(c, &size, NULL, -1), TSS2_RC_SUCCESS);
	assert_int_equal(size, LEN);
	assert_false(r.active);
	size = LEN - 1;
	assert_int_equal(Tss2_Tcti_Receive(c, &size, rsp, -1), TSS2_TCTI_RC_INSUFFICIENT_BUFFER);
	assert_int_equal(size, LEN);
	assert_int_equal(rsp[1], 0);
	assert_int_equal(Tss2_Tcti_Receive(c, &size, rsp, -1), TSS2_RC_SUCCESS);
	assert_memory_equal(rsp + 10, cmd + 10, LEN - 10);
	assert_int_equal(Tss2_Tcti_Receive(c, &size, rsp, -1), TSS2_TCTI_RC_BAD_SEQUENCE);
	/* And again. */
	assert_int_equal(Tss2_Tcti_Transmit(c, LEN, cmd), TSS2_RC_SUCCESS);
	assert_int_equal(Tss2_Tcti_Receive(c, &size, rsp, -1), TSS2_RC_SUCCESS);
}

static void
test_arguments(void **state)
{
	TSS2_TCTI_POLL_HANDLE handle;
	size_t size = LEN;

	(void)state;
	assert_int_equal(Tss2_Tcti_SetLocality(c, 2), TSS2_RC_SUCCESS);
	assert_int_equal(Tss2_Tcti_SetLocality(c, 0), TSS2_TCTI_RC_BAD_VALUE);
	assert_int_equal(Tss2_Tcti_SetLocality(c, 3), TSS2_TCTI_RC_BAD_VALUE);
	assert_int_equal(
	    Tss2_Tcti_GetPollHandles(c, &handle, &size), TSS2_TCTI_RC_NOT_IMPLEMENTED);
	assert_int_equal(Tss2_Tcti_Transmit(c, LEN - 1, cmd), TSS2_TCTI_RC_BAD_VALUE);
	assert_int_equal(Tss2_Tcti_Transmit(c, LEN, NULL), TSS2_TCTI_RC_BAD_REFERENCE);
	assert_int_equal(Tss2_Tcti_Cancel(c), TSS2_TCTI_RC_BAD_SEQUENCE);
	assert_int_equal(Tss2_Tcti_Transmit(c, LEN, cmd), TSS2_RC_SUCCESS);
	assert_int_equal(Tss2_Tcti_Receive(c, NULL, NULL, -1), TSS2_TCTI_RC_BAD_REFERENCE);
	assert_int_equal(Tss2_Tcti_Receive(c, &size, NULL, -2), TSS2_TCTI_RC_BAD_VALUE);
}

static void
test_cancel(void **state)
{
	uint8_t rsp[LEN];
	size_t size = LEN;

	(void)state;
	r.takes = 100000;
	assert_int_equal(Tss2_Tcti_Transmit(c, LEN, cmd), TSS2_RC_SUCCESS);
	assert_int_equal(Tss2_Tcti_Cancel(c), TSS2_RC_SUCCESS);
	assert_int_equal(Tss2_Tcti_Receive(c, &size, rsp, -1), TSS2_RC_SUCCESS);
	assert_memory_equal(rsp + 6, "\0\0\x09\x09", 4);
	/* What nobody received is given up at the end (teardown). */
	assert_int_equal(Tss2_Tcti_Transmit(c, LEN, cmd), TSS2_RC_SUCCESS);
	assert_true(r.active);
}

static void
test_faults(void **state)
{
	static const struct {
		enum fault fault;
		TSS2_RC rc;
	} rows[] = {{NOBODY, TSS2_TCTI_RC_NO_CONNECTION}, {NO_ROOM, TSS2_TCTI_RC_IO_ERROR},
	    {NEVER_ANSWERS, TSS2_TCTI_RC_IO_ERROR}, {LONGER, TSS2_TCTI_RC_MALFORMED_RESPONSE}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t rsp[LEN];
		size_t size = LEN;
		TSS2_RC rc;

		r.fault = rows[i].fault;
		rc = Tss2_Tcti_Transmit(c, LEN, cmd);
		if (rc == TSS2_RC_SUCCESS)
			rc = Tss2_Tcti_Receive(c, &size, rsp, -1);
		assert_int_equal(rc, rows[i].rc);
		r.fault = SOUND;
		assert_int_equal(Tss2_Tcti_Transmit(c, LEN, cmd), TSS2_RC_SUCCESS);
		assert_int_equal(Tss2_Tcti_Receive(c, &size, rsp, -1), TSS2_RC_SUCCESS);
	}
}

/* ESYS takes it; the simulated TPM refuses, which is what is heard of it. */
static void
test_esys(void **state)
{
	TPM2B_DIGEST *bytes;
	ESYS_CONTEXT *esys;

	(void)state;
	setenv("TSS2_LOG", "all+none", 1);
	assert_int_equal(Esys_Initialize(&esys, c, NULL), TSS2_RC_SUCCESS);
	r.code = TPM2_RC_LOCALITY;
	assert_int_equal(Esys_GetRandom(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, 8,
	    &bytes), TPM2_RC_LOCALITY);
	assert_int_equal(r.commands, 1);
	Esys_Finalize(&esys);
}

static void
test_the_library(void **state)
{
	TSS2_TCTI_INFO_FUNC f;
	size_t size = 0;
	void *so = dlopen(CAAS_TCTI, RTLD_NOW | RTLD_LOCAL), *p;

	(void)state;
	assert_non_null(so);
	assert_non_null(p = dlsym(so, TSS2_TCTI_INFO_SYMBOL));
	memcpy(&f, &p, sizeof(f));
	assert_string_equal(f()->name, "caas-tis");
	assert_int_equal(f()->init(NULL, &size, NULL), TSS2_RC_SUCCESS);
	assert_true(size > TIS_MAX);
	dlclose(so);
}

static void
test_addresses(void **state)
{
	struct tpm *t;

	(void)state;
	assert_int_equal(tpm_open("tpm2:tis:/nonexistent:0xfed42000", &t), TPM_ABSENT);
	assert_int_equal(tpm_open("tpm2:tis:nonsense", &t), TPM_ABSENT);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_transmit_and_receive),
	    T(test_arguments),
	    T(test_cancel),
	    T(test_faults),
	    T(test_esys),
	    T(test_the_library),
	    T(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
