/* keygen.c - role: keys generated, used and destroyed, of the session and of the token */
#include <stdio.h>
#include <string.h>

#include "tests/soak/keys.h"
#include "tests/soak/ledger.h"

static void
destroy(struct job *j, CK_OBJECT_HANDLE h, const char *origin)
{
	if (origin != NULL)
		ledger_begin(j, origin, LEDGER_GONE);
	MUST(j, C_DestroyObject, j->session, h);
	if (origin != NULL)
		ledger_done(j, origin, LEDGER_GONE);
}

static void
pair(struct job *j, bool token)
{
	enum key_kind kind = chance_of(j, 15)	? KEY_RSA
			     : chance_of(j, 60) ? KEY_EC
						: KEY_ED;
	CK_ULONG bits = chance_of(j, 10) ? 2048 : 1024;
	char origin[NAME_MOST - 2], s[NAME_MOST], p[NAME_MOST];
	struct pair k;

	snprintf(origin, sizeof(origin), "%.30s.%u.%u.%lu", soak.name, soak.life,
	    j->number, j->step);
	snprintf(s, sizeof(s), "%s.s", origin);
	snprintf(p, sizeof(p), "%s.p", origin);
	if (token) {
		ledger_begin(j, s, origin);
		ledger_begin(j, p, origin);
	}
	keys_make(j, kind, bits, origin, origin, token, &k);
	if (token) {
		ledger_done(j, s, origin);
		ledger_done(j, p, origin);
	}
	keys_use(j, &k);
	/* Some stay, for the check behind it all. */
	if (!token || (j->step > 10 && chance_of(j, 99))) {
		destroy(j, k.private, token ? s : NULL);
		destroy(j, k.public, token ? p : NULL);
	}
	keys_free(&k);
}

static void
secret(struct job *j)
{
	CK_BBOOL yes = CK_TRUE;
	CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0}, ecb = {CKM_AES_ECB, NULL, 0};
	CK_ULONG len = 16 + 8 * chance_below(j, 3), n;
	CK_ATTRIBUTE t[] = {{CKA_VALUE_LEN, &len, sizeof(len)},
	    {CKA_ENCRYPT, &yes, sizeof(yes)}, {CKA_DECRYPT, &yes, sizeof(yes)}};
	CK_BYTE in[32], out[32], back[32];
	CK_OBJECT_HANDLE h;

	MUST(j, C_GenerateKey, j->session, &m, t, COUNT(t), &h);
	chance_fill(j, in, sizeof(in));
	MUST(j, C_EncryptInit, j->session, &ecb, h);
	n = sizeof(out);
	MUST(j, C_Encrypt, j->session, in, sizeof(in), out, &n);
	MUST(j, C_DecryptInit, j->session, &ecb, h);
	n = sizeof(back);
	MUST(j, C_Decrypt, j->session, out, sizeof(out), back, &n);
	if (n != sizeof(in) || memcmp(in, back, n) != 0 || memcmp(in, out, n) == 0)
		fail(j, "WRONG PLAINTEXT by a generated key");
	destroy(j, h, NULL);
}

void
keygen_step(struct job *j)
{
	if (chance_of(j, 30))
		secret(j);
	else
		pair(j, chance_of(j, 40));
	pause_ms(chance_below(j, 30));
}
