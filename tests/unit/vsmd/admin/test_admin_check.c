/* vsmd/admin/check.c: requests against admin.def */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vsmd/admin/check.h"

struct given {
	const char *call, *json;
	const char *passphrase, *so_pin; /* both NULL: no secret at all */
	size_t blob;
};

static char why[256];

static void
write_request(struct buf *b, const struct given *g)
{
	static const uint8_t bytes[ADMIN_MAX_BLOB + 1];
	struct buf secret;

	buf_init(&secret, 8192);
	if (g->passphrase != NULL || g->so_pin != NULL) {
		buf_put_str(&secret, g->passphrase);
		buf_put_str(&secret, g->so_pin);
	}
	buf_put_str(b, g->call);
	buf_put_str(b, g->json);
	buf_put_bytes(b, secret.data, secret.len);
	buf_put_bytes(b, bytes, g->blob);
	assert_true(buf_ok(b));
	buf_free(&secret);
}

static enum admin_verdict
check(const struct given *g)
{
	struct admin_request r;
	struct buf b;
	enum admin_verdict v;

	buf_init(&b, 1 << 20);
	write_request(&b, g);
	why[0] = '\0';
	v = admin_check(&b, &r, why, sizeof(why));
	if (v == ADMIN_GOOD) {
		assert_string_equal(r.call->name, g->call);
		assert_int_equal(r.blob_len, g->blob);
	}
	assert_true((v == ADMIN_REFUSED) == (why[0] != '\0'));
	admin_request_free(&r);
	buf_free(&b);
	return v;
}

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"

static void
good(void **state)
{
	static const struct given all[] = {
	    {"status", "{}", NULL, NULL, 0},
	    {"token-list", "{}", "", "", 0},
	    {"token-delete", "{\"label\":\"web\"}", NULL, NULL, 0},
	    {"accept-rollback", "{\"label\":\"web\"}", "", "1234", 0},
	    {"backup-begin", "{\"label\":\"web\"}", "secret", "", 0},
	    {"backup-begin", "{\"label\":\"w\xc3\xa9\"}", NULL, NULL, 0},
	    {"backup-read", "{\"handle\":1,\"offset\":0}", NULL, NULL, 0},
	    {"backup-end", "{\"handle\":1}", NULL, NULL, 0},
	    {"restore-begin", "{\"size\":100000}", NULL, NULL, 0},
	    {"restore-write", "{\"handle\":1,\"offset\":0}", NULL, NULL, 1},
	    {"restore-write", "{\"handle\":1,\"offset\":0}", NULL, NULL, ADMIN_MAX_BLOB},
	    {"restore-finish", "{\"handle\":1}", "secret", "12345678", 0},
	    {"restore-finish", "{\"handle\":1}", "", "12345678", 0},
	    {"audit-read", "{\"from\":0,\"count\":100}", NULL, NULL, 0},
	    {"audit-verify", "{}", NULL, NULL, 0},
	    {"audit-seal", "{}", NULL, NULL, 0},
	    {"tpm-reseal", "{}", NULL, NULL, 0},
	    {"tpm-predict", "{\"pcrs\":{\"13\":\"" HEX64 "\"}}", NULL, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (check(&all[i]) != ADMIN_GOOD)
			fail_msg("%s %s: %s", all[i].call, all[i].json, why);
}

static void
refused(void **state)
{
	static const struct given all[] = {
	    {"shutdown", "{}", NULL, NULL, 0},
	    {"", "{}", NULL, NULL, 0},
	    {"status", "", NULL, NULL, 0},
	    {"status", "[]", NULL, NULL, 0},
	    {"status", "{", NULL, NULL, 0},
	    {"status", "{} {}", NULL, NULL, 0},
	    {"status", "{\"x\":1}", NULL, NULL, 0},
	    {"status", "{}", "secret", "", 0},
	    {"status", "{}", "", "1234", 0},
	    {"status", "{}", NULL, NULL, 1},
	    {"token-delete", "{}", NULL, NULL, 0},
	    {"token-delete", "{\"label\":\"\"}", NULL, NULL, 0},
	    {"token-delete", "{\"label\":7}", NULL, NULL, 0},
	    {"token-delete", "{\"label\":\"a\",\"label\":\"b\"}", NULL, NULL, 0},
	    {"token-delete", "{\"label\":\"a\\u0000b\"}", NULL, NULL, 0},
	    {"token-delete", "{\"label\":\"web\",\"all\":true}", NULL, NULL, 0},
	    {"accept-rollback", "{\"label\":\"web\"}", "", "", 0},
	    {"accept-rollback", "{\"label\":\"web\"}", "secret", "1234", 0},
	    {"accept-rollback", "{}", "", "1234", 0},
	    {"backup-begin", "{\"label\":\"web\"}", "", "12345678", 0},
	    {"backup-read", "{\"handle\":-1,\"offset\":0}", NULL, NULL, 0},
	    {"backup-read", "{\"handle\":1.5,\"offset\":0}", NULL, NULL, 0},
	    {"backup-read", "{\"handle\":1}", NULL, NULL, 0},
	    {"restore-write", "{\"handle\":1,\"offset\":0}", NULL, NULL, 0},
	    {"restore-finish", "{\"handle\":1}", "secret", "", 0},
	    {"restore-finish", "{\"handle\":1}", NULL, NULL, 0},
	    {"tpm-predict", "{\"pcrs\":{}}", NULL, NULL, 0},
	    {"tpm-predict", "{\"pcrs\":{\"24\":\"" HEX64 "\"}}", NULL, NULL, 0},
	    {"tpm-predict", "{\"pcrs\":{\"013\":\"" HEX64 "\"}}", NULL, NULL, 0},
	    {"tpm-predict", "{\"pcrs\":{\"01\":\"" HEX64 "\"}}", NULL, NULL, 0},
	    {"tpm-predict", "{\"pcrs\":{\"1\":\"0123\"}}", NULL, NULL, 0},
	    {"tpm-predict", "{\"pcrs\":{\"1\":\"g" HEX64 "\"}}", NULL, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (check(&all[i]) != ADMIN_REFUSED)
			fail_msg("%s %s", all[i].call, all[i].json);
}

static void
too_long(void **state)
{
	char json[512], text[ADMIN_MAX_PASSPHRASE + 2];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(check(&(struct given){"backup-begin", "{\"label\":\"w\"}", text, "", 0}),
	    ADMIN_REFUSED);
	text[ADMIN_MAX_PASSPHRASE] = '\0';
	assert_int_equal(check(&(struct given){"backup-begin", "{\"label\":\"w\"}", text, "", 0}),
	    ADMIN_GOOD);
	snprintf(json, sizeof(json), "{\"label\":\"%.256s\"}", text);
	assert_int_equal(check(&(struct given){"token-delete", json, NULL, NULL, 0}),
	    ADMIN_REFUSED);
	snprintf(json, sizeof(json), "{\"label\":\"%.255s\"}", text);
	assert_int_equal(check(&(struct given){"token-delete", json, NULL, NULL, 0}), ADMIN_GOOD);
}

/* What no client of ours ever writes closes the channel. */
static void
breach(void **state)
{
	static const struct given fits = {"status", "{}", NULL, NULL, 0};
	struct admin_request r;
	struct buf whole, part;

	(void)state;
	assert_int_equal(check(&(struct given){"restore-write", "{\"handle\":1,\"offset\":0}",
			     NULL, NULL, ADMIN_MAX_BLOB + 1}),
	    ADMIN_BREACH);
	buf_init(&whole, 4096);
	write_request(&whole, &fits);
	for (size_t len = 0; len < whole.len; len++) {
		buf_view(&part, whole.data, len);
		assert_int_equal(admin_check(&part, &r, why, sizeof(why)), ADMIN_BREACH);
		admin_request_free(&r);
	}
	buf_put_u8(&whole, 0);
	assert_int_equal(admin_check(&whole, &r, why, sizeof(why)), ADMIN_BREACH);
	admin_request_free(&r);
	buf_free(&whole);

	/* A secret that is not two strings. */
	buf_init(&whole, 4096);
	buf_put_str(&whole, "status");
	buf_put_str(&whole, "{}");
	buf_put_bytes(&whole, "abc", 3);
	buf_put_bytes(&whole, NULL, 0);
	assert_int_equal(admin_check(&whole, &r, why, sizeof(why)), ADMIN_BREACH);
	admin_request_free(&r);
	buf_free(&whole);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good),
	    cmocka_unit_test(refused),
	    cmocka_unit_test(too_long),
	    cmocka_unit_test(breach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
