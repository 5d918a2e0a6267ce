/* test_names.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/names.h"

static void
names_both_ways(void **state)
{
	CK_ULONG v;

	(void)state;
	assert_string_equal(ck_rv_name(CKR_OK), "CKR_OK");
	assert_string_equal(ck_rv_name(CKR_PIN_INCORRECT), "CKR_PIN_INCORRECT");
	assert_string_equal(ck_mech_name(CKM_SHA256_RSA_PKCS), "CKM_SHA256_RSA_PKCS");
	assert_string_equal(ck_class_name(CKO_PRIVATE_KEY), "CKO_PRIVATE_KEY");
	assert_string_equal(ck_key_type_name(CKK_EC), "CKK_EC");
	assert_string_equal(ck_attr_name(CKA_LABEL), "CKA_LABEL");
	assert_true(ckm_parse("CKM_RSA_PKCS", &v) && v == CKM_RSA_PKCS);
	assert_true(ckm_parse("CKM_DES3_CMAC", &v) && v == 0x138);
	assert_true(ckr_parse("CKR_OK", &v) && v == CKR_OK);
	assert_true(cko_parse("CKO_SECRET_KEY", &v) && v == CKO_SECRET_KEY);
	assert_true(ckk_parse("CKK_AES", &v) && v == CKK_AES);
	assert_true(cka_parse("CKA_WRAP_TEMPLATE", &v) && v == CKA_WRAP_TEMPLATE);
}

static void
aliases_are_understood(void **state)
{
	CK_ULONG v;

	(void)state;
	assert_true(ckk_parse("CKK_ECDSA", &v) && v == CKK_EC);
	assert_true(ckm_parse("CKM_ECDSA_KEY_PAIR_GEN", &v) && v == CKM_EC_KEY_PAIR_GEN);
}

static void
numbers_and_strangers(void **state)
{
	char text[CK_NAME_MAX];
	CK_ULONG v;

	(void)state;
	assert_true(ckm_parse("0x1057", &v) && v == CKM_EDDSA);
	assert_true(ckm_parse("1", &v) && v == 1);
	assert_false(ckm_parse("", &v));
	assert_false(ckm_parse("CKM_NO_SUCH", &v));
	assert_false(ckm_parse("CKA_LABEL", &v));
	assert_false(ckm_parse("-1", &v));
	assert_false(ckm_parse(" 1", &v));
	assert_false(ckm_parse("1x", &v));
	assert_false(ckm_parse("0x1ffffffffffffffff", &v));
	assert_string_equal(ck_mech_name(0x7fffffff), "CKM_?");
	assert_string_equal(ck_rv_name(0x7fffffff), "CKR_?");
	assert_string_equal(ck_mech_text(text, 0xdead), "0xdead");
	assert_string_equal(ck_mech_text(text, CKM_AES_CBC), "CKM_AES_CBC");
}

static void
every_mechanism_parses_to_itself(void **state)
{
	CK_MECHANISM_TYPE type;
	const char *name;
	size_t i;
	CK_ULONG v;

	(void)state;
	for (i = 0; (name = ck_mech_name_at(i, &type)) != NULL; i++) {
		assert_true(ckm_parse(name, &v));
		assert_int_equal(v, type);
		assert_true(strlen(name) < CK_NAME_MAX);
	}
	assert_true(i > 400);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_both_ways),
	    cmocka_unit_test(aliases_are_understood),
	    cmocka_unit_test(numbers_and_strangers),
	    cmocka_unit_test(every_mechanism_parses_to_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
