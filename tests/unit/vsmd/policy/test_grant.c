/* A grant as bytes: the largest fits a message, and what is malformed allows nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "vsmd/policy/grant.h"

#define HELLO_ROOM 128 /* what goes with a grant in a message */

static struct grant in, out;

static void
fill(void)
{
	memset(&in, 0, sizeof(in));
	memset(in.principal, 'p', sizeof(in.principal) - 1);
	memset(in.peer, 'q', sizeof(in.peer) - 1);
	in.flags = GRANT_CHANNEL_LOGIN | GRANT_ADMIN;
	in.classes = 1u << CLASS_INIT | 1;
	in.limit_mechs = true;
	in.rate = 9;
	in.burst = 10;
	in.nquotas = GRANT_MAX_QUOTAS;
	for (size_t i = 0; i < GRANT_MAX_QUOTAS; i++)
		in.quotas[i] = (struct grant_quota){0xfffffff0 - i, 3, (uint32_t)i};
	in.nmechs = GRANT_MAX_MECHS;
	in.nrules = GRANT_MAX_RULES;
	for (size_t i = 0; i < GRANT_MAX_MECHS; i++)
		in.mechs[i] = 0xfffffff0 - i;
	for (size_t i = 0; i < GRANT_MAX_RULES; i++) {
		struct grant_rule *r = &in.rules[i];

		r->match.has_class = r->match.has_id = i % 2;
		r->match.has_type = r->match.has_label = true;
		r->match.class = CKO_SECRET_KEY;
		r->match.type = CKK_AES;
		memset(r->match.label, 'l', sizeof(r->match.label) - 1);
		memset(r->match.id, (int)i, sizeof(r->match.id));
		r->match.id_len = sizeof(r->match.id);
		r->hide = i % 3 == 0;
		r->limit_mechs = true;
		r->nmechs = GRANT_MAX_MECHS;
		memcpy(r->mechs, in.mechs, sizeof(r->mechs));
		r->rate = 7;
		r->burst = (uint32_t)i;
		r->nquotas = GRANT_RULE_QUOTAS;
		memcpy(r->quotas, in.quotas, sizeof(r->quotas));
	}
}

static void
largest_round_trip(void **state)
{
	struct buf b;

	(void)state;
	fill();
	buf_init(&b, IPC_MAX - HELLO_ROOM);
	grant_write(&b, &in);
	assert_true(buf_ok(&b));
	assert_true(grant_read(&b, &out));
	assert_true(buf_end(&b));
	assert_memory_equal(&in, &out, sizeof(in));
	buf_free(&b);
}

static void
refused(struct buf *b)
{
	static const struct grant nothing;

	out.nrules = 1;
	assert_false(grant_read(b, &out));
	assert_memory_equal(&out, &nothing, offsetof(struct grant, rules));
}

/* Cut anywhere: refused, and what was read is forgotten. */
static void
every_cut(void **state)
{
	struct buf b, view;

	(void)state;
	fill();
	in.nrules = 2;
	buf_init(&b, IPC_MAX);
	grant_write(&b, &in);
	assert_true(buf_ok(&b));
	for (size_t n = 0; n < b.len; n++) {
		buf_view(&view, b.data, n);
		refused(&view);
	}
	buf_free(&b);
}

static void
patched(size_t off, uint32_t value)
{
	struct buf b;

	memset(&in, 0, sizeof(in));
	in.nrules = 1;
	buf_init(&b, IPC_MAX);
	grant_write(&b, &in);
	buf_set_u32(&b, off, value);
	refused(&b);
	buf_free(&b);
}

/* With empty names: 8, 8, flags at 16, classes at 20, limit 24, nmechs 25, rate 27,
 * burst 31, nquotas 35, nrules 37, the rule's bits at 39. */
static void
bad_members(void **state)
{
	struct buf b;

	(void)state;
	patched(16, 0x40);     /* unknown flag */
	patched(20, 1u << 12); /* unknown class */
	patched(24, 2);	       /* a bool that is none */
	patched(25, GRANT_MAX_MECHS + 1);
	patched(35, GRANT_MAX_QUOTAS + 1);
	patched(37, GRANT_MAX_RULES + 1);
	patched(39, 0x40);	/* unknown bit */
	patched(0, GRANT_NAME); /* name longer than the bytes that follow */
	memset(&in, 0, sizeof(in));
	in.nmechs = 1;
	in.mechs[0] = 1ull << 32; /* not a mechanism: cannot be written */
	buf_init(&b, IPC_MAX);
	grant_write(&b, &in);
	assert_false(buf_ok(&b));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(largest_round_trip),
	    cmocka_unit_test(every_cut),
	    cmocka_unit_test(bad_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
