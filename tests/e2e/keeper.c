/*
 * keeper.c - holds session objects over whatever happens to vsmd, uses them, and looks whether
 * they are what they were.
 *
 *	caas-e2e-keeper MODULE TOKEN PIN SECONDS busy|idle
 *
 * An AES key that was generated, one that was imported, both sensitive; a P-256 key pair; one
 * derived from it; a data object.  busy: all the time; idle: it is silent until the end.  At last they go
 * with a logout, and with their session.  Prints used=N refused=N wrong=N changed=N left=N,
 * and fails unless they were used and the rest is 0.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plain.h"
#include "protocol/names.h"

#define MOST_SECONDS 86400
#define SETTLE 1 /* s: they have been taken by then */

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const char usage[] = "usage: caas-e2e-keeper MODULE TOKEN PIN SECONDS busy|idle";
static unsigned long used, refused, wrong, changed, left;

enum { GENERATED, IMPORTED, DERIVED, PUBLIC, PRIVATE, DATA, COUNT };
static CK_SESSION_HANDLE s;
static CK_OBJECT_HANDLE o[COUNT];

/* What there is to see of an object. */
struct state {
	CK_RV rv[32];
	CK_ULONG len[32];
	CK_BYTE value[32][128], ciphertext[3][16];
};

static const CK_ATTRIBUTE_TYPE asked[] = {CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_LABEL,
    CKA_MODIFIABLE, CKA_KEY_TYPE, CKA_ID, CKA_DERIVE, CKA_LOCAL, CKA_KEY_GEN_MECHANISM,
    CKA_SENSITIVE, CKA_ENCRYPT, CKA_SIGN, CKA_EXTRACTABLE, CKA_ALWAYS_SENSITIVE,
    CKA_NEVER_EXTRACTABLE, CKA_VALUE, CKA_VALUE_LEN, CKA_EC_POINT, CKA_CHECK_VALUE};

static bool
answered(const char *what, CK_RV rv)
{
	if (rv != CKR_OK && refused++ < 5)
		warnx("%s: %s", what, ck_rv_name(rv));
	return rv == CKR_OK;
}

static void
make(void)
{
	CK_MECHANISM aes = {CKM_AES_KEY_GEN, NULL, 0}, ec = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_OBJECT_CLASS secret = CKO_SECRET_KEY, data = CKO_DATA;
	CK_KEY_TYPE type = CKK_AES;
	CK_ULONG len = 32;
	char label[] = "kept", content[] = "content";
	CK_BYTE value[32] = "thirty-two bytes of a known key", point[80];
	CK_ATTRIBUTE common[] = {{CKA_TOKEN, &no, 1}, {CKA_PRIVATE, &yes, 1},
	    {CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1}, {CKA_ENCRYPT, &yes, 1}};
	CK_ATTRIBUTE g[6] = {{CKA_VALUE_LEN, &len, sizeof(len)}},
	    i[8] = {{CKA_CLASS, &secret, sizeof(secret)}, {CKA_KEY_TYPE, &type, sizeof(type)},
	    {CKA_VALUE, value, sizeof(value)}};
	CK_ATTRIBUTE pub[] = {{CKA_TOKEN, &no, 1}, {CKA_EC_PARAMS, p256, sizeof(p256)}},
	    prv[] = {{CKA_TOKEN, &no, 1}, {CKA_PRIVATE, &yes, 1}, {CKA_SIGN, &yes, 1},
	    {CKA_DERIVE, &yes, 1}};
	CK_ATTRIBUTE d[] = {{CKA_CLASS, &data, sizeof(data)}, {CKA_TOKEN, &no, 1},
	    {CKA_LABEL, label, 4}, {CKA_VALUE, content, 7}};
	CK_ATTRIBUTE where = {CKA_EC_POINT, point, sizeof(point)};
	CK_ECDH1_DERIVE_PARAMS ecdh = {.kdf = CKD_NULL};
	CK_MECHANISM derive = {CKM_ECDH1_DERIVE, &ecdh, sizeof(ecdh)};

	memcpy(g + 1, common, sizeof(common));
	memcpy(i + 3, common, sizeof(common));
	must(p11->C_GenerateKey(s, &aes, g, 6, &o[GENERATED]), "C_GenerateKey");
	must(p11->C_CreateObject(s, i, 8, &o[IMPORTED]), "C_CreateObject");
	must(p11->C_GenerateKeyPair(s, &ec, pub, 2, prv, 4, &o[PUBLIC], &o[PRIVATE]),
	    "C_GenerateKeyPair");
	must(p11->C_CreateObject(s, d, 4, &o[DATA]), "C_CreateObject");
	must(p11->C_GetAttributeValue(s, o[PUBLIC], &where, 1), "C_GetAttributeValue");
	ecdh.pPublicData = point + 2;
	ecdh.ulPublicDataLen = where.ulValueLen - 2;
	i[2] = (CK_ATTRIBUTE){CKA_VALUE_LEN, &len, sizeof(len)};
	must(p11->C_DeriveKey(s, &derive, o[PRIVATE], i, 8, &o[DERIVED]), "C_DeriveKey");
}

static void
describe(CK_OBJECT_HANDLE object, struct state *ret)
{
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		CK_ATTRIBUTE a = {asked[i], ret->value[i], sizeof(ret->value[i])};

		ret->rv[i] = p11->C_GetAttributeValue(s, object, &a, 1);
		ret->len[i] = a.ulValueLen;
	}
}

static void
encrypt(int which, CK_BYTE ret[16])
{
	CK_MECHANISM ecb = {CKM_AES_ECB, NULL, 0};
	CK_BYTE text[] = "sixteen bytes...";
	CK_ULONG len = 16;

	if (answered("C_EncryptInit", p11->C_EncryptInit(s, &ecb, o[which])))
		(void)answered("C_Encrypt", p11->C_Encrypt(s, text, 16, ret, &len));
}

/* By the one half, verified by the other. */
static void
sign(void)
{
	CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
	CK_BYTE digest[32] = "digest", signature[64];
	CK_ULONG len = sizeof(signature);

	if (!answered("C_SignInit", p11->C_SignInit(s, &ecdsa, o[PRIVATE])) ||
	    !answered("C_Sign", p11->C_Sign(s, digest, 32, signature, &len)) ||
	    !answered("C_VerifyInit", p11->C_VerifyInit(s, &ecdsa, o[PUBLIC])))
		return;
	wrong += p11->C_Verify(s, digest, 32, signature, len) != CKR_OK;
}

static void
use(struct state *all)
{
	struct state now[COUNT];

	memset(now, 0, sizeof(now));
	for (int i = 0; i < 3; i++)
		encrypt(i, now[0].ciphertext[i]);
	sign();
	for (int i = 0; i < COUNT; i++)
		describe(o[i], &now[i]);
	for (int i = 0; i < COUNT; i++)
		changed += used > 0 && memcmp(&now[i], &all[i], sizeof(now[i])) != 0;
	if (used++ == 0)
		memcpy(all, now, sizeof(now));
}

/* What there is still, when there should be nothing. */
static void
look(int from, int to)
{
	CK_ULONG size;

	for (int i = from; i < to; i++)
		left += p11->C_GetObjectSize(s, o[i], &size) == CKR_OK;
}

static void
go(CK_SESSION_HANDLE other)
{
	must(p11->C_Logout(s), "C_Logout");
	look(GENERATED, PUBLIC);
	look(PRIVATE, DATA);
	must(p11->C_CloseSession(s), "C_CloseSession");
	s = other;
	look(GENERATED, COUNT);
}

static CK_SESSION_HANDLE
session(void)
{
	CK_SESSION_HANDLE ret;

	must(p11->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &ret), "C_OpenSession");
	return ret;
}

int
main(int argc, char *argv[])
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	static struct state all[COUNT];
	CK_SESSION_HANDLE other;
	double until;
	bool idle;

	if (argc != 6 || (strcmp(argv[5], "busy") != 0 && strcmp(argv[5], "idle") != 0))
		errx(2, "%s", usage);
	idle = strcmp(argv[5], "idle") == 0;
	until = number_of(argv[4], MOST_SECONDS, usage);
	load(argv[1]);
	must(p11->C_Initialize(&args), "C_Initialize");
	find_slot(argv[2]);
	s = session();
	other = session();
	must(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)argv[3], strlen(argv[3])), "C_Login");
	make();
	use(all);
	(void)sleep(SETTLE);
	for (until += now() - SETTLE; now() < until;)
		if (idle)
			(void)usleep(100000);
		else
			use(all);
	use(all);
	go(other);
	must(p11->C_Finalize(NULL), "C_Finalize");
	printf("used=%lu refused=%lu wrong=%lu changed=%lu left=%lu\n", used, refused, wrong,
	    changed, left);
	return used > 1 && refused == 0 && wrong == 0 && changed == 0 && left == 0 ? 0 : 1;
}
