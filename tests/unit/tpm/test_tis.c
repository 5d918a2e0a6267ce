/* test_tis.c - the protocol of a TPM's registers, over a TPM that keeps it and ones that do not */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "registers.h"
#include "tpm/tis/page.h"

#define PATIENCE 1000
#define ROOM	 512
#define LEN	 200

static struct registers r;
static struct tis t;
static uint8_t cmd[TIS_MAX], rsp[ROOM + 1];
static size_t rsp_len;

static int
setup(void **state)
{
	(void)state;
	registers_init(&r);
	tis_init(&t, &registers_ops, &r);
	registers_command(cmd, LEN);
	memset(rsp, 0xee, sizeof(rsp));
	rsp_len = 0;
	return 0;
}

static enum tis_result
exchange(void)
{
	return tis_exchange(&t, cmd, LEN, PATIENCE, rsp, ROOM, &rsp_len);
}

/* Nothing is held, by nobody who waits. */
static void
assert_given_back(void)
{
	assert_false(r.active);
	assert_false(r.requested);
	assert_int_equal(r.entered, r.left);
	assert_int_equal(rsp[ROOM], 0xee);
}

static void
test_a_command_is_answered(void **state)
{
	(void)state;
	for (r.burst = 1; r.burst < 300; r.burst += 13) {
		assert_int_equal(exchange(), TIS_OK);
		assert_int_equal(rsp_len, LEN);
		assert_memory_equal(rsp + 10, cmd + 10, LEN - 10);
		assert_given_back();
	}
	r.burst = 0xffff; /* it may take more than there is */
	assert_int_equal(exchange(), TIS_OK);
	assert_int_equal(r.retries, 0);
}

static void
test_it_waits_for_its_turn(void **state)
{
	(void)state;
	r.others_until = 900;
	assert_int_equal(exchange(), TIS_OK);
	assert_true(r.us >= 900000);
	assert_given_back();

	r.others_until = r.us / 1000 + 5000;
	assert_int_equal(exchange(), TIS_BUSY);
	assert_int_equal(r.commands, 1);
	assert_given_back(); /* it does not ask any longer, or would get it later */
	r.others_until = 0;
	assert_int_equal(exchange(), TIS_OK);
}

static void
test_processes_take_turns(void **state)
{
	(void)state;
	r.others_inside = true;
	assert_int_equal(exchange(), TIS_BUSY);
	assert_int_equal(r.commands, 0);
	assert_int_equal(r.left, 0); /* the other's turn is not ended */
	r.others_inside = false;
	assert_int_equal(exchange(), TIS_OK);
	assert_given_back();
}

static void
test_what_another_left_is_ended(void **state)
{
	static const enum phase phases[] = {
	    PHASE_IDLE, PHASE_READY, PHASE_RECEPTION, PHASE_EXECUTION, PHASE_COMPLETION};

	(void)state;
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		r.active = true;
		r.phase = phases[i];
		r.command_len = r.response_len = phases[i] == PHASE_READY ? 0 : LEN;
		memcpy(r.command, cmd, LEN);
		r.done_at = INT64_MAX;
		assert_int_equal(exchange(), TIS_OK);
		assert_memory_equal(rsp + 10, cmd + 10, LEN - 10);
		assert_given_back();
	}
}

/* Ways to fail, and what becomes of each. */
static void
test_faults(void **state)
{
	static const struct {
		enum fault fault;
		enum tis_result result;
	} rows[] = {
	    {NOBODY, TIS_ABSENT},
	    {ZEROS, TIS_ABSENT},
	    {NEVER_READY, TIS_TIMEOUT},
	    {NO_ROOM, TIS_TIMEOUT},
	    {NO_BYTES, TIS_TIMEOUT},
	    {NEVER_VALID, TIS_TIMEOUT},
	    {WANTS_MORE, TIS_BROKEN},
	    {WANTS_LESS, TIS_BROKEN},
	    {NEVER_ANSWERS, TIS_TIMEOUT},
	    {LONGER, TIS_BROKEN},
	    {SHORTER, TIS_BROKEN},
	    {TINY, TIS_BROKEN},
	    {HUGE_, TIS_BROKEN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setup(state);
		r.fault = rows[i].fault;
		if (exchange() != rows[i].result)
			fail_msg("fault %d: not %d", rows[i].fault, rows[i].result);
		assert_given_back();
		assert_true(r.us < 400 * 1000000LL);
		/* It comes back. */
		r.fault = SOUND;
		if (exchange() != TIS_OK)
			fail_msg("fault %d: nothing works afterwards", rows[i].fault);
	}
}

static void
test_a_response_is_read_again(void **state)
{
	(void)state;
	r.fault = SHORT_ONCE;
	assert_int_equal(exchange(), TIS_OK);
	assert_int_equal(rsp_len, LEN);
	assert_int_equal(r.retries, 1);
	assert_memory_equal(rsp + 10, cmd + 10, LEN - 10);
}

static void
test_the_room_is_kept(void **state)
{
	(void)state;
	registers_command(cmd, ROOM + 1);
	assert_int_equal(
	    tis_exchange(&t, cmd, ROOM + 1, PATIENCE, rsp, ROOM, &rsp_len), TIS_TOO_BIG);
	assert_int_equal(rsp[ROOM - 1], 0xee);
	assert_given_back();
	registers_command(cmd, ROOM);
	assert_int_equal(
	    tis_exchange(&t, cmd, ROOM, PATIENCE, rsp, ROOM, &rsp_len), TIS_OK);
	assert_int_equal(rsp_len, ROOM);
	assert_given_back();
}

static void
test_lengths_of_commands(void **state)
{
	static uint8_t big[TIS_MAX + 1];

	(void)state;
	assert_int_equal(tis_send(&t, cmd, LEN - 1, PATIENCE), TIS_BAD_COMMAND);
	assert_int_equal(tis_send(&t, cmd, TIS_HEADER - 1, PATIENCE), TIS_BAD_COMMAND);
	registers_command(big, sizeof(big));
	assert_int_equal(tis_send(&t, big, sizeof(big), PATIENCE), TIS_BAD_COMMAND);
	assert_int_equal(r.looks, 0); /* the TPM saw nothing of it */
}

/* Another locality takes the TPM at any moment: no bytes of its are taken for ours. */
static void
seize_everywhere(void **state, bool plausible)
{
	unsigned looks;
	int taken = 0;

	setup(state);
	assert_int_equal(exchange(), TIS_OK);
	looks = r.looks;
	for (unsigned i = 1; i <= looks; i++) {
		enum tis_result result;

		setup(state);
		r.plausible = plausible;
		r.seize_after = i;
		result = exchange();
		if (r.seized)
			taken++;
		if (result != (r.seized ? TIS_TAKEN : TIS_OK))
			fail_msg("after %u looks: %d", i, result);
		assert_given_back();
		assert_true(r.us < 60 * 1000000LL); /* it is noticed */
		r.seize_after = 0;
		assert_int_equal(exchange(), TIS_OK);
		assert_false(r.seized);
	}
	assert_true(taken > 100);
}

static void
test_seized(void **state)
{
	seize_everywhere(state, false);
	seize_everywhere(state, true);
}

static void
test_the_response_takes_its_time(void **state)
{
	(void)state;
	r.takes = 30000;
	assert_int_equal(tis_send(&t, cmd, LEN, PATIENCE), TIS_OK);
	assert_int_equal(tis_wait(&t, 0), TIS_LATER);
	assert_int_equal(tis_wait(&t, 1000), TIS_LATER);
	assert_true(r.active);
	assert_int_equal(tis_wait(&t, -1), TIS_OK);
	assert_true(r.us >= 30000000);
	assert_int_equal(tis_receive(&t, rsp, ROOM, &rsp_len), TIS_OK);
	assert_given_back();
	/* There is nothing more. */
	assert_int_equal(tis_wait(&t, 0), TIS_CANCELED);
	assert_int_equal(tis_receive(&t, rsp, ROOM, &rsp_len), TIS_CANCELED);
	assert_int_equal(tis_cancel(&t), TIS_CANCELED);
}

static void
test_cancel(void **state)
{
	(void)state;
	r.takes = 30000;
	assert_int_equal(tis_send(&t, cmd, LEN, PATIENCE), TIS_OK);
	assert_int_equal(tis_cancel(&t), TIS_OK);
	assert_int_equal(tis_wait(&t, 100), TIS_OK);
	assert_int_equal(tis_receive(&t, rsp, ROOM, &rsp_len), TIS_OK);
	assert_memory_equal(rsp + 6, "\0\0\x09\x09", 4);
	assert_given_back();

	/* A TPM 1.2 forgets the command. */
	r.tpm12 = true;
	assert_int_equal(tis_send(&t, cmd, LEN, PATIENCE), TIS_OK);
	assert_int_equal(tis_cancel(&t), TIS_OK);
	(void)tis_cancel(&t); /* the simulated one is idle first, then ready */
	assert_int_equal(tis_wait(&t, 100), TIS_CANCELED);
	assert_given_back();
	r.takes = 1;
	assert_int_equal(exchange(), TIS_OK);
}

static void
test_probe(void **state)
{
	(void)state;
	assert_int_equal(tis_probe(&t), TIS_OK);
	assert_false(r.active || r.requested);
	r.fault = NOBODY;
	assert_int_equal(tis_probe(&t), TIS_ABSENT);
	r.fault = ZEROS;
	assert_int_equal(tis_probe(&t), TIS_ABSENT);
}

/* Whatever the registers say, it ends, and stays in its room. */
static void
test_noise(void **state)
{
	for (uint32_t seed = 0; seed < 20000; seed++) {
		setup(state);
		r.fault = NOISE;
		r.seed = seed;
		(void)exchange();
		assert_int_equal(rsp[ROOM], 0xee);
		assert_int_equal(r.entered, r.left);
		assert_false(t.held || t.entered);
		assert_true(r.us < 500 * 1000000LL);
	}
}

static void
test_names_of_pages(void **state)
{
	char why[TIS_PAGE_WHY];
	struct tis_page p;

	(void)state;
	assert_int_equal(tis_page_locality("/dev/mem:0xfed40000"), 0);
	assert_int_equal(tis_page_locality(TIS_PAGE_DEFAULT), 2);
	assert_int_equal(tis_page_locality("/dev/mem:0xfed44000"), 4);
	assert_int_equal(tis_page_locality("/dev/mem:0xfed45000"), -1);
	assert_int_equal(tis_page_locality("/dev/mem:0xfed42010"), -1);
	assert_int_equal(tis_page_locality("/dev/mem:fed42000"), -1);
	assert_int_equal(tis_page_locality("/dev/mem:0x"), -1);
	assert_int_equal(tis_page_locality("/dev/mem:0xfed42000 "), -1);
	assert_int_equal(tis_page_locality("/dev/mem:0xfffffffffffff000"), -1);
	assert_int_equal(tis_page_locality("mem:0xfed42000"), -1);
	assert_int_equal(tis_page_locality(""), -1);
	assert_int_equal(tis_page_open("/dev/mem", &p, why), -1);
	assert_non_null(strstr(why, "/dev/mem:0xfed42000"));
	/* Mapped, and a bus error to touch: it is asked for before. */
	assert_int_equal(tis_page_open("/proc/self/exe:0xfed42000", &p, why), -1);
	assert_null(p.map);
}

static void
test_a_page(void **state)
{
	const struct tis_ops *ops = &tis_page_ops;
	char name[] = "/tmp/caas-tis-XXXXXX";
	static uint32_t registers[1024];
	struct tis_page a = {.map = registers}, b = a;

	(void)state;
	assert_true((a.lock = mkstemp(name)) >= 0);
	assert_true((b.lock = open(name, O_RDWR | O_CLOEXEC)) >= 0);
	unlink(name);
	assert_true(ops->enter(&a));
	assert_false(ops->enter(&b));
	ops->leave(&a);
	assert_true(ops->enter(&b));
	assert_false(ops->enter(&a));
	close(b.lock); /* who dies holds nobody up */
	assert_true(ops->enter(&a));

	ops->write8(&a, TIS_STS + 3, 1);
	ops->write8(&a, TIS_STS, 0x80);
	assert_int_equal(ops->read32(&a, TIS_STS), 0x01000080);
	assert_int_equal(ops->read8(&a, TIS_STS), 0x80);
	close(a.lock);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	    T(test_a_command_is_answered),
	    T(test_it_waits_for_its_turn),
	    T(test_processes_take_turns),
	    T(test_what_another_left_is_ended),
	    T(test_faults),
	    T(test_a_response_is_read_again),
	    T(test_the_room_is_kept),
	    T(test_lengths_of_commands),
	    T(test_seized),
	    T(test_the_response_takes_its_time),
	    T(test_cancel),
	    T(test_probe),
	    T(test_noise),
	    T(test_names_of_pages),
	    T(test_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
