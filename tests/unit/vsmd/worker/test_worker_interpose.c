/* test_worker_interpose.c - SoftHSM2 calls our functions first */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "rig.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vsmd/msg.h"
#include "vsmd/nursery/softhsm.h"
#include "vsmd/worker/interpose.h"

static char dir[] = "/tmp/test_interpose.XXXXXX";
static char gate_path[64];
static struct gate_file file;

/* A key with a modulus of no bytes can be made; what is done with it fails. */
static void
use_of_nothing(CK_FUNCTION_LIST *fl, CK_SESSION_HANDLE s)
{
	CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
	CK_KEY_TYPE type = CKK_RSA;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	uint8_t e[] = {1, 0, 1}, data[16] = {0}, out[512];
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
	    {CKA_KEY_TYPE, &type, sizeof(type)}, {CKA_MODULUS, data, 0},
	    {CKA_PUBLIC_EXPONENT, e, sizeof(e)}, {CKA_ENCRYPT, &yes, 1},
	    {CKA_VERIFY, &yes, 1}, {CKA_PRIVATE, &no, 1}};
	CK_MECHANISM_TYPE mechs[] = {CKM_RSA_PKCS, CKM_RSA_X_509, CKM_SHA256_RSA_PKCS};
	CK_OBJECT_HANDLE key;

	assert_int_equal(fl->C_CreateObject(s, t, 7, &key), CKR_OK);
	for (size_t i = 0; i < 3; i++) {
		CK_MECHANISM m = {mechs[i], NULL, 0};
		CK_ULONG len = sizeof(out);

		if (fl->C_EncryptInit(s, &m, key) == CKR_OK)
			assert_int_not_equal(fl->C_Encrypt(s, data, 0, out, &len), CKR_OK);
		/* With more data than modulus SoftHSM2 gives up by exit(3). */
		if (mechs[i] != CKM_RSA_X_509 && fl->C_VerifyInit(s, &m, key) == CKR_OK)
			assert_int_not_equal(fl->C_Verify(s, data, sizeof(data), out, 0), CKR_OK);
	}
}

/* The same of a private key's prime, and of what is there beside it: SoftHSM2 would lose that. */
static void
use_of_no_prime(CK_FUNCTION_LIST *fl, CK_SESSION_HANDLE s)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_KEY_TYPE type = CKK_DSA;
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	uint8_t some[20] = {1, 2, 3}, out[512];
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
	    {CKA_KEY_TYPE, &type, sizeof(type)}, {CKA_PRIME, some, 0},
	    {CKA_SUBPRIME, some, 0}, {CKA_BASE, some, 0},
	    {CKA_VALUE, some, sizeof(some)}, {CKA_SIGN, &yes, 1}, {CKA_PRIVATE, &no, 1}};
	CK_MECHANISM m = {CKM_DSA, NULL, 0};
	CK_ULONG len = sizeof(out);
	CK_OBJECT_HANDLE key;

	assert_int_equal(fl->C_CreateObject(s, t, 8, &key), CKR_OK);
	if (fl->C_SignInit(s, &m, key) == CKR_OK)
		assert_int_not_equal(fl->C_Sign(s, some, sizeof(some), out, &len), CKR_OK);
}

static void
test_softhsm_binds_to_us(void **state)
{
	CK_FUNCTION_LIST *fl = softhsm_load(CAAS_SOFTHSM2, dir);
	CK_MECHANISM rsa = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
	CK_MECHANISM ec = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_ULONG bits = 1024;
	uint8_t e[] = {1, 0, 1}, p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
	CK_ATTRIBUTE rsa_t[] = {
	    {CKA_MODULUS_BITS, &bits, sizeof(bits)}, {CKA_PUBLIC_EXPONENT, e, sizeof(e)}};
	CK_ATTRIBUTE ec_t[] = {{CKA_EC_PARAMS, p256, sizeof(p256)}};
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE priv_t[] = {{CKA_PRIVATE, &no, 1}};
	CK_OBJECT_HANDLE pub, priv;
	CK_SESSION_HANDLE s;
	CK_SLOT_ID slots[4];
	CK_ULONG n = 4;
	unsigned before;

	(void)state;
	assert_non_null(fl);
	assert_int_equal(softhsm_start(fl), CKR_OK);
	assert_int_equal(fl->C_GetSlotList(CK_TRUE, slots, &n), CKR_OK);
	assert_int_equal(n, 1);
	assert_int_equal(fl->C_InitToken(slots[0], (CK_UTF8CHAR *)(uintptr_t)"12345678", 8,
			     (CK_UTF8CHAR *)(uintptr_t)"t                               "),
	    CKR_OK);
	assert_int_equal(fl->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
			     NULL, &s), CKR_OK);
	before = interpose_generated();
	assert_int_equal(
	    fl->C_GenerateKeyPair(s, &rsa, rsa_t, 2, priv_t, 1, &pub, &priv), CKR_OK);
	assert_int_equal(interpose_generated(), before + 1);
	assert_int_equal(
	    fl->C_GenerateKeyPair(s, &ec, ec_t, 1, priv_t, 1, &pub, &priv), CKR_OK);
	assert_int_equal(interpose_generated(), before + 2);
	use_of_nothing(fl, s);
	use_of_no_prime(fl, s);
	assert_int_equal(fl->C_Finalize(NULL), CKR_OK);
}

struct look {
	int fd;
	unsigned free, taken;
};

/* OpenSSL calls this while it computes. */
static int
look_at_gate(int a, int b, BN_GENCB *cb)
{
	struct look *l = BN_GENCB_get_arg(cb);

	(void)a;
	(void)b;
	if (flock(l->fd, LOCK_EX | LOCK_NB) == 0) {
		l->free++;
		flock(l->fd, LOCK_UN);
	} else {
		l->taken++;
	}
	return 1;
}

static void
test_gate_is_free_meanwhile(void **state)
{
	struct look l = {0};
	BN_GENCB *cb = BN_GENCB_new();
	BIGNUM *e = BN_new();
	RSA *rsa = RSA_new();
	struct gate g, other;

	(void)state;
	assert_int_equal(gate_open(&g, &file), 0);
	assert_int_equal(gate_open(&other, &file), 0);
	l.fd = other.fd;
	BN_set_word(e, 65537);
	BN_GENCB_set(cb, look_at_gate, &l);
	gate_enter(&g, GATE_EXCLUSIVE);
	assert_int_equal(RSA_generate_key_ex(rsa, 1024, e, cb), 1);
	assert_true(l.free > 0);
	assert_int_equal(l.taken, 0);
	assert_int_equal(g.held, GATE_EXCLUSIVE);
	assert_int_equal(flock(l.fd, LOCK_SH | LOCK_NB), -1);
	gate_leave(&g);
	gate_close(&g);
	gate_close(&other);
	RSA_free(rsa);
	BN_free(e);
	BN_GENCB_free(cb);
}

static void *
hash_it(void *ret)
{
	unsigned len = 0;
	HMAC_CTX *ctx = HMAC_CTX_new();

	if (ctx != NULL && HMAC_Init_ex(ctx, "key", 3, EVP_sha256(), NULL) == 1 &&
	    HMAC_Update(ctx, (const uint8_t *)"data", 4) == 1)
		(void)HMAC_Final(ctx, ret, &len);
	HMAC_CTX_free(ctx);
	return NULL;
}

/* Other processes of vsmd, whose threads ask for the real functions at once. */
static void
test_nobody_said_learn_init(void **state)
{
	uint8_t got[4][32] = {{0}}, right[32];
	pthread_t thread[4];
	unsigned len = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, hash_it, got[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	assert_non_null(HMAC(EVP_sha256(), "key", 3, (const uint8_t *)"data", 4, right, &len));
	for (int i = 0; i < 4; i++)
		assert_memory_equal(got[i], right, sizeof(right));
}

static void
destroyed(void)
{
	_exit(9);
}

/* What SoftHSM2 does after an exception of its own, while other threads use what is destroyed
 * by it. */
static int
status_of_exit(bool at_once)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (atexit(destroyed) != 0)
			_exit(1);
		if (at_once)
			interpose_exit_at_once();
		exit(5);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
test_exit_destroys_nothing(void **state)
{
	(void)state;
	assert_int_equal(status_of_exit(false), 9);
	assert_int_equal(status_of_exit(true), M_WORKER_GAVE_UP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nobody_said_learn_init),
	    cmocka_unit_test(test_softhsm_binds_to_us),
	    cmocka_unit_test(test_gate_is_free_meanwhile),
	    cmocka_unit_test(test_exit_destroys_nothing),
	};
	char command[160];
	int rc;

	if (mkdtemp(dir) == NULL || interpose_init() != 0)
		return 1;
	snprintf(gate_path, sizeof(gate_path), "%s.gate", dir);
	if (gate_file_open(&file, gate_path) != 0)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf %s %s", dir, gate_path);
	return system(command) == 0 ? rc : 1;
}
