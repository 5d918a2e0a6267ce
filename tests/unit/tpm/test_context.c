/* test_context.c - library contexts of OpenSSL are one while a TPM is connected, and else not */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "tpm2_group.h"

static void
one_each(void)
{
	OSSL_LIB_CTX *a = OSSL_LIB_CTX_new(), *b = OSSL_LIB_CTX_new();

	assert_non_null(a);
	assert_non_null(b);
	assert_ptr_not_equal(a, b);
	OSSL_LIB_CTX_free(a);
	OSSL_LIB_CTX_free(b);
	OSSL_LIB_CTX_free(NULL);
}

static void
test_one_while_connected(void **state)
{
	OSSL_LIB_CTX *a, *b;
	struct tpm *t;
	EVP_MD *md;

	(void)state;
	one_each();
	for (int i = 0; i < 2; i++) {
		t = must_open(tpm_a.address);
		a = OSSL_LIB_CTX_new();
		b = OSSL_LIB_CTX_new();
		assert_ptr_equal(a, b);
		OSSL_LIB_CTX_free(a);
		md = EVP_MD_fetch(b, "SHA256", NULL);
		assert_non_null(md);
		EVP_MD_free(md);
		tpm_close(t);
		one_each();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_one_while_connected, tpm2_setup, tpm2_teardown),
	};

	return cmocka_run_group_tests(tests, tpm2_group_setup, tpm2_group_teardown);
}
