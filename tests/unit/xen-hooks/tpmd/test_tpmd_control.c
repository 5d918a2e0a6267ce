/* What domtd tells domt-tpmd: there and back, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "xen-hooks/tpmd/control.h"

static struct control_pair
pair(const char *name, uint32_t domid)
{
	struct control_pair p = {.domid = domid};

	snprintf(p.pair, sizeof(p.pair), "%s", name);
	memset(p.uuid, (int)domid, sizeof(p.uuid));
	memset(p.digest, 0xd0 + (int)domid, sizeof(p.digest));
	return p;
}

static bool
reads(struct control_pair *pairs, size_t n, size_t cut, size_t more)
{
	struct control_world w = {.pairs = pairs, .n = n}, back;
	struct buf b, view;
	bool ok;

	buf_init(&b, CONTROL_MAX);
	control_world_write(&b, &w);
	for (size_t i = 0; i < more; i++)
		buf_put_u8(&b, 0);
	assert_true(buf_ok(&b));
	buf_view(&view, b.data, b.len - cut);
	ok = control_world_read(&view, &back);
	if (ok) {
		assert_int_equal(back.n, n);
		if (n > 0)
			assert_memory_equal(back.pairs, pairs, n * sizeof(*pairs));
	} else {
		assert_null(back.pairs);
		assert_int_equal(back.n, 0);
	}
	control_world_free(&back);
	buf_free(&b);
	return ok;
}

static void
worlds(void **state)
{
	struct control_pair p[2] = {pair("web", 3), pair("ca.example-1", 4)};

	(void)state;
	assert_true(reads(NULL, 0, 0, 0));
	assert_true(reads(p, 1, 0, 0));
	assert_true(reads(p, 2, 0, 0));
	for (size_t cut = 1; cut < 100; cut++)
		assert_false(reads(p, 2, cut, 0));
	assert_false(reads(p, 2, 0, 1));
}

static void
the_most(void **state)
{
	static struct control_pair p[CONTROL_PAIRS + 1];
	char name[PAIR_NAME + 8];

	(void)state;
	for (uint32_t i = 0; i <= CONTROL_PAIRS; i++) {
		snprintf(name, sizeof(name), "a-name-of-forty-characters-at-most--%04u", i);
		assert_int_equal(strlen(name), PAIR_NAME - 1);
		p[i] = pair(name, i + 1);
	}
	assert_true(reads(p, CONTROL_PAIRS, 0, 0));
	assert_false(reads(p, CONTROL_PAIRS + 1, 0, 0));
}

static void
no_worlds(void **state)
{
	static const char *const names[] = {"", "../x", ".x", "a b", "a/b"};
	struct control_pair p[2] = {pair("web", 3), pair("web", 4)};
	static const uint8_t many[] = {'C', 'M', 'B', 'T', 2, 0, 0xff, 0xff, 0xff, 0xff};
	struct control_world w;
	struct buf b;

	(void)state;
	assert_false(reads(p, 2, 0, 0)); /* a pair twice */
	p[1] = pair("ca", 3);
	assert_false(reads(p, 2, 0, 0)); /* a domain twice */
	p[1] = pair("ca", 0);
	assert_false(reads(p, 2, 0, 0));
	p[1] = pair("ca", 0x7ff0);
	assert_false(reads(p, 2, 0, 0));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		p[1] = pair(names[i], 4);
		assert_false(reads(p, 2, 0, 0));
	}
	buf_view(&b, many, sizeof(many));
	assert_false(control_world_read(&b, &w));
	buf_view(&b, "CMBT\1\0\0\0\0\0\0\0\0\0\0\0\0\0", 18);
	assert_false(control_world_read(&b, &w));
	buf_view(&b, "TBMC\2\0\0\0\0\0\0\0\0\0\0\0\0\0", 18);
	assert_false(control_world_read(&b, &w));
}

/* What is to be forgotten is a pair, and is not there. */
static void
forgets(void **state)
{
	static const struct {
		const char *pair;
		bool ok;
	} rows[] = {{"", true}, {"mail", true}, {"we", true}, {"web", false}, {"ca", false},
	    {"../x", false}};
	struct control_pair p[2] = {pair("web", 3), pair("ca", 4)};
	struct control_world w = {.pairs = p, .n = 2}, back;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(w.forget, sizeof(w.forget), "%s", rows[i].pair);
		buf_init(&b, CONTROL_MAX);
		control_world_write(&b, &w);
		assert_int_equal(control_world_read(&b, &back), rows[i].ok);
		assert_string_equal(back.forget, rows[i].ok ? rows[i].pair : "");
		control_world_free(&back);
		buf_free(&b);
	}
}

static void
answers(void **state)
{
	struct control_answer a = {.ok = true, .forgotten = 3, .rows = 77}, back;
	struct buf b;

	(void)state;
	buf_init(&b, CONTROL_MAX);
	for (int i = 0; i < 2; i++) {
		a.ok = i == 0;
		memset(a.text, 'x', i == 0 ? 0 : sizeof(a.text) - 1);
		buf_reset(&b);
		control_answer_write(&b, &a);
		assert_true(control_answer_read(&b, &back));
		assert_int_equal(back.ok, a.ok);
		assert_string_equal(back.text, a.text);
		assert_int_equal(back.forgotten, 3);
		assert_int_equal(back.rows, 77);
	}
	buf_put_u8(&b, 0);
	b.pos = 0;
	assert_false(control_answer_read(&b, &back));
	buf_free(&b);
	buf_view(&b, "\2\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19);
	assert_false(control_answer_read(&b, &back));
	buf_view(&b, "\3\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19);
	assert_false(control_answer_read(&b, &back));
	buf_view(&b, "\2\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19);
	assert_true(control_answer_read(&b, &back));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(worlds),
	    cmocka_unit_test(the_most),
	    cmocka_unit_test(no_worlds),
	    cmocka_unit_test(forgets),
	    cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests_name("tpmd control", tests, NULL, NULL);
}
