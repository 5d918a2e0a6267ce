/* test_anchor.c - the anchor in a TPM 2.0 and a TPM 1.2: it goes forward, for its owner alone */
#include "tpm2_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "between.h"
#include "rig12.h"
#include "tpm/backend.h"

static const struct tpm_anchor ours = {.place = 77, .secret = "whoever knows this may extend"};
static const uint8_t digests[3][TPM_ANCHOR_LEN] = {"one", "two", "three"};
static const uint8_t origin[TPM_ANCHOR_LEN] = "origin";
static char address[160];

static void
first(uint8_t v[TPM_ANCHOR_LEN])
{
	memset(v, 0, TPM_ANCHOR_LEN);
	tpm_anchor_after(v, origin);
}

static void
must(struct tpm *t, enum tpm_result r)
{
	if (r != TPM_OK)
		fail_msg("%d: %s", r, tpm_error(t));
}

static void
is(struct tpm *t, const uint8_t want[TPM_ANCHOR_LEN])
{
	struct tpm_anchor_value v;

	must(t, tpm_anchor_read(t, &ours, &v));
	assert_memory_equal(v.value, want, TPM_ANCHOR_LEN);
}

static uint64_t
count(struct tpm *t)
{
	struct tpm_anchor_value v;

	must(t, tpm_anchor_read(t, &ours, &v));
	return v.count;
}

static void
refused(struct tpm *t, const struct tpm_anchor *a, enum tpm_result want)
{
	struct tpm_anchor_value v;

	assert_int_equal(tpm_anchor_read(t, a, &v), want);
	if (want != TPM_UNANCHORED)
		assert_int_equal(tpm_anchor_count(t, a), want);
	assert_int_equal(tpm_anchor_extend(t, a, digests[0]), want);
	assert_true(strlen(tpm_error(t)) > 20);
}

/* The same on both kinds of TPM. */
static void
it_goes_forward(void)
{
	struct tpm *t = must_open(address);
	struct tpm_anchor other = ours;
	uint8_t v[TPM_ANCHOR_LEN];
	uint64_t n;
	char name[64];

	refused(t, &ours, TPM_UNANCHORED);
	must(t, tpm_anchor_define(t, &ours, origin));
	first(v);
	is(t, v);
	n = count(t);
	for (int i = 0; i < 3; i++) {
		must(t, tpm_anchor_extend(t, &ours, digests[i]));
		tpm_anchor_after(v, digests[i]);
		is(t, v);
	}
	must(t, tpm_anchor_count(t, &ours));
	assert_int_equal(count(t), n + 1);
	is(t, v);
	tpm_anchor_rest(t);
	is(t, v);
	tpm_anchor_name(t, &ours, name, sizeof(name));
	assert_non_null(strstr(name, "NV index 0x0"));

	/* Another who asks, and another place. */
	other.secret[0] ^= 1;
	refused(t, &other, TPM_UNANCHORED);
	other = ours;
	other.place++;
	refused(t, &other, TPM_UNANCHORED);
	other.place = TPM_ANCHOR_PLACES;
	refused(t, &other, TPM_FAILED);
	is(t, v);
	tpm_close(t);

	t = must_open(address);
	is(t, v);
	/* Made anew it is as at first; the count may go on. */
	must(t, tpm_anchor_define(t, &ours, origin));
	first(v);
	is(t, v);
	tpm_close(t);
}

static void
test_it_goes_forward(void **state)
{
	(void)state;
	snprintf(address, sizeof(address), "%s", tpm_a.address);
	it_goes_forward();
}

static void
test_killed(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	uint8_t v[TPM_ANCHOR_LEN];
	uint64_t n;

	(void)state;
	must(t, tpm_anchor_define(t, &ours, origin));
	must(t, tpm_anchor_extend(t, &ours, digests[0]));
	must(t, tpm_anchor_count(t, &ours));
	n = count(t);
	first(v);
	tpm_anchor_after(v, digests[0]);
	rig_kill(&tpm_a, SIGKILL);
	refused(t, &ours, TPM_ABSENT);
	rig_restart(&tpm_a);
	is(t, v); /* in the same connection */
	assert_int_equal(count(t), n);
	/* The session is lost meanwhile: one failure, and it works again. */
	rig_kill(&tpm_a, SIGKILL);
	rig_restart(&tpm_a);
	if (tpm_anchor_extend(t, &ours, digests[1]) != TPM_OK) {
		is(t, v);
		must(t, tpm_anchor_extend(t, &ours, digests[1]));
	}
	tpm_anchor_after(v, digests[1]);
	is(t, v);
	tpm_close(t);
}

static void
tool(const char *name, uint32_t index, const char *args)
{
	char command[400];

	snprintf(command, sizeof(command),
	    "tpm2_%s -T swtpm:path=%.60s/s 0x%x %s >/dev/null 2>&1", name, tpm_a.dir, index,
	    args);
	assert_int_equal(system(command), 0);
}

/* The owner, who may remove it, and make another of the same form. */
static void
test_removed_and_made_by_others(void **state)
{
	struct tpm *t = must_open(tpm_a.address);
	uint32_t index = t->backend->anchor_index(&ours);

	(void)state;
	must(t, tpm_anchor_define(t, &ours, origin));
	tool("nvundefine", index, "");
	tpm_close(t);
	t = must_open(tpm_a.address);
	refused(t, &ours, TPM_UNANCHORED);
	tool("nvdefine", index, "-s 32 -a 'authread|authwrite|no_da|nt=extend'");
	refused(t, &ours, TPM_UNANCHORED); /* never written */
	tool("nvextend", index, "-i /etc/hostname");
	refused(t, &ours, TPM_UNANCHORED); /* another's secret */
	tool("nvundefine", index, "");
	tool("nvdefine", index, "-s 32 -a 'authread|authwrite|no_da'");
	refused(t, &ours, TPM_UNANCHORED); /* of another form */
	must(t, tpm_anchor_define(t, &ours, origin));
	must(t, tpm_anchor_extend(t, &ours, digests[0]));
	tpm_close(t);
}

#define CC_NV_EXTEND 0x136
#define CC_NV_READ   0x14e

/* Who stands between answers a question by an answer of before. */
static void
test_an_old_answer(void **state)
{
	struct tpm_anchor_value v;
	struct between b;
	struct tpm *t;

	(void)state;
	between_start(&b, &tpm_a);
	t = must_open(b.address);
	must(t, tpm_anchor_define(t, &ours, origin));
	must(t, tpm_anchor_read(t, &ours, &v));
	must(t, tpm_anchor_extend(t, &ours, digests[0]));
	b.orders->replay = CC_NV_READ;
	assert_int_equal(tpm_anchor_read(t, &ours, &v), TPM_FOREIGN);
	assert_int_equal(b.orders->replayed, 1);
	/* Also in a fresh session, as after a start. */
	tpm_close(t);
	t = must_open(b.address);
	assert_int_not_equal(tpm_anchor_read(t, &ours, &v), TPM_OK);
	assert_true(b.orders->replayed > 1);
	b.orders->replay = 0;
	must(t, tpm_anchor_read(t, &ours, &v));
	tpm_close(t);
	between_free(&b);
}

/* A command that is kept back and delivered when others were obeyed since: in the same
 * session it is worth nothing, and what one of a dead session does is no state of before. */
static void
test_a_late_command(void **state)
{
	uint8_t before[TPM_ANCHOR_LEN], held[TPM_ANCHOR_LEN];
	struct tpm_anchor_value v;
	struct between b;
	struct tpm *t, *t2;

	(void)state;
	between_start(&b, &tpm_a);
	t = must_open(b.address);
	must(t, tpm_anchor_define(t, &ours, origin));
	first(before);
	memcpy(held, before, sizeof(held));
	tpm_anchor_after(held, digests[0]);
	b.orders->hold = CC_NV_EXTEND;
	assert_int_not_equal(tpm_anchor_extend(t, &ours, digests[0]), TPM_OK);
	assert_int_equal(b.orders->held, 1);
	is(t, before);
	must(t, tpm_anchor_extend(t, &ours, digests[1]));
	tpm_anchor_after(before, digests[1]);
	is(t, before);
	b.orders->result = 0;
	b.orders->deliver = 1;
	must(t, tpm_anchor_read(t, &ours, &v));
	/* Its session was flushed when it failed. */
	assert_int_not_equal(b.orders->result, 0);
	is(t, before);

	/* Of a session that nobody could flush: of a vsmd that was killed, say. */
	b.orders->hold = CC_NV_EXTEND;
	t2 = must_open(tpm_a.address);
	assert_int_not_equal(tpm_anchor_extend(t, &ours, digests[0]), TPM_OK);
	must(t2, tpm_anchor_extend(t2, &ours, digests[2]));
	tpm_anchor_after(before, digests[2]);
	b.orders->deliver = 1;
	must(t, tpm_anchor_read(t, &ours, &v));
	assert_memory_not_equal(v.value, held, sizeof(held));
	tpm_close(t2);
	tpm_close(t);
	between_free(&b);
}

static void
test_tpm12(void **state)
{
	struct rig12 rig;

	(void)state;
	if (rig12_missing() != NULL) {
		print_message("SKIPPED, no TPM 1.2: %s\n", rig12_missing());
		skip();
	}
	rig12_start(&rig, 1);
	snprintf(address, sizeof(address), "%s", rig.address);
	it_goes_forward();
	rig12_free(&rig);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, tpm2_setup, tpm2_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_it_goes_forward),
	    T(test_killed),
	    T(test_removed_and_made_by_others),
	    T(test_an_old_answer),
	    T(test_a_late_command),
	    cmocka_unit_test(test_tpm12),
	};

	return cmocka_run_group_tests(tests, tpm2_group_setup, tpm2_group_teardown);
}
