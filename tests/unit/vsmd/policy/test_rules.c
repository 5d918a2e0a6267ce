/* The keys of [principal], [grant] and [key]: what is refused, and with what words. */
#include "parse.h"

#define P "[principal a]\nuid = 1\n"
#define G P "[grant a *]\n"
#define K P "[key a * k]\nhide = yes\n"

static void
bad_sections(void **state)
{
	(void)state;
	refused(
	    "[principal]\n", "f:1: a section of this kind is written [principal NAME]\n");
	refused("[grant a]\n",
	    "f:1: a section of this kind is written [grant PRINCIPAL TOKEN]\n");
	refused("[key a b]\n",
	    "f:1: a section of this kind is written [key PRINCIPAL TOKEN NAME]\n");
	refused("[principal a/b]\n",
	    "f:1: the principal's name `a/b' may hold letters, digits, and ._-\n");
	refused(
	    "[principal a]\n", "f:1: [principal a] is nobody: give uid, domid or cid\n");
	refused(P P, "f:3: [principal a] is already at line 1\n");
	refused(P "[grant a \"t 1\"]\n[grant a \"t 1\"]\n",
	    "f:4: [grant a t 1] is already at line 3\n");
	refused(K "[key a * k]\n", "f:5: [key a * k] is already at line 3\n");
	refused("[grant a \"t]\n",
	    "f:1: malformed section header: at most 4 words of at most 63 "
	    "bytes, in double quotes when they hold blanks\n");
	refused("[grant a \"\"]\n",
	    "f:1: malformed section header: at most 4 words of at most "
	    "63 bytes, in double quotes when they hold blanks\n");
	refused("[grant b *]\n[key b * x]\nhide = yes\n",
	    "f:1: there is no [principal b]\nf:2: there is no [principal b]\n");
	refused(P "[key a * k]\nlabel = x\n[grant a *]\n",
	    "f:3: [key a * k] changes nothing: give hide, mechanisms, quota or "
	    "mechanism-quota\n");
}

/* inih cuts a section's name at 49 bytes: two long ones must not become one. */
static void
long_section(void **state)
{
	struct grant g;
	struct config *c = accepted(P
	    "[grant a \"a token with a label of 32 bytes!\"]\nallow = all\n"
	    "[key a \"a token with a label of 32 bytes!\" the-first-of-two]\nhide = yes\n"
	    "[key a \"a token with a label of 32 bytes!\" the-second-of-two]\nhide = "
	    "yes\n");

	(void)state;
	assert_true(config_grant(c, "a", "a token with a label of 32 bytes!", &(struct hello_hint){0}, &g));
	assert_int_equal(g.nrules, 2);
	config_free(c);
}

static void
bad_principals(void **state)
{
	(void)state;
	refused("[principal a]\nuid = no-such-user-here\n",
	    "f:2: uid: there is no user `no-such-user-here' on this machine\n"
	    "f:1: [principal a] is nobody: give uid, domid or cid\n");
	refused("[principal a]\nuid = 4294967295\n",
	    "f:2: uid: `4294967295' is not a number from 0 to 4294967294\n"
	    "f:1: [principal a] is nobody: give uid, domid or cid\n");
	refused("[principal a]\ndomid = 1, 40000\n",
	    "f:2: domid: `40000' is not a number from 0 to 32751\n");
	refused("[principal a]\ncid = x\ncid = 3\n",
	    "f:2: cid: `x' is not a number from 0 to 4294967294\n");
	refused(P "role = root\n", "f:3: role: `root' is not one of admin\n");
	refused(
	    P "role = admim\n", "f:3: role: `admim' is unknown: did you mean `admin'?\n");
	refused(P "[principal b]\nuid = 2, 1\n",
	    "f:3: [principal b] has uid 1 as [principal a] "
	    "has: a peer can be one principal only\n");
	refused("[principal a]\ndomid = *\n[principal b]\ndomid = *\n",
	    "f:3: [principal b] has "
	    "domid = * as [principal a] has: a peer can be one principal only\n");
}

static void
bad_grants(void **state)
{
	(void)state;
	refused(
	    G "login = password\n", "f:4: login: `password' is not one of pin channel\n");
	refused(G "login = chanel\n",
	    "f:4: login: `chanel' is unknown: did you mean `channel'?\n");
	refused(G "allow = read, sign\n",
	    "f:4: allow: `sign' is not one of read use random login "
	    "pin object generate import wrap destroy init all\n");
	refused(G "extract = no\n", "f:4: extract: `no' is not one of deny allow\n");
	refused(
	    G "mechanisms = CKM_RSA_PKC\n", "f:4: mechanisms: `CKM_RSA_PKC' is no "
					    "mechanism: did you mean `CKM_RSA_PKCS'?\n");
	refused(G "mechanisms = 0x100000000\n",
	    "f:4: mechanisms: `0x100000000' is no mechanism: "
	    "names are those of PKCS #11 (CKM_RSA_PKCS), or numbers (0x80000001)\n");
	refused(G "audit-use = 1\n", "f:4: audit-use: `1' is neither yes nor no\n");
	refused(
	    G "uid = 1\n", "f:4: unknown key `uid' in this section: see vsmd.conf(5)\n");
}

static void
bad_keys(void **state)
{
	static const char *const ids[] = {"0", "0x01", "zz", "01:", "01::02", ":01"};
	static const char *const quotas[] = {"10", "/s", "0/s", "10/m", "10/s burst",
	    "10/s burst 0", "10/sburst 3", "10/s burst3", "10/s 5", "10/s burst 5 6",
	    "-1/s", "1000001/s"};
	char text[256], want[256];

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		snprintf(text, sizeof(text), K "id = %s\n", ids[i]);
		refused(text, "f:5: id: not pairs of hexadecimal digits as 01ab or "
			      "01:ab, at most 64\n");
	}
	for (size_t i = 0; i < sizeof(quotas) / sizeof(quotas[0]); i++) {
		snprintf(text, sizeof(text), K "quota = %s\n", quotas[i]);
		snprintf(want, sizeof(want),
		    "f:5: quota: `%s' is not written RATE/s or RATE/s "
		    "burst N, numbers from 1 to 1000000\n",
		    quotas[i]);
		refused(text, want);
	}
	refused(K "mechanism-quota = CKM_ECDSA\n",
	    "f:5: mechanism-quota: `CKM_ECDSA' is not written MECHANISM RATE/s or "
	    "MECHANISM RATE/s burst N\n");
	refused(K "mechanism-quota = CKM_ECDSA 5/m\n",
	    "f:5: mechanism-quota: `5/m' is not written RATE/s or RATE/s burst N, numbers "
	    "from 1 to 1000000\n");
	refused(K "mechanism-quota = CKM_ECDSA 5/s, CKM_ECDSA 6/s\n",
	    "f:5: mechanism-quota: CKM_ECDSA is there twice\n");
	refused(K "mechanism-quota = 1 1/s, 2 1/s, 3 1/s, 4 1/s, 5 1/s\n",
	    "f:5: mechanism-quota: more than 4\n");
	refused(K "class = key\n",
	    "f:5: class: `key' is not one of data certificate public-key "
	    "private-key secret-key domain-parameters\n");
	refused(K "type = ed25591\n",
	    "f:5: type: `ed25591' is unknown: did you mean `ed25519'?\n");
	refused(K
	    "label = 0123456789012345678901234567890123456789012345678901234567890123\n",
	    "f:5: label: longer than 63 bytes\n");
	refused(K "hide = no\n", "f:5: `hide' is given twice\n");
}

static void
too_many_rules(void **state)
{
	static char text[8192];
	size_t n = (size_t)snprintf(text, sizeof(text), P "[grant a *]\n");
	struct config *c;

	(void)state;
	for (int i = 0; i < GRANT_MAX_RULES; i++)
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "[key a * k%d]\nhide = yes\n", i);
	c = accepted(text);
	config_free(c);
	snprintf(text + n, sizeof(text) - n, "[key a * last]\nhide = yes\n");
	refused(text, "f:132: more than 64 [key] sections of principal a\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_sections),
	    cmocka_unit_test(long_section),
	    cmocka_unit_test(bad_principals),
	    cmocka_unit_test(bad_grants),
	    cmocka_unit_test(bad_keys),
	    cmocka_unit_test(too_many_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
