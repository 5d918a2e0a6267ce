/* From a peer to a principal, from a principal and a token to a grant. */
#include "parse.h"

#include "vchan-transport/address.h"

static const struct hello_hint none;

static const char *
who(const struct config *c, enum peer_kind kind, uint32_t id)
{
	struct peer p = {.kind = kind, .id = id, .gid = 7, .pid = 9};

	return config_principal(c, &p, &none);
}

static void
principals(void **state)
{
	struct config *c =
	    accepted("[principal others]\nuid = *\n"
		     "[principal web]\nuid = root, 33\nuid = 34\ndomid = 5\n"
		     "[principal dns]\ncid = 3 4\nrole = admin\n");

	(void)state;
	assert_string_equal(who(c, PEER_UID, 0), "web");
	assert_string_equal(who(c, PEER_UID, 33), "web");
	assert_string_equal(who(c, PEER_UID, 34), "web");
	assert_string_equal(who(c, PEER_UID, 5), "others");
	assert_string_equal(who(c, PEER_DOMID, 5), "web");
	assert_null(who(c, PEER_DOMID, 33));
	assert_null(who(c, PEER_DOMID, ADDRESS_COUPLED));
	assert_string_equal(who(c, PEER_CID, 4), "dns");
	assert_null(who(c, PEER_CID, 5));
	assert_null(who(c, (enum peer_kind)7, 0));
	assert_true(config_is_admin(c, "dns", &none));
	assert_false(config_is_admin(c, "web", &none));
	assert_false(config_is_admin(c, "nobody", &none));
	config_free(c);
}

static void
most_specific(void **state)
{
	struct grant g;
	struct config *c = accepted("[principal a]\nuid = 1\n"
				    "[principal b]\nuid = 2\n"
				    "[grant a *]\nallow = read\n"
				    "[grant a web-*]\nallow = use\n"
				    "[grant a w*]\nallow = pin\n"
				    "[grant a web-1]\nallow = wrap\n");

	(void)state;
	assert_true(config_grant(c, "a", "web-1", &none, &g));
	assert_int_equal(g.classes, 1u << CLASS_NONE | 1u << CLASS_WRAP);
	assert_true(config_grant(c, "a", "web-2", &none, &g));
	assert_int_equal(g.classes, 1u << CLASS_NONE | 1u << CLASS_USE);
	assert_true(config_grant(c, "a", "wood", &none, &g));
	assert_int_equal(g.classes, 1u << CLASS_NONE | 1u << CLASS_PIN);
	assert_true(config_grant(c, "a", "dns", &none, &g));
	assert_int_equal(g.classes, 1u << CLASS_NONE | 1u << CLASS_READ);
	assert_true(config_grant(c, "a", "dns", &none, NULL));
	/* Nobody may init: the slot without a token is for none of them. */
	assert_false(config_grant(c, "a", NULL, &none, &g));
	assert_false(config_grant(c, "b", "web-1", &none, &g));
	assert_int_equal(g.classes, 0);
	assert_false(config_grant(c, "nobody", "web-1", &none, NULL));
	config_free(c);
}

static void
init_shows_the_empty_slot(void **state)
{
	struct grant g;
	struct config *c =
	    accepted("[principal a]\nuid = 1\n"
		     "[grant a x]\n"
		     "[grant a lab-*]\nallow = init, login\nlogin = channel\n"
		     "[key a lab-* r1]\nhide = yes\n"
		     "[key a x r2]\nhide = yes\n"
		     "[key a * r3]\nquota = 5/s\n");

	(void)state;
	assert_true(config_grant(c, "a", NULL, &none, &g));
	assert_int_equal(
	    g.classes, 1u << CLASS_NONE | 1u << CLASS_LOGIN | 1u << CLASS_INIT);
	assert_true(g.flags & GRANT_CHANNEL_LOGIN);
	assert_int_equal(g.nrules, 2);
	assert_true(g.rules[0].hide);
	assert_int_equal(g.rules[1].rate, 5);
	config_free(c);
}

static void
what_a_grant_says(void **state)
{
	struct grant g;
	struct config *c = accepted("[principal a]\nuid = 1\n"
				    "[grant a plain]\n"
				    "[grant a full]\n"
				    "login = channel\nallow = all\nextract = "
				    "allow\naudit-use = yes\npin-lockout = no\n"
				    "mechanisms = CKM_RSA_PKCS, 0x80000001\nmechanisms = "
				    "CKM_ECDSA CKM_RSA_PKCS\n");

	(void)state;
	assert_true(config_grant(c, "a", "plain", &none, &g));
	assert_string_equal(g.principal, "a");
	assert_string_equal(g.peer, "");
	assert_int_equal(g.flags, GRANT_DENY_EXTRACT | GRANT_PIN_LOCKOUT);
	assert_int_equal(g.classes, 1u << CLASS_NONE | 1u << CLASS_READ |
					1u << CLASS_USE | 1u << CLASS_RANDOM |
					1u << CLASS_LOGIN);
	assert_false(g.limit_mechs);
	assert_true(config_grant(c, "a", "full", &none, &g));
	assert_int_equal(g.flags, GRANT_CHANNEL_LOGIN | GRANT_AUDIT_USE);
	assert_int_equal(g.classes, (1u << (CLASS_INIT + 1)) - 1);
	assert_true(g.limit_mechs);
	assert_int_equal(g.nmechs, 3);
	assert_int_equal(g.mechs[0], CKM_RSA_PKCS);
	assert_int_equal(g.mechs[1], 0x80000001);
	assert_int_equal(g.mechs[2], CKM_ECDSA);
	config_free(c);
	c = accepted("[vsmd]\npin-tries = 0\n[principal a]\nuid = 1\n[grant a t]\n");
	assert_true(config_grant(c, "a", "t", &none, &g));
	assert_int_equal(g.flags, GRANT_DENY_EXTRACT);
	config_free(c);
}

static void
what_a_rule_says(void **state)
{
	struct grant g;
	struct config *c = accepted(
	    "[principal a]\nuid = 1\n"
	    "[principal b]\nuid = 2\n"
	    "[grant a *]\nquota = 50/s\nmechanism-quota = CKM_ECDSA 5/s\n"
	    "mechanism-quota = CKM_RSA_PKCS 6/s burst 7, 0x80000001 8/s\n[grant b *]\n"
	    "[key a web-* no-ed25519]\nclass = private-key\ntype = ed25519\nhide = yes\n"
	    "[key b * other]\nhide = yes\n"
	    "[key a web-1 tls]\nlabel = tls*\nid = 01:aB\nmechanisms = CKM_ECDSA\n"
	    "quota = 100/s burst 300\nmechanism-quota = CKM_ECDSA 9/s\n");
	const struct grant_rule *r = g.rules;

	(void)state;
	assert_true(config_grant(c, "a", "web-2", &none, &g));
	assert_int_equal(g.nrules, 1);
	assert_true(config_grant(c, "a", "dns", &none, &g));
	assert_int_equal(g.nrules, 0);
	assert_true(g.rate == 50 && g.burst == 50 && g.nquotas == 3);
	assert_true(g.quotas[0].mech == CKM_ECDSA && g.quotas[0].rate == 5);
	assert_true(g.quotas[1].mech == CKM_RSA_PKCS && g.quotas[1].burst == 7);
	assert_true(g.quotas[2].mech == 0x80000001 && g.quotas[2].burst == 8);
	assert_true(config_grant(c, "a", "web-1", &none, &g));
	assert_int_equal(g.nrules, 2);
	assert_true(r[0].hide && r[0].match.has_class && r[0].match.has_type);
	assert_false(r[0].match.has_label || r[0].match.has_id || r[0].limit_mechs);
	assert_int_equal(r[0].match.class, CKO_PRIVATE_KEY);
	assert_int_equal(r[0].match.type, CKK_EC_EDWARDS);
	assert_false(r[1].hide);
	assert_true(r[1].nquotas == 1 && r[1].quotas[0].mech == CKM_ECDSA);
	assert_true(r[1].match.has_label && r[1].match.has_id && r[1].limit_mechs);
	assert_string_equal(r[1].match.label, "tls*");
	assert_int_equal(r[1].match.id_len, 2);
	assert_memory_equal(r[1].match.id, "\x01\xab", 2);
	assert_int_equal(r[1].nmechs, 1);
	assert_int_equal(r[1].rate, 100);
	assert_int_equal(r[1].burst, 300);
	config_free(c);
}

static bool
classes_are(const struct config *c, uint32_t uid, const char *label, uint32_t want)
{
	const struct hello_hint hint = {true, uid, 7};
	struct grant g;

	return config_grant(c, "vm", label, &hint, &g) && g.classes == (1u << CLASS_NONE | want);
}

/* What an agent says of who it speaks for takes away, and never adds. */
static void
hints(void **state)
{
	const struct hello_hint root = {true, 0, 0}, web = {true, 33, 33}, eve = {true, 99, 0};
	const struct peer vm = {.kind = PEER_DOMID, .id = 5}, other = {.kind = PEER_DOMID, .id = 6};
	struct config *c = accepted("[principal vm]\ndomid = 5\nrole = admin\n"
				    "agent-uid = 0, 33\nagent-uid = 34\nadmin-agent-uid = 0\n"
				    "[principal open]\ndomid = 6\n"
				    "[grant vm *]\nallow = all\n"
				    "[grant vm web]\nallow = use\nagent-uid = 33\n");

	(void)state;
	assert_string_equal(config_principal(c, &vm, &none), "vm");
	assert_string_equal(config_principal(c, &vm, &root), "vm");
	assert_string_equal(config_principal(c, &vm, &web), "vm");
	assert_null(config_principal(c, &vm, &eve));
	/* Of whom no list tells. */
	assert_string_equal(config_principal(c, &other, &eve), "open");
	/* And no hint makes somebody of nobody. */
	assert_false(config_is_admin(c, "open", &root));
	assert_true(config_is_admin(c, "vm", &none));
	assert_true(config_is_admin(c, "vm", &root));
	assert_false(config_is_admin(c, "vm", &web));
	assert_true(classes_are(c, 33, "web", 1u << CLASS_USE));
	/* Not the grant of all tokens instead. */
	assert_false(config_grant(c, "vm", "web", &root, NULL));
	assert_true(config_grant(c, "vm", "web", &none, NULL));
	assert_true(config_grant(c, "vm", "dns", &root, NULL));
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(principals),
	    cmocka_unit_test(most_specific),
	    cmocka_unit_test(init_shows_the_empty_slot),
	    cmocka_unit_test(what_a_grant_says),
	    cmocka_unit_test(what_a_rule_says),
	    cmocka_unit_test(hints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
