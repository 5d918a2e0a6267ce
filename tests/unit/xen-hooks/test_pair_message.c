/* What caas, domt-forward and domtd say: there and back, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "xen-hooks/message/message.h"

static bool
reads(const char *text, struct request *ret)
{
	struct buf b;

	buf_view(&b, text, strlen(text));
	return request_read(&b, ret);
}

static void
requests(void **state)
{
	struct request r = {.kind = REQUEST_SAVE, .pair = "web", .by = "uid 0 pid 7"}, back;
	struct buf b;

	(void)state;
	buf_init(&b, MESSAGE_MAX);
	for (int kind = 0; kind < REQUEST_KINDS; kind++) {
		r.kind = (enum request_kind)kind;
		snprintf(r.pair, sizeof(r.pair), "%s", kind == REQUEST_LIST ? "" : "web");
		request_write(&b, &r);
		assert_true(buf_ok(&b));
		assert_true(request_read(&b, &back));
		assert_int_equal(back.kind, kind);
		assert_string_equal(back.pair, r.pair);
		assert_string_equal(back.by, r.by);
	}
	buf_free(&b);
}

static void
no_requests(void **state)
{
	static const char *const bad[] = {"", "{", "[]", "7", "{}", "{\"version\":1}",
	    "{\"version\":2,\"do\":\"list\"}", "{\"version\":\"1\",\"do\":\"list\"}",
	    "{\"version\":1,\"do\":\"shout\"}", "{\"version\":1,\"do\":\"list\",\"pair\":\"web\"}",
	    "{\"version\":1,\"do\":\"create\"}", "{\"version\":1,\"do\":\"create\",\"pair\":\"\"}",
	    "{\"version\":1,\"do\":\"create\",\"pair\":7}",
	    "{\"version\":1,\"do\":\"create\",\"pair\":\"../x\"}",
	    "{\"version\":1,\"do\":\"create\",\"pair\":\".x\"}",
	    "{\"version\":1,\"do\":\"create\",\"pair\":\"a b\"}",
	    "{\"version\":1,\"do\":\"create\",\"pair\":\"a\",\"file\":\"/etc/shadow\"}",
	    "{\"version\":1,\"do\":\"create\",\"pair\":\"a\",\"pair\":\"b\"}",
	    "{\"version\":1,\"do\":\"list\",\"by\":\"a\\nb\"}",
	    "{\"version\":1,\"do\":\"list\"} x",
	    "{\"version\":1,\"do\":\"create\",\"pair\":\"12345678901234567890123456789012345678901\"}"};
	char deep[MESSAGE_REQUEST_MAX + 2];
	struct request r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (reads(bad[i], &r))
			fail_msg("taken: %s", bad[i]);
	memset(deep, '[', sizeof(deep));
	deep[sizeof(deep) - 1] = '\0';
	assert_false(reads(deep, &r));
	/* One byte more than it may have, all of it blanks. */
	memset(deep, ' ', sizeof(deep));
	memcpy(deep, "{\"version\":1,\"do\":\"list\"}", 25);
	deep[MESSAGE_REQUEST_MAX] = '\0';
	assert_true(reads(deep, &r));
	deep[MESSAGE_REQUEST_MAX] = ' ';
	deep[MESSAGE_REQUEST_MAX + 1] = '\0';
	assert_false(reads(deep, &r));
}

static void
replies(void **state)
{
	static const enum reply_kind texts[] = {
	    REPLY_PROGRESS, REPLY_NOTE, REPLY_SERVICE, REPLY_DONE, REPLY_ERROR};
	char longer[2 * MESSAGE_TEXT];
	enum reply_kind kind;
	json_t *v, *pairs;
	struct buf b;

	(void)state;
	buf_init(&b, MESSAGE_MAX);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		reply_write(&b, texts[i], "what \xff\nit is");
		assert_true(reply_read(&b, &kind, &v));
		assert_int_equal(kind, texts[i]);
		assert_string_equal(json_string_value(v), "what \\xff\\x0ait is");
		json_decref(v);
	}
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	reply_write(&b, REPLY_ERROR, longer);
	assert_true(reply_read(&b, &kind, &v));
	json_decref(v);
	pairs = json_pack("[{s:s}]", "pair", "web");
	reply_pairs(&b, pairs);
	assert_true(reply_read(&b, &kind, &v));
	assert_int_equal(kind, REPLY_PAIRS);
	assert_true(json_equal(v, pairs));
	json_decref(v);
	json_decref(pairs);
	buf_free(&b);
}

static void
no_replies(void **state)
{
	static const char *const bad[] = {"", "{}", "{\"done\":1}", "{\"done\":\"a\",\"error\":\"b\"}",
	    "{\"pairs\":\"web\"}", "{\"pairs\":[1]}", "{\"what\":\"ever\"}", "\"done\""};
	enum reply_kind kind;
	json_t *v;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct buf b;

		buf_view(&b, bad[i], strlen(bad[i]));
		if (reply_read(&b, &kind, &v))
			fail_msg("taken: %s", bad[i]);
		assert_null(v);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(requests),
	    cmocka_unit_test(no_requests), cmocka_unit_test(replies),
	    cmocka_unit_test(no_replies)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
