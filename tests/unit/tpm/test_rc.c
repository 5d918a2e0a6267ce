/* test_rc.c - what return codes mean, for both kinds of TPM; nothing is contacted. */
#include "rig.h"

#include <string.h>
#include <trousers/tss.h>
#include <tss2/tss2_esys.h>

#include "tpm/tpm12/tpm12.h"
#include "tpm/tpm2/tpm2.h"

static char where[] = "device:/dev/x";

static enum tpm_result
two(TSS2_RC rc)
{
	struct tpm2 s = {.where = where, .srk = ESYS_TR_NONE};
	struct tpm t = {.state = &s};
	enum tpm_result r = tpm2_fail(&t, rc, "doing it");

	assert_true(strlen(t.error) > 30 && strlen(t.error) < TPM_ERROR_MAX - 1);
	assert_non_null(strstr(t.error, "doing it"));
	return r;
}

static enum tpm_result
one(TSS_RESULT rc)
{
	struct tpm12 s = {.host = "localhost", .port = "30003"};
	struct tpm t = {.state = &s};
	enum tpm_result r = tpm12_fail(&t, rc, "doing it");

	assert_true(strlen(t.error) > 30 && strlen(t.error) < TPM_ERROR_MAX - 1);
	assert_non_null(strstr(t.error, "doing it"));
	return r;
}

static void
test_tpm2_results(void **state)
{
	(void)state;
	assert_int_equal(two(0x921), TPM_LOCKOUT);
	assert_int_equal(two(0x922), TPM_BUSY);
	assert_int_equal(two(0x908), TPM_BUSY);
	assert_int_equal(two(0x90a), TPM_BUSY);
	assert_int_equal(two(0x902), TPM_BUSY);
	assert_int_equal(two(0x903), TPM_BUSY);
	assert_int_equal(two(0xa000a), TPM_ABSENT);
	assert_int_equal(two(0x101), TPM_FAILED);
	assert_int_equal(two(0x9a2), TPM_FAILED);
	assert_int_equal(two(0x70005), TPM_FAILED);
	/* As a resource manager passes it on. */
	assert_int_equal(two(0xc0921), TPM_LOCKOUT);
}

static void
test_tpm2_states(void **state)
{
	(void)state;
	assert_true(tpm2_wrong_state(0x99d));
	assert_true(tpm2_wrong_state(0x1c4));
	assert_true(tpm2_wrong_state(0x128));
	assert_true(tpm2_wrong_state(0x907));
	assert_false(tpm2_wrong_state(0));
	assert_false(tpm2_wrong_state(0x921));
	assert_false(tpm2_wrong_state(0xa000a));
	assert_true(tpm2_wrong_key(0x9a2));
	assert_true(tpm2_wrong_key(0x18b));
	assert_false(tpm2_wrong_key(0x1df));
	assert_false(tpm2_wrong_key(0x921));
}

/* Only "later" is waited for, and not for ever. */
static void
test_patience(void **state)
{
	struct tpm2_retry r = {0};
	unsigned waited = 0;

	(void)state;
	assert_false(tpm2_again(&r, 0));
	assert_false(tpm2_again(&r, 0x99d));
	assert_true(tpm2_again(&r, 0x922));
	assert_true(r.waited > 0);
	r.waited = 60000;
	assert_false(tpm2_again(&r, 0x922));
	assert_false(tpm12_again(&waited, TPM_E_WRONGPCRVAL));
	assert_true(tpm12_again(&waited, TPM_E_RETRY));
	waited = 60000;
	assert_false(tpm12_again(&waited, TPM_E_RETRY));
}

static void
test_tpm12_results(void **state)
{
	(void)state;
	assert_int_equal(one(TPM_E_NOSRK), TPM_FAILED);
	assert_int_equal(one(TPM_E_AUTHFAIL), TPM_FAILED);
	assert_int_equal(one(TPM_E_DISABLED), TPM_FAILED);
	assert_int_equal(one(TPM_E_DEFEND_LOCK_RUNNING), TPM_LOCKOUT);
	assert_int_equal(one(TPM_E_RETRY), TPM_BUSY);
	assert_int_equal(one(TSP_ERROR(TSS_E_COMM_FAILURE)), TPM_ABSENT);
	assert_int_equal(one(TSS_LAYER_TDDL | 0x87), TPM_ABSENT);
	assert_int_equal(one(TCS_ERROR(TSS_E_PS_KEY_NOTFOUND)), TPM_FAILED);
	assert_true(tpm12_wrong_state(TPM_E_WRONGPCRVAL));
	assert_true(tpm12_wrong_state(TPM_E_BAD_LOCALITY));
	assert_false(tpm12_wrong_state(TPM_E_AUTHFAIL));
	/* 0x18 of another layer is something else. */
	assert_false(tpm12_wrong_state(TSS_LAYER_TSP | 0x18));
}

static void
test_every_result_has_a_sentence(void **state)
{
	(void)state;
	for (int r = TPM_OK; r <= TPM_FAILED; r++)
		assert_true(strlen(tpm_result_text((enum tpm_result)r)) > 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tpm2_results),
	    cmocka_unit_test(test_tpm2_states),
	    cmocka_unit_test(test_patience),
	    cmocka_unit_test(test_tpm12_results),
	    cmocka_unit_test(test_every_result_has_a_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
