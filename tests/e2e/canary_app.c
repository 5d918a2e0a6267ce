/*
 * canary_app.c - see canary.h: an application that uses secrets, and keeps none
 *
 *	init                    C_Initialize, a session
 *	login|setpin|initpin    with the secrets of these names
 *	plant token|session     make keys there
 *	find                    find those of the token again
 *	use                     each of them in each way
 *	destroy                 all that plant and use have made
 *	logout, finalize
 */
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "canary.h"
#include "planted.h"
#include "plain.h"
#include "protocol/names.h"

#define COUNT(t) (sizeof(t) / sizeof((t)[0]))
#define WORDS 3
#define NAMES 8 /* secrets of one call */
#define MADE 64

typedef CK_RV command(char *argv[WORDS]);

static CK_SESSION_HANDLE session;
static const char *failed; /* the call that did */
static uint8_t scratch[NAMES][PLANTED_LEN];
static size_t scratched;
static CK_OBJECT_HANDLE made[MADE];
static size_t nmade;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_BYTE iv[16];

/* Remember which call failed, for whoever reads. */
static CK_RV
was(const char *what, CK_RV rv)
{
	if (rv != CKR_OK)
		failed = what;
	return rv;
}

/* In clear until forget(). */
static uint8_t *
bare(const struct planted *p)
{
	if (scratched == NAMES)
		errx(2, "too many secrets at once");
	planted_bare(p, scratch[scratched]);
	return scratch[scratched++];
}

static void
forget(void)
{
	explicit_bzero(scratch, sizeof(scratch));
	scratched = 0;
}

static const struct planted *
part(const char *name, const char *which)
{
	char full[48];

	snprintf(full, sizeof(full), "%s.%s", name, which);
	return planted_find(full);
}

static CK_ATTRIBUTE
attribute(CK_ATTRIBUTE_TYPE type, const struct planted *p)
{
	return (CK_ATTRIBUTE){type, bare(p), p->len};
}

/* For do_destroy(), if it was made. */
static CK_RV
remember(CK_RV rv, CK_OBJECT_HANDLE o)
{
	if (rv == CKR_OK && nmade < MADE)
		made[nmade++] = o;
	return rv;
}

/* What every key has, and what is its own; the name is its label. */
static CK_RV
create(const char *name, CK_OBJECT_CLASS class, CK_KEY_TYPE type, const CK_ATTRIBUTE *own,
    size_t n)
{
	CK_BBOOL *token = strncmp(name, "token.", 6) == 0 ? &yes : &no;
	CK_BBOOL *open = strcmp(name, "session.generic") == 0 ? &yes : &no;
	CK_ATTRIBUTE t[32] = {{CKA_CLASS, &class, sizeof(class)},
	    {CKA_KEY_TYPE, &type, sizeof(type)}, {CKA_TOKEN, token, 1},
	    {CKA_PRIVATE, &yes, 1}, {CKA_SENSITIVE, open == &yes ? &no : &yes, 1},
	    {CKA_EXTRACTABLE, &yes, 1},
	    {CKA_LABEL, (void *)(uintptr_t)name, strlen(name)}};
	CK_OBJECT_HANDLE o = 0;
	CK_RV rv;

	memcpy(&t[7], own, n * sizeof(*own));
	rv = was("C_CreateObject", p11->C_CreateObject(session, t, 7 + n, &o));
	forget();
	return remember(rv, o);
}

static CK_RV
plant_rsa(const char *name)
{
	CK_ATTRIBUTE own[] = {attribute(CKA_MODULUS, part(name, "n")),
	    attribute(CKA_PUBLIC_EXPONENT, part(name, "e")),
	    attribute(CKA_PRIVATE_EXPONENT, part(name, "d")),
	    attribute(CKA_PRIME_1, part(name, "p")), attribute(CKA_PRIME_2, part(name, "q")),
	    attribute(CKA_EXPONENT_1, part(name, "dp")),
	    attribute(CKA_EXPONENT_2, part(name, "dq")),
	    attribute(CKA_COEFFICIENT, part(name, "qinv")), {CKA_SIGN, &yes, 1},
	    {CKA_DECRYPT, &yes, 1}};

	return create(name, CKO_PRIVATE_KEY, CKK_RSA, own, COUNT(own));
}

static CK_RV
plant_ec(const char *name)
{
	static CK_BYTE p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
	CK_ATTRIBUTE own[] = {{CKA_EC_PARAMS, p256, sizeof(p256)},
	    attribute(CKA_VALUE, part(name, "d")), {CKA_SIGN, &yes, 1},
	    {CKA_DERIVE, &yes, 1}};

	return create(name, CKO_PRIVATE_KEY, CKK_EC, own, COUNT(own));
}

static CK_RV
plant_edwards(const char *name)
{
	static CK_BYTE curve[] = "\x13\x0c" "edwards25519";
	CK_ATTRIBUTE own[] = {{CKA_EC_PARAMS, curve, sizeof(curve) - 1},
	    attribute(CKA_VALUE, planted_find(name)), {CKA_SIGN, &yes, 1}};

	return create(name, CKO_PRIVATE_KEY, CKK_EC_EDWARDS, own, COUNT(own));
}

static CK_RV
plant_secret(const char *name, CK_KEY_TYPE type)
{
	CK_ATTRIBUTE aes[] = {attribute(CKA_VALUE, planted_find(name)), {CKA_ENCRYPT, &yes, 1},
	    {CKA_DECRYPT, &yes, 1}, {CKA_WRAP, &yes, 1}, {CKA_UNWRAP, &yes, 1}};
	CK_ATTRIBUTE generic[] = {aes[0], {CKA_SIGN, &yes, 1}};

	return type == CKK_AES ? create(name, CKO_SECRET_KEY, type, aes, COUNT(aes))
	                       : create(name, CKO_SECRET_KEY, type, generic, COUNT(generic));
}

/* plant token|session */
static CK_RV
do_plant(char *argv[])
{
	bool token = strcmp(argv[1], "token") == 0;
	CK_RV rv;

	if ((rv = plant_rsa(token ? "token.rsa" : "session.rsa")) != CKR_OK ||
	    (rv = plant_ec(token ? "token.ec" : "session.ec")) != CKR_OK ||
	    (rv = plant_edwards(token ? "token.ed" : "session.ed")) != CKR_OK ||
	    (rv = plant_secret(token ? "token.aes" : "session.aes", CKK_AES)) != CKR_OK ||
	    (rv = plant_secret(token ? "token.generic" : "session.generic",
		CKK_GENERIC_SECRET)) != CKR_OK)
		return rv;
	return token ? CKR_OK : plant_secret("wrapping", CKK_AES);
}

static CK_OBJECT_HANDLE
find(const char *name)
{
	CK_ATTRIBUTE t = {CKA_LABEL, (void *)(uintptr_t)name, strlen(name)};
	CK_OBJECT_HANDLE o = 0;
	CK_ULONG n = 0;

	if (p11->C_FindObjectsInit(session, &t, 1) == CKR_OK) {
		(void)p11->C_FindObjects(session, &o, 1, &n);
		(void)p11->C_FindObjectsFinal(session);
	}
	return n == 1 ? o : 0;
}

static CK_RV
do_find(char *argv[])
{
	static const char *const names[] = {"token.rsa", "token.ec", "token.ed", "token.aes",
	    "token.generic"};

	(void)argv;
	nmade = 0;
	for (size_t i = 0; i < COUNT(names); i++) {
		CK_OBJECT_HANDLE o = find(names[i]);

		if (o == 0)
			return was("find", CKR_KEY_HANDLE_INVALID);
		(void)remember(CKR_OK, o);
	}
	return CKR_OK;
}

static CK_RV
sign(const char *name, CK_MECHANISM_TYPE type, bool in_parts)
{
	CK_MECHANISM m = {type, NULL, 0};
	CK_BYTE data[32] = {1, 2, 3}, out[512];
	CK_ULONG len = sizeof(out);
	CK_RV rv = was("C_SignInit", p11->C_SignInit(session, &m, find(name)));

	if (rv != CKR_OK || !in_parts)
		return rv != CKR_OK ? rv
		                    : was("C_Sign", p11->C_Sign(session, data, 32, out, &len));
	rv = was("C_SignUpdate", p11->C_SignUpdate(session, data, sizeof(data)));
	return rv != CKR_OK ? rv : was("C_SignFinal", p11->C_SignFinal(session, out, &len));
}

/* The bytes that came from the token, which are wiped. */
static CK_RV
right(const struct planted *p, uint8_t *bytes, size_t len)
{
	bool same = planted_is(p, bytes, len);

	explicit_bzero(bytes, PLANTED_LEN);
	return was("the bytes of a secret", same ? CKR_OK : CKR_DATA_INVALID);
}

static CK_RV
decrypt(const char *name, CK_MECHANISM *m, uint8_t *blob, size_t blob_len)
{
	CK_BYTE out[PLANTED_LEN];
	CK_ULONG len = sizeof(out);
	CK_RV rv = was("C_DecryptInit", p11->C_DecryptInit(session, m, find(name)));

	if (rv == CKR_OK)
		rv = was("C_Decrypt", p11->C_Decrypt(session, blob, blob_len, out, &len));
	return rv != CKR_OK ? rv : right(planted_find("plain"), out, len);
}

static CK_RV
use_rsa(const char *name)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	const struct planted *blob = part(name, "blob");
	uint8_t bytes[PLANTED_LEN];
	CK_RV rv;

	planted_bare(blob, bytes);
	if ((rv = sign(name, CKM_RSA_PKCS, false)) != CKR_OK ||
	    (rv = sign(name, CKM_SHA256_RSA_PKCS, true)) != CKR_OK)
		return rv;
	return decrypt(name, &m, bytes, blob->len);
}

static CK_RV
use_aes(const char *name)
{
	CK_MECHANISM m = {CKM_AES_CBC_PAD, iv, sizeof(iv)};
	const struct planted *plain = planted_find("plain");
	CK_BYTE out[PLANTED_LEN];
	CK_ULONG len = sizeof(out);
	CK_RV rv = was("C_EncryptInit", p11->C_EncryptInit(session, &m, find(name)));

	if (rv == CKR_OK)
		rv = was("C_Encrypt", p11->C_Encrypt(session, bare(plain), plain->len, out, &len));
	forget();
	return rv != CKR_OK ? rv : decrypt(name, &m, out, len);
}

static CK_RV
value(CK_OBJECT_HANDLE o, const struct planted *p)
{
	CK_BYTE bytes[PLANTED_LEN];
	CK_ATTRIBUTE a = {CKA_VALUE, bytes, sizeof(bytes)};
	CK_RV rv = was("C_GetAttributeValue", p11->C_GetAttributeValue(session, o, &a, 1));

	return rv != CKR_OK ? rv : right(p, bytes, a.ulValueLen);
}

static CK_OBJECT_CLASS secret_key = CKO_SECRET_KEY;
static CK_KEY_TYPE generic_secret = CKK_GENERIC_SECRET;
static CK_ULONG length = 32;
static CK_ATTRIBUTE open_key[] = {{CKA_CLASS, &secret_key, sizeof(secret_key)},
    {CKA_KEY_TYPE, &generic_secret, sizeof(generic_secret)}, {CKA_TOKEN, &no, 1},
    {CKA_PRIVATE, &yes, 1}, {CKA_SENSITIVE, &no, 1}, {CKA_EXTRACTABLE, &yes, 1},
    {CKA_VALUE_LEN, &length, sizeof(length)}};

static CK_RV
use_ec(const char *name)
{
	const struct planted *peer = part(name, "peer");
	CK_ECDH1_DERIVE_PARAMS params = {CKD_NULL, 0, NULL, peer->len, bare(peer)};
	CK_MECHANISM m = {CKM_ECDH1_DERIVE, &params, sizeof(params)};
	CK_OBJECT_HANDLE o = 0;
	CK_RV rv = sign(name, CKM_ECDSA, false);

	if (rv == CKR_OK)
		rv = was("C_DeriveKey", p11->C_DeriveKey(session, &m, find(name), open_key,
		    COUNT(open_key), &o));
	forget();
	if ((rv = remember(rv, o)) != CKR_OK)
		return rv;
	return value(o, part(name, "derived"));
}

static CK_RV
use_wrapping(void)
{
	CK_MECHANISM m = {CKM_AES_KEY_WRAP, NULL, 0};
	const struct planted *blob = planted_find("wrapped");
	CK_OBJECT_HANDLE by = find("wrapping"), o = 0;
	CK_BYTE out[PLANTED_LEN];
	CK_ULONG len = sizeof(out);
	CK_RV rv = was("C_WrapKey", p11->C_WrapKey(session, &m, by, find("token.aes"), out, &len));

	/* Its length is not to be told. */
	if (rv == CKR_OK)
		rv = was("C_UnwrapKey", p11->C_UnwrapKey(session, &m, by, bare(blob), blob->len,
		    open_key, COUNT(open_key) - 1, &o));
	forget();
	if ((rv = remember(rv, o)) != CKR_OK)
		return rv;
	return value(o, planted_find("unwrapped"));
}

static CK_RV
use_generic(const char *name)
{
	CK_RV rv = sign(name, CKM_SHA256_HMAC, false);

	return rv != CKR_OK ? rv : sign(name, CKM_SHA256_HMAC, true);
}

/* Those of the session too, when they are there. */
static CK_RV
use_all(const char *prefix)
{
	char rsa[32], ec[32], ed[32], aes[32], generic[32];
	CK_RV rv;

	snprintf(rsa, sizeof(rsa), "%s.rsa", prefix);
	snprintf(ec, sizeof(ec), "%s.ec", prefix);
	snprintf(ed, sizeof(ed), "%s.ed", prefix);
	snprintf(aes, sizeof(aes), "%s.aes", prefix);
	snprintf(generic, sizeof(generic), "%s.generic", prefix);
	if (find(rsa) == 0)
		return CKR_OK;
	if ((rv = use_rsa(rsa)) != CKR_OK || (rv = use_ec(ec)) != CKR_OK ||
	    (rv = sign(ed, CKM_EDDSA, false)) != CKR_OK || (rv = use_aes(aes)) != CKR_OK)
		return rv;
	return use_generic(generic);
}

/* Twice: the second time with the key that the worker has learnt. */
static CK_RV
do_use(char *argv[])
{
	CK_RV rv = CKR_OK;

	(void)argv;
	for (int i = 0; i < 2 && rv == CKR_OK; i++)
		if ((rv = use_all("token")) == CKR_OK)
			rv = use_all("session");
	if (rv == CKR_OK && find("wrapping") != 0)
		rv = use_wrapping();
	if (rv == CKR_OK && find("session.generic") != 0)
		rv = value(find("session.generic"), planted_find("session.generic"));
	return rv;
}

static CK_RV
do_destroy(char *argv[])
{
	CK_RV rv = CKR_OK;

	(void)argv;
	while (rv == CKR_OK && nmade > 0)
		rv = was("C_DestroyObject", p11->C_DestroyObject(session, made[--nmade]));
	return rv;
}

static CK_RV
do_init(char *argv[])
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_RV rv = was("C_Initialize", p11->C_Initialize(&args));

	(void)argv;
	if (rv != CKR_OK)
		return rv;
	find_slot(getenv("CANARY_TOKEN"));
	return was("C_OpenSession", p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
	    NULL, NULL, &session));
}

/* login PIN: whose it is tells its name */
static CK_RV
do_login(char *argv[])
{
	const struct planted *pin = planted_find(argv[1]);
	CK_USER_TYPE user = strncmp(argv[1], "pin.so", 6) == 0 ? CKU_SO : CKU_USER;
	CK_RV rv = was("C_Login", p11->C_Login(session, user, bare(pin), pin->len));

	forget();
	return rv;
}

/* setpin OLD NEW */
static CK_RV
do_setpin(char *argv[])
{
	const struct planted *old = planted_find(argv[1]), *new = planted_find(argv[2]);
	CK_RV rv = was("C_SetPIN", p11->C_SetPIN(session, bare(old), old->len, bare(new),
	    new->len));

	forget();
	return rv;
}

/* initpin NEW */
static CK_RV
do_initpin(char *argv[])
{
	const struct planted *new = planted_find(argv[1]);
	CK_RV rv = was("C_InitPIN", p11->C_InitPIN(session, bare(new), new->len));

	forget();
	return rv;
}

static CK_RV
do_logout(char *argv[])
{
	(void)argv;
	return was("C_Logout", p11->C_Logout(session));
}

static CK_RV
do_finalize(char *argv[])
{
	(void)argv;
	return was("C_Finalize", p11->C_Finalize(NULL));
}

static const struct {
	const char *name;
	command *run;
	int words;
} commands[] = {
    {"init", do_init, 1},
    {"login", do_login, 2},
    {"setpin", do_setpin, 3},
    {"initpin", do_initpin, 2},
    {"plant", do_plant, 2},
    {"find", do_find, 1},
    {"use", do_use, 1},
    {"destroy", do_destroy, 1},
    {"logout", do_logout, 1},
    {"finalize", do_finalize, 1},
};

static void
run(char *line)
{
	char *argv[WORDS] = {NULL}, *rest = line;
	int n = 0;

	while (n < WORDS && (argv[n] = strsep(&rest, " \n")) != NULL && *argv[n] != '\0')
		n++;
	for (size_t i = 0; i < COUNT(commands); i++)
		if (n > 0 && strcmp(commands[i].name, argv[0]) == 0 && n == commands[i].words) {
			CK_RV rv = commands[i].run(argv);

			printf("%s%s%s\n", ck_rv_name(rv), rv != CKR_OK ? " in " : "",
			    rv != CKR_OK ? failed : "");
			return;
		}
	printf("no such command\n");
}

int
canary_app(const char *module)
{
	char line[256];

	(void)planted_read(getenv("CANARY_FILE"), NULL);
	load(module);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		run(line);
		fflush(stdout);
	}
	return 0;
}
