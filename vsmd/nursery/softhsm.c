/* softhsm.c - see softhsm.h */
#include "vsmd/nursery/softhsm.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"

static int
configure(const char *directory)
{
	char text[4096 + 256], path[32];
	int fd, n;

	n = snprintf(text, sizeof(text),
	    "directories.tokendir = %s\n"
	    "objectstore.backend = file\n"
	    "log.level = ERROR\n"
	    "slots.removable = false\n"
	    "slots.mechanisms = ALL\n"
	    "library.reset_on_fork = false\n",
	    directory);
	if (n < 0 || (size_t)n >= sizeof(text)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	/* Not close-on-exec or not does not matter: nothing is executed from here. */
	if ((fd = memfd_create("softhsm2.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING)) < 0)
		return -1;
	if (write(fd, text, (size_t)n) != n ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return setenv("SOFTHSM2_CONF", path, 1);
}

CK_FUNCTION_LIST *
softhsm_load(const char *library, const char *directory)
{
	CK_RV (*get)(CK_FUNCTION_LIST **);
	CK_FUNCTION_LIST *fl;
	void *dl, *sym;

	if (configure(directory) != 0) {
		log_error("SoftHSM2's configuration: %s", strerror(errno));
		return NULL;
	}
	if ((dl = dlopen(library, RTLD_NOW | RTLD_LOCAL)) == NULL ||
	    (sym = dlsym(dl, "C_GetFunctionList")) == NULL) {
		log_error("%s; install SoftHSM2 2.6 or set softhsm=", dlerror());
		return NULL;
	}
	memcpy(&get, &sym, sizeof(get));
	if (get(&fl) != CKR_OK) {
		log_error("%s: C_GetFunctionList failed", library);
		return NULL;
	}
	return fl;
}

CK_RV
softhsm_start(CK_FUNCTION_LIST *fl)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

	return fl->C_Initialize(&args);
}

int
softhsm_warm(void)
{
	static const char *const digests[] = {
	    "MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512"};
	static const char *const ciphers[] = {
	    "AES-256-CBC", "AES-256-ECB", "AES-256-CTR", "AES-256-GCM", "DES-EDE3-CBC"};
	static const char *const keys[] = {"RSA", "EC", "ED25519", "DSA", "DH"};
	uint8_t random[16];
	time_t now = time(NULL);
	struct tm tm;

	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
		EVP_MD_free(EVP_MD_fetch(NULL, digests[i], NULL));
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		EVP_CIPHER_free(EVP_CIPHER_fetch(NULL, ciphers[i], NULL));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		EVP_PKEY_CTX_free(EVP_PKEY_CTX_new_from_name(NULL, keys[i], NULL));
	/* The time zone's file, which C_GetTokenInfo would look for. */
	(void)gmtime_r(&now, &tm);
	tzset();
	return RAND_bytes(random, sizeof(random)) == 1 ? 0 : -1;
}
