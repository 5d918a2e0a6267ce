/* The hello: who is answered, and with what. */
#include "harness.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
slots_are_listed(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a, again;
	struct hello_slot s[3];
	uint8_t bytes[3 * HELLO_SLOT_LEN];
	struct channel *c;

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	c = vsmd_hello(v, HELLO_SLOTS, 0, &a);
	assert_int_equal(a.status, HELLO_OK);
	assert_int_equal(a.count, 3);
	assert_int_equal(a.epoch, 41);
	assert_int_equal(channel_read_all(c, bytes, sizeof(bytes), 5000), 0);
	for (int i = 0; i < 3; i++)
		assert_true(hello_slot_read(bytes + i * HELLO_SLOT_LEN, &s[i]));
	assert_int_equal(s[0].slot, FAKE_SLOT);
	assert_int_equal(s[0].flags, HELLO_SLOT_INITIALIZED);
	assert_int_equal(s[2].slot, FAKE_EMPTY);
	assert_int_equal(s[2].flags, 0);
	/* And closed. */
	assert_int_equal(channel_read(c, bytes, 1, 5000), 0);
	channel_close(c);
	c = vsmd_hello(v, HELLO_SLOTS, 0, &again);
	assert_memory_equal(a.instance, again.instance, sizeof(a.instance));
	channel_close(c);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
policy_hides_slots(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a;
	struct hello_slot s;
	uint8_t bytes[HELLO_SLOT_LEN];
	struct channel *c;

	vsmd_config(v, NULL, "[principal me]\nuid = *\n[grant me oth*]\n");
	vsmd_start(v, true);
	c = vsmd_hello(v, HELLO_SLOTS, 0, &a);
	assert_int_equal(a.count, 1);
	assert_int_equal(channel_read_all(c, bytes, sizeof(bytes), 5000), 0);
	assert_true(hello_slot_read(bytes, &s));
	assert_int_equal(s.slot, FAKE_OTHER);
	channel_close(c);
	channel_close(vsmd_hello(v, HELLO_TOKEN, FAKE_OTHER, &a));
	assert_int_equal(a.status, HELLO_OK);
	channel_close(vsmd_hello(v, HELLO_TOKEN, FAKE_SLOT, &a));
	assert_int_equal(a.status, HELLO_NO_SLOT);
	channel_close(vsmd_hello(v, HELLO_TOKEN, FAKE_EMPTY, &a));
	assert_int_equal(a.status, HELLO_NO_SLOT);
	channel_close(vsmd_hello(v, HELLO_TOKEN, 1234, &a));
	assert_int_equal(a.status, HELLO_NO_SLOT);
	channel_close(vsmd_hello(v, HELLO_ADMIN, 0, &a));
	assert_int_equal(a.status, HELLO_REFUSED);
	assert_int_equal(vsmd_stop(v), 0);
}

static void
strangers_are_refused(void **state)
{
	struct vsmd *v = *state;
	struct hello_answer a;
	char policy[128];

	snprintf(policy, sizeof(policy),
	    "[principal other]\nuid = %u\nrole = admin\n"
	    "[grant other *]\nallow = all\n",
	    (unsigned)getuid() + 1);
	vsmd_config(v, NULL, policy);
	vsmd_start(v, true);
	for (int purpose = HELLO_SLOTS; purpose <= HELLO_ADMIN; purpose++) {
		channel_close(vsmd_hello(v, (enum hello_purpose)purpose, FAKE_SLOT, &a));
		assert_int_equal(a.status, HELLO_REFUSED);
	}
	(void)vsmd_log(v, 0, "refused: no principal of the configuration peer=\"uid ");
	assert_int_equal(vsmd_stop(v), 0);
}

/* Send raw bytes, then read what comes until the end. */
static ssize_t
raw(struct vsmd *v, const uint8_t *bytes, size_t len, uint8_t *answer)
{
	struct channel *c = transport_connect(v->address, 5000);
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	ssize_t n;

	assert_non_null(c);
	assert_int_equal(channel_writev(c, &iov, 1, 5000), 0);
	n = channel_read(c, answer, HELLO_LEN, 20000);
	channel_close(c);
	return n;
}

static void
malformed_hellos(void **state)
{
	struct vsmd *v = *state;
	struct hello_ask ask = {.version = HELLO_VERSION + 1, .purpose = HELLO_SLOTS};
	struct hello_answer a;
	uint8_t bytes[HELLO_LEN], answer[HELLO_LEN];

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	hello_ask_write(bytes, &ask);
	assert_int_equal(raw(v, bytes, sizeof(bytes), answer), HELLO_LEN);
	assert_true(hello_answer_read(answer, &a));
	assert_int_equal(a.status, HELLO_BAD_VERSION);
	ask.version = HELLO_VERSION;
	hello_ask_write(bytes, &ask);
	bytes[0] ^= 1;
	assert_true(raw(v, bytes, sizeof(bytes), answer) <= 0);
	(void)vsmd_log(v, 0, "refused: not a hello");
	for (int i = 0; i < 40; i++)
		assert_true(raw(v, bytes, sizeof(bytes), answer) <= 0);
	/* Half a hello: closed at the deadline, and it holds up nobody meanwhile. */
	assert_true(raw(v, bytes, 10, answer) <= 0);
	/* And what the log leaves out of so many is told. */
	(void)vsmd_log(v, 0, " more lines of what peers did were left out");
	assert_int_equal(vsmd_stop(v), 0);
}

static void
half_open_peers_are_few(void **state)
{
	struct vsmd *v = *state;
	struct channel *c[40];
	struct hello_answer a;
	uint8_t answer[HELLO_LEN];

	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	for (size_t i = 0; i < 40; i++)
		assert_non_null(c[i] = transport_connect(v->address, 5000));
	/* The last ones are told so at once, without having said a word. */
	assert_int_equal(channel_read_all(c[39], answer, sizeof(answer), 5000), 0);
	assert_true(hello_answer_read(answer, &a));
	assert_int_equal(a.status, HELLO_BUSY);
	for (size_t i = 0; i < 40; i++)
		channel_close(c[i]);
	/* Once it has noticed that they are gone, others have their turn. */
	for (int i = 0; i < 1000; i++) {
		channel_close(vsmd_hello(v, HELLO_SLOTS, 0, &a));
		if (a.status == HELLO_OK)
			break;
		(void)poll(NULL, 0, 10);
	}
	assert_int_equal(a.status, HELLO_OK);
	assert_int_equal(vsmd_stop(v), 0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, vsmd_setup, vsmd_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(slots_are_listed),
	    TEST(policy_hides_slots),
	    TEST(strangers_are_refused),
	    TEST(malformed_hellos),
	    TEST(half_open_peers_are_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
