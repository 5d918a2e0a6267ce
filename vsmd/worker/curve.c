/* curve.c - see curve.h */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "vsmd/worker/curve.h"

#include <openssl/asn1.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/log.h"
#include "vsmd/worker/interpose.h"

#define EXPORT __attribute__((visibility("default")))

#define CURVES 16 /* those that come later are made anew each time */
#define PARAMS 64 /* bytes: the name of a curve; not its numbers, which a guest can choose */

static struct {
	pthread_once_t once;
	EC_GROUP *(*d2i)(EC_GROUP **, const unsigned char **, long);
	ASN1_PRINTABLESTRING *(*name)(ASN1_PRINTABLESTRING **, const unsigned char **, long);
} real = {.once = PTHREAD_ONCE_INIT};

/* Entered once and never changed, the first n of them. */
static struct {
	pthread_mutex_t lock; /* of who enters */
	atomic_size_t n;
	struct {
		unsigned char params[PARAMS];
		size_t len;
		EC_GROUP *group;
	} curve[CURVES];
	atomic_uint copies;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
find(void)
{
	(void)interpose_find("d2i_ECPKParameters", &real.d2i);
	(void)interpose_find("d2i_ASN1_PRINTABLESTRING", &real.name);
}

int
curve_init(void)
{
	pthread_once(&real.once, find);
	if (real.d2i != NULL && real.name != NULL)
		return 0;
	log_error("libcrypto lacks a function that SoftHSM2 calls; install OpenSSL 3.0");
	return -1;
}

unsigned
curve_copies(void)
{
	return atomic_load(&known.copies);
}

/* The place of these parameters, which say themselves where they end; CURVES: none. */
static size_t
place(const unsigned char *params, size_t len)
{
	size_t n = atomic_load(&known.n);

	for (size_t i = 0; i < n; i++)
		if (len >= known.curve[i].len &&
		    memcmp(params, known.curve[i].params, known.curve[i].len) == 0)
			return i;
	return CURVES;
}

static void
enter(const unsigned char *params, size_t len, const EC_GROUP *group)
{
	size_t n;

	if (len == 0 || len > PARAMS || EC_GROUP_get_curve_name(group) == NID_undef)
		return;
	pthread_mutex_lock(&known.lock);
	n = atomic_load(&known.n);
	if (n < CURVES && place(params, len) == CURVES &&
	    (known.curve[n].group = EC_GROUP_dup(group)) != NULL) {
		memcpy(known.curve[n].params, params, len);
		known.curve[n].len = len;
		atomic_store(&known.n, n + 1);
	}
	pthread_mutex_unlock(&known.lock);
}

EXPORT EC_GROUP *
d2i_ECPKParameters(EC_GROUP **ret, const unsigned char **in, long len)
{
	const unsigned char *params = in != NULL ? *in : NULL;
	EC_GROUP *group;
	size_t i;

	pthread_once(&real.once, find);
	if (real.d2i == NULL)
		return NULL;
	/* SoftHSM2 asks for a new one. */
	if (ret != NULL || params == NULL || len <= 0)
		return real.d2i(ret, in, len);
	i = place(params, (size_t)len);
	if (i < CURVES && (group = EC_GROUP_dup(known.curve[i].group)) != NULL) {
		*in = params + known.curve[i].len;
		atomic_fetch_add(&known.copies, 1);
		return group;
	}
	if ((group = real.d2i(NULL, in, len)) != NULL)
		enter(params, (size_t)(*in - params), group);
	return group;
}

EXPORT ASN1_PRINTABLESTRING *
d2i_ASN1_PRINTABLESTRING(ASN1_PRINTABLESTRING **ret, const unsigned char **in, long len)
{
	ASN1_PRINTABLESTRING *s;

	pthread_once(&real.once, find);
	if (real.name == NULL)
		return NULL;
	if ((s = real.name(ret, in, len)) != NULL || ret != NULL)
		return s;
	if ((s = ASN1_PRINTABLESTRING_new()) != NULL && !ASN1_STRING_set(s, "", 0)) {
		ASN1_PRINTABLESTRING_free(s);
		s = NULL;
	}
	return s;
}
