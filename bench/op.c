/* op.c - a PKCS#11 module as contender: one session per thread, one operation each time
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/token.h"

struct op {
	struct token token;
	enum bench_key kind;
	CK_OBJECT_HANDLE key;
	const char *label;
	char own_label[32];
	bool (*run)(const struct op *op, CK_SESSION_HANDLE session);
};

struct op_signer {
	const struct op *op;
	CK_SESSION_HANDLE session;
};

static double first_us;

static bool
sign(const struct op *op, CK_SESSION_HANDLE session)
{
	static CK_BYTE data[32] = {1, 2, 3};
	CK_FUNCTION_LIST *p11 = op->token.p11;
	CK_MECHANISM mech = {token_key(op->kind)->sign, NULL, 0};
	CK_BYTE out[512];
	CK_ULONG len = sizeof(out);

	return token_fine("C_SignInit", p11->C_SignInit(session, &mech, op->key)) &&
	       token_fine("C_Sign", p11->C_Sign(session, data, sizeof(data), out, &len));
}

static bool
encrypt(const struct op *op, CK_SESSION_HANDLE session)
{
	static CK_BYTE data[BENCH_MESSAGE], iv[12];
	CK_FUNCTION_LIST *p11 = op->token.p11;
	CK_GCM_PARAMS gcm = {
	    .pIv = iv, .ulIvLen = sizeof(iv), .ulIvBits = 96, .ulTagBits = 128};
	CK_MECHANISM mech = {CKM_AES_GCM, &gcm, sizeof(gcm)};
	CK_BYTE out[BENCH_MESSAGE + 16];
	CK_ULONG len = sizeof(out);

	return token_fine("C_EncryptInit", p11->C_EncryptInit(session, &mech, op->key)) &&
	       token_fine(
		   "C_Encrypt", p11->C_Encrypt(session, data, sizeof(data), out, &len));
}

static bool
find(const struct op *op, CK_SESSION_HANDLE session)
{
	CK_FUNCTION_LIST *p11 = op->token.p11;
	CK_ATTRIBUTE want = {CKA_LABEL, (void *)(uintptr_t)op->label, strlen(op->label)};
	CK_OBJECT_HANDLE found[16];
	CK_ULONG n = 0;

	return token_fine(
		   "C_FindObjectsInit", p11->C_FindObjectsInit(session, &want, 1)) &&
	       token_fine("C_FindObjects", p11->C_FindObjects(session, found, 16, &n)) &&
	       token_fine("C_FindObjectsFinal", p11->C_FindObjectsFinal(session)) &&
	       n > 0;
}

static bool
session_info(const struct op *op, CK_SESSION_HANDLE session)
{
	CK_SESSION_INFO info;

	return token_fine(
	    "C_GetSessionInfo", op->token.p11->C_GetSessionInfo(session, &info));
}

static bool
draw(const struct op *op, CK_SESSION_HANDLE session)
{
	CK_BYTE out[1];

	return token_fine("C_GenerateRandom",
	    op->token.p11->C_GenerateRandom(session, out, sizeof(out)));
}

static bool
seed(const struct op *op, CK_SESSION_HANDLE session)
{
	CK_BYTE in[1] = {7};

	return token_fine(
	    "C_SeedRandom", op->token.p11->C_SeedRandom(session, in, sizeof(in)));
}

static void *
op_start(void *self)
{
	struct op *op = self;
	struct op_signer *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->op = op;
	if (!token_fine("C_OpenSession",
		op->token.p11->C_OpenSession(op->token.slot,
		    CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s->session))) {
		free(s);
		return NULL;
	}
	return s;
}

static bool
op_run(void *signer)
{
	struct op_signer *s = signer;

	return s->op->run(s->op, s->session);
}

static void
op_stop(void *signer)
{
	struct op_signer *s = signer;

	(void)s->op->token.p11->C_CloseSession(s->session);
	free(s);
}

static bool
choose(struct op *op)
{
	CK_OBJECT_CLASS class = op->kind == BENCH_AES ? CKO_SECRET_KEY : CKO_PRIVATE_KEY;

	switch (op->kind) {
	case BENCH_NONE:
		op->run = session_info;
		return true;
	case BENCH_RANDOM:
		op->run = draw;
		return true;
	case BENCH_SEED:
		op->run = seed;
		return true;
	case BENCH_FIND:
		op->run = find;
		return true;
	default:
		op->run = op->kind == BENCH_AES ? encrypt : sign;
		return token_find(&op->token, class, op->label, &op->key) ||
		       token_make(&op->token, op->kind, op->label, &op->key);
	}
}

bool
op_open(const char *module, const char *token, const char *pin, enum bench_key key,
    const char *label, struct contender *ret)
{
	struct op *op = calloc(1, sizeof(*op));
	struct timespec a, b;
	void *s;

	if (op == NULL)
		return false;
	op->kind = key;
	snprintf(op->own_label, sizeof(op->own_label), "bench-%s", token_key(key)->name);
	op->label = label != NULL ? label : op->own_label;
	*ret = (struct contender){op_start, op_run, op_stop, op};
	clock_gettime(CLOCK_MONOTONIC, &a);
	if (!token_open(&op->token, module, token, pin) || !choose(op) ||
	    (s = op_start(op)) == NULL || !op_run(s))
		return false;
	clock_gettime(CLOCK_MONOTONIC, &b);
	op_stop(s);
	first_us =
	    (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
	return true;
}

double
op_first_us(void)
{
	return first_us;
}

void
op_close(struct contender *c)
{
	struct op *op = c->self;

	token_close(&op->token);
	free(op);
}
