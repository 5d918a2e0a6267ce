/* test_seed.c - where the TPM's random bytes go: each part to one, and to nobody when there are
 * none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <cmocka.h>

#include "common/log.h"
#include "vsmd/store/seed.h"

#define POOL 4711 /* a descriptor that is none */

static enum tpm_result result;
static bool no_pool;
static uint8_t pool[64];
static size_t pool_len;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *p, size_t len);
ssize_t __wrap_write(int fd, const void *p, size_t len);

int
__wrap_open(const char *path, int flags, ...)
{
	if (strcmp(path, "/dev/urandom") == 0 && (flags & O_ACCMODE) == O_WRONLY)
		return no_pool ? -1 : POOL;
	return __real_open(path, flags);
}

ssize_t
__wrap_write(int fd, const void *p, size_t len)
{
	if (fd != POOL)
		return __real_write(fd, p, len);
	assert_true(len <= sizeof(pool));
	memcpy(pool, p, len);
	pool_len = len;
	return (ssize_t)len;
}

enum tpm_result
tpm_random(struct tpm *t, void *out, size_t len)
{
	uint8_t *p = out;

	assert_null(t);
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)i;
	return result;
}

const char *
tpm_error(struct tpm *t)
{
	(void)t;
	return "as the test wants";
}

static unsigned
reseeds(EVP_RAND_CTX *drbg)
{
	unsigned n = 0;
	OSSL_PARAM params[] = {OSSL_PARAM_construct_uint(OSSL_DRBG_PARAM_RESEED_COUNTER, &n),
	    OSSL_PARAM_construct_end()};

	assert_int_equal(EVP_RAND_CTX_get_params(drbg, params), 1);
	return n;
}

/* Where keys come from takes it over with the next byte, here and in a child. */
static void
test_reaches_keys(void **state)
{
	EVP_RAND_CTX *first = RAND_get0_primary(NULL), *keys = RAND_get0_private(NULL);
	uint8_t seed[SEED_LEN] = {1}, byte;
	unsigned before, after;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(RAND_priv_bytes(&byte, 1), 1);
	before = reseeds(keys);
	assert_int_equal(RAND_priv_bytes(&byte, 1), 1);
	assert_int_equal(reseeds(keys), before);
	after = reseeds(first);
	seed_mix(seed);
	assert_int_equal(reseeds(first), after + 1);
	assert_int_equal(RAND_priv_bytes(&byte, 1), 1);
	assert_int_not_equal(reseeds(keys), before);
	if ((pid = fork()) == 0) {
		seed_mix(seed);
		_exit(RAND_priv_bytes(&byte, 1) == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_parts(void **state)
{
	uint8_t ret[SEED_LEN];
	unsigned before = reseeds(RAND_get0_primary(NULL));

	(void)state;
	result = TPM_OK;
	assert_true(seed_draw(NULL, ret));
	assert_int_equal(pool_len, SEED_LEN);
	assert_int_equal(pool[0], 0);
	assert_int_equal(ret[0], 2 * SEED_LEN);
	assert_int_equal(reseeds(RAND_get0_primary(NULL)), before + 1);
}

static void
test_no_pool(void **state)
{
	uint8_t ret[SEED_LEN];

	(void)state;
	no_pool = true;
	assert_true(seed_draw(NULL, ret));
	no_pool = false;
}

static void
test_none(void **state)
{
	uint8_t ret[SEED_LEN] = {9};
	unsigned before = reseeds(RAND_get0_primary(NULL));

	(void)state;
	result = TPM_BUSY;
	pool_len = 0;
	assert_false(seed_draw(NULL, ret));
	assert_int_equal(pool_len, 0);
	assert_int_equal(ret[0], 9);
	assert_int_equal(reseeds(RAND_get0_primary(NULL)), before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_reaches_keys),
	    cmocka_unit_test(test_parts), cmocka_unit_test(test_no_pool),
	    cmocka_unit_test(test_none)};

	log_level(LOG_ERR_);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
