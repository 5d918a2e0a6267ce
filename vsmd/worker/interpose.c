/* interpose.c - see interpose.h */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "vsmd/worker/interpose.h"

#include <dlfcn.h>
#include <openssl/dh.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/msg.h"
#include "vsmd/worker/gate.h"

#define EXPORT __attribute__((visibility("default")))

static struct {
	__typeof__(RSA_generate_key_ex) *rsa;
	__typeof__(EC_KEY_generate_key) *ec;
	__typeof__(EVP_PKEY_keygen) *evp;
	__typeof__(DSA_generate_parameters_ex) *dsa_params;
	__typeof__(DSA_generate_key) *dsa;
	__typeof__(DH_generate_parameters_ex) *dh_params;
	__typeof__(DH_generate_key) *dh;
	__typeof__(RSA_set0_key) *set_rsa;
	__typeof__(BN_mod_exp) *mod_exp;
} real;
static atomic_uint generated;
static atomic_bool exits_at_once;

bool
interpose_find(const char *name, void *ret)
{
	void *p = dlsym(RTLD_NEXT, name);

	/* A function although its type says data. */
	memcpy(ret, &p, sizeof(p));
	return p != NULL;
}

int
interpose_init(void)
{
	if (interpose_find("RSA_generate_key_ex", &real.rsa) &&
	    interpose_find("EC_KEY_generate_key", &real.ec) &&
	    interpose_find("EVP_PKEY_keygen", &real.evp) &&
	    interpose_find("DSA_generate_parameters_ex", &real.dsa_params) &&
	    interpose_find("DSA_generate_key", &real.dsa) &&
	    interpose_find("DH_generate_parameters_ex", &real.dh_params) &&
	    interpose_find("DH_generate_key", &real.dh) &&
	    interpose_find("RSA_set0_key", &real.set_rsa) &&
	    interpose_find("BN_mod_exp", &real.mod_exp))
		return 0;
	log_error("libcrypto lacks a function that SoftHSM2 calls; install OpenSSL 3.0");
	return -1;
}

unsigned
interpose_generated(void)
{
	return atomic_load(&generated);
}

static bool
begin(const void *found)
{
	if (found == NULL && interpose_init() != 0)
		return false;
	atomic_fetch_add(&generated, 1);
	gate_pause();
	return true;
}

static int
end(int rc)
{
	gate_resume();
	return rc;
}

EXPORT int
RSA_generate_key_ex(RSA *rsa, int bits, BIGNUM *e, BN_GENCB *cb)
{
	return begin(real.rsa) ? end(real.rsa(rsa, bits, e, cb)) : 0;
}

EXPORT int
EC_KEY_generate_key(EC_KEY *key)
{
	return begin(real.ec) ? end(real.ec(key)) : 0;
}

EXPORT int
EVP_PKEY_keygen(EVP_PKEY_CTX *ctx, EVP_PKEY **ppkey)
{
	return begin(real.evp) ? end(real.evp(ctx, ppkey)) : 0;
}

EXPORT int
DSA_generate_parameters_ex(DSA *dsa, int bits, const unsigned char *seed, int seed_len,
    int *counter_ret, unsigned long *h_ret, BN_GENCB *cb)
{
	return begin(real.dsa_params)
	           ? end(real.dsa_params(dsa, bits, seed, seed_len, counter_ret, h_ret, cb))
	           : 0;
}

EXPORT int
DSA_generate_key(DSA *a)
{
	return begin(real.dsa) ? end(real.dsa(a)) : 0;
}

EXPORT int
DH_generate_parameters_ex(DH *dh, int prime_len, int generator, BN_GENCB *cb)
{
	return begin(real.dh_params) ? end(real.dh_params(dh, prime_len, generator, cb)) : 0;
}

EXPORT int
DH_generate_key(DH *dh)
{
	return begin(real.dh) ? end(real.dh(dh)) : 0;
}

/* OpenSSL refuses a key without these two, and SoftHSM2 does not look whether it did. */
EXPORT int
RSA_set0_key(RSA *r, BIGNUM *n, BIGNUM *e, BIGNUM *d)
{
	bool no_n = n == NULL && RSA_get0_n(r) == NULL;
	bool no_e = e == NULL && RSA_get0_e(r) == NULL;
	int rc;

	if (real.set_rsa == NULL && interpose_init() != 0)
		return 0;
	if (no_n)
		n = BN_new();
	if (no_e)
		e = BN_new();
	if ((rc = real.set_rsa(r, n, e, d)) != 1) {
		if (no_n)
			BN_free(n);
		if (no_e)
			BN_free(e);
	}
	return rc;
}

/* Of a private key of DSA or DH, to make the public one. */
EXPORT int
BN_mod_exp(BIGNUM *r, const BIGNUM *a, const BIGNUM *p, const BIGNUM *m, BN_CTX *ctx)
{
	if (r == NULL || a == NULL || p == NULL || m == NULL ||
	    (real.mod_exp == NULL && interpose_init() != 0))
		return 0;
	return real.mod_exp(r, a, p, m, ctx);
}

void
interpose_exit_at_once(void)
{
	atomic_store(&exits_at_once, true);
}

/* Not before: a thread that writes to the token leaves its mark, and what SoftHSM2 has wiped
 * under its hands is taken back with it. */
EXPORT void
exit(int status)
{
	__typeof__(exit) *real_exit;

	if (atomic_load(&exits_at_once) || !interpose_find("exit", &real_exit)) {
		log_error("exit(%d) by the token library, or an error before: this worker ends",
		    status);
		_exit(M_WORKER_GAVE_UP);
	}
	real_exit(status);
	abort(); /* it does not return, but its type does not say so */
}

static void __attribute__((format(printf, 1, 0)))
to_log(const char *fmt, va_list ap)
{
	char line[512], quoted[1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	log_debug("softhsm: %s", log_quote(quoted, sizeof(quoted), line, strlen(line)));
}

void openlog(const char *ident, int option, int facility);
void closelog(void);
void syslog(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void vsyslog(int priority, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
void __syslog_chk(int priority, int flag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void __vsyslog_chk(int priority, int flag, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));

EXPORT void
openlog(const char *ident, int option, int facility)
{
	(void)ident;
	(void)option;
	(void)facility;
}

EXPORT void
closelog(void)
{
}

EXPORT void
vsyslog(int priority, const char *fmt, va_list ap)
{
	(void)priority;
	to_log(fmt, ap);
}

EXPORT void
syslog(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsyslog(priority, fmt, ap);
	va_end(ap);
}

EXPORT void
__vsyslog_chk(int priority, int flag, const char *fmt, va_list ap)
{
	(void)flag;
	vsyslog(priority, fmt, ap);
}

EXPORT void
__syslog_chk(int priority, int flag, const char *fmt, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, fmt);
	vsyslog(priority, fmt, ap);
	va_end(ap);
}
