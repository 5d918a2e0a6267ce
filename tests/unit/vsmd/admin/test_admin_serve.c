/* vsmd/admin/serve.c: what the store is asked, what the peer is told */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "vsmd/admin/serve.h"
#include "vsmd/msg.h"

/* A store that keeps what it was asked, and answers what it was told to. */
struct fake {
	int asked;
	char call[64], json[256];
	size_t secret_len, blob_len;
	const uint8_t *raw; /* answer, or NULL: the pipe is broken */
	size_t raw_len;
};

static int
fake_ask(void *arg, const struct buf *request, struct buf *answer)
{
	struct fake *f = arg;
	struct buf in;

	f->asked++;
	buf_view(&in, request->data, request->len);
	assert_int_equal(buf_get_u8(&in), M_A_ASK);
	buf_get_str(&in, f->call, sizeof(f->call));
	buf_get_str(&in, f->json, sizeof(f->json));
	buf_get_bytes(&in, &f->secret_len);
	buf_get_bytes(&in, &f->blob_len);
	assert_true(buf_end(&in));
	if (f->raw == NULL)
		return -1;
	buf_put_raw(answer, f->raw, f->raw_len);
	return 0;
}

static bool
serve(struct fake *f, const char *call, const char *json, const char *status, struct buf *out)
{
	struct admin_back back = {.ask = fake_ask, .arg = f, .status = status};
	struct buf in;
	bool rc;

	buf_init(&in, 65536);
	buf_init(out, 65536);
	buf_put_str(&in, call);
	buf_put_str(&in, json);
	buf_put_bytes(&in, NULL, 0);
	buf_put_bytes(&in, NULL, 0);
	rc = admin_serve(&in, out, &back);
	buf_free(&in);
	return rc;
}

static void
set_answer(struct buf *b, struct fake *f, uint8_t ok, const char *text, const char *blob)
{
	buf_init(b, 4096);
	buf_put_u8(b, M_A_ANSWER);
	buf_put_u8(b, ok);
	buf_put_str(b, text);
	buf_put_str(b, blob);
	f->raw = b->data;
	f->raw_len = b->len;
}

static void
expect_reply(struct buf *out, uint8_t ok, const char *text, const char *blob)
{
	char got[512];

	assert_int_equal(buf_get_u8(out), ok);
	buf_get_str(out, got, sizeof(got));
	if (text != NULL)
		assert_string_equal(got, text);
	buf_get_str(out, got, sizeof(got));
	assert_string_equal(got, blob);
	assert_true(buf_end(out));
	buf_free(out);
}

static void
relayed(void **state)
{
	struct fake f = {0};
	struct buf a, out;

	(void)state;
	set_answer(&a, &f, 1, "{\"done\":true}", "piece");
	assert_true(serve(&f, "backup-read", " { \"offset\": 7, \"handle\":3 } ", "{}", &out));
	assert_string_equal(f.call, "backup-read");
	/* rewritten, not passed through */
	assert_string_equal(f.json, "{\"handle\":3,\"offset\":7}");
	expect_reply(&out, 1, "{\"done\":true}", "piece");
	buf_free(&a);
}

static void
error_of_store(void **state)
{
	struct fake f = {0};
	struct buf a, out;

	(void)state;
	set_answer(&a, &f, 0, "no such token: see caas token list", "");
	assert_true(serve(&f, "token-delete", "{\"label\":\"x\"}", "{}", &out));
	expect_reply(&out, 0, "no such token: see caas token list", "");
	buf_free(&a);
}

static void
refused_before_the_store(void **state)
{
	struct fake f = {0};
	struct buf out;

	(void)state;
	assert_true(serve(&f, "token-delete", "{}", "{}", &out));
	assert_int_equal(f.asked, 0);
	expect_reply(&out, 0, NULL, "");
}

static void
status_of_both(void **state)
{
	struct fake f = {0};
	struct buf a, out;
	char text[256];
	json_t *j;

	(void)state;
	set_answer(&a, &f, 1, "{\"tokens\":2}", "");
	assert_true(serve(&f, "status", "{}", "{\"workers\":3}", &out));
	assert_int_equal(buf_get_u8(&out), 1);
	buf_get_str(&out, text, sizeof(text));
	j = json_loads(text, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(j, "tokens")), 2);
	assert_int_equal(
	    json_integer_value(json_object_get(json_object_get(j, "vsmd"), "workers")), 3);
	json_decref(j);
	buf_free(&out);
	buf_free(&a);
}

static void
broken_store(void **state)
{
	static const uint8_t cut[] = {M_A_ANSWER, 1, 9, 0};
	static const uint8_t other[] = {M_A_ASK};
	struct fake gone = {0}, half = {.raw = cut, .raw_len = sizeof(cut)},
		    wrong = {.raw = other, .raw_len = sizeof(other)};
	struct buf out;

	(void)state;
	assert_false(serve(&gone, "status", "{}", "{}", &out));
	buf_free(&out);
	assert_false(serve(&half, "status", "{}", "{}", &out));
	buf_free(&out);
	assert_false(serve(&wrong, "status", "{}", "{}", &out));
	buf_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(relayed),
	    cmocka_unit_test(error_of_store),
	    cmocka_unit_test(refused_before_the_store),
	    cmocka_unit_test(status_of_both),
	    cmocka_unit_test(broken_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
