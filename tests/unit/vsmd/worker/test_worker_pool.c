/* test_worker_pool.c - many requests on one channel, and guests that break the rules */
#include "rig.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct rig rig;

static int
setup(void **state)
{
	(void)state;
	rig_start(&rig, true);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static void
send_random(struct guest *g, uint32_t id, CK_SESSION_HANDLE session)
{
	struct arg args[ARGS_MAX] = {N(session), PL(g, 16)};

	guest_send(g, id, CALL_C_GenerateRandom, args);
}

static void
read_random(struct guest *g)
{
	uint8_t random[16];
	struct arg args[ARGS_MAX] = {N(0), PL(random, 16)};

	assert_int_equal(guest_read_reply(g, CALL_C_GenerateRandom, args), CKR_OK);
}

/* A commit that hangs stands for a call that is slow: the others go on. */
static void
test_slow_call_delays_nobody(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM mech = {CKM_AES_KEY_GEN, NULL, 0};
	CK_ULONG len = 32;
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1}, {CKA_VALUE_LEN, &len, sizeof(len)}};
	CK_OBJECT_HANDLE key;
	struct arg args[ARGS_MAX];
	CK_SESSION_HANDLE second;
	struct guest g;
	struct frame f;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	second = g.session;
	guest_open(&g);
	rig.store.hold_commit = 1;
	memcpy(args,
	    ((const struct arg[ARGS_MAX]){N(g.session), P(&mech), PL(t, 2), P(&key)}),
	    sizeof(args));
	guest_send(&g, 1000, CALL_C_GenerateKey, args);
	for (uint32_t id = 1; id <= 20; id++) {
		send_random(&g, id, id % 2 ? second : g.session);
		assert_true(guest_receive(&g, &f));
		assert_int_equal(f.id, id);
		read_random(&g);
	}
	rig.store.hold_commit = 0;
	assert_true(guest_receive(&g, &f));
	assert_int_equal(f.id, 1000);
	assert_int_equal(guest_read_reply(&g, CALL_C_GenerateKey, args), CKR_OK);
	assert_int_equal(guest_leave(&g), 0);
}

/* A worker that has `n` processors, or all that there are. */
static void
attach_on(struct guest *g, const struct grant *grant, int n)
{
	cpu_set_t all, some;

	assert_int_equal(sched_getaffinity(rig.nursery, sizeof(all), &all), 0);
	CPU_ZERO(&some);
	for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&some) < n; cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &some);
	assert_int_equal(sched_setaffinity(rig.nursery, sizeof(some), &some), 0);
	guest_attach(g, &rig, grant, 0);
	assert_int_equal(sched_setaffinity(rig.nursery, sizeof(all), &all), 0);
}

/*
 * Every processor has a call that is known to take long, so the reader role was given up
 * and nobody was woken; that call does not end before another one was answered.
 */
static void
test_busy_processors_delay_nobody(void **state)
{
	struct grant grant = rig_grant();
	CK_TOKEN_INFO info;
	struct arg args[ARGS_MAX] = {N(RIG_SLOT), P(&info)};
	struct gate gate;
	struct guest g;
	struct frame f;

	(void)state;
	attach_on(&g, &grant, 1);
	guest_open(&g);
	assert_int_equal(gate_open(&gate, &rig.gate), 0);
	/* The first time it is not known yet: it is learned from its wait for the gate. */
	for (uint32_t round = 0; round < 3; round++) {
		gate_enter(&gate, GATE_EXCLUSIVE);
		guest_send(&g, 100, CALL_C_GetTokenInfo, args);
		usleep(20000);
		send_random(&g, round, g.session);
		assert_int_equal(
		    poll(&(struct pollfd){.fd = g.fd, .events = POLLIN}, 1, 30000), 1);
		assert_true(guest_receive(&g, &f));
		assert_int_equal(f.id, round);
		read_random(&g);
		gate_leave(&gate);
		assert_true(guest_receive(&g, &f));
		assert_int_equal(f.id, 100);
		assert_int_equal(guest_read_reply(&g, CALL_C_GetTokenInfo, args), CKR_OK);
	}
	gate_close(&gate);
	assert_int_equal(guest_leave(&g), 0);
}

/* Several frames in one write, so that the worker finds all of them in its inbox. */
static void
put_call(struct buf *b, uint32_t id, uint32_t number, const struct arg *args)
{
	struct buf one;

	buf_init(&one, 1 << 20);
	frame_begin(&one, id, number);
	if (args != NULL)
		assert_int_equal(ask_write(&one, call_by_number(number), args), CKR_OK);
	frame_end(&one);
	assert_true(buf_ok(&one));
	buf_put_raw(b, one.data, one.len);
	buf_free(&one);
}

static bool
readable(const struct guest *g, int ms)
{
	return poll(&(struct pollfd){.fd = g->fd, .events = POLLIN}, 1, ms) == 1;
}

/*
 * Others lay in the inbox when it began, so its reply may wait for theirs; but they are
 * answered long before it is done, and nobody comes after it.
 */
static void
test_last_reply_does_not_wait(void **state)
{
	struct grant grant = rig_grant();
	CK_TOKEN_INFO info;
	struct arg slow[ARGS_MAX] = {N(RIG_SLOT), P(&info)};
	struct gate gate;
	struct guest g;
	struct frame f;
	struct buf b;

	(void)state;
	attach_on(&g, &grant, 1);
	guest_open(&g);
	assert_int_equal(gate_open(&gate, &rig.gate), 0);
	buf_init(&b, 1 << 20);
	/* First as a call that is kept, then as one that is known to take long. */
	for (int round = 0; round < 3; round++) {
		struct arg args[ARGS_MAX] = {N(g.session), PL(&g, 16)};

		gate_enter(&gate, GATE_EXCLUSIVE);
		buf_reset(&b);
		put_call(&b, 100, CALL_C_GetTokenInfo, slow);
		for (uint32_t id = 0; id < 3; id++)
			put_call(&b, id, CALL_C_GenerateRandom, args);
		guest_send_raw(&g, b.data, b.len);
		for (uint32_t id = 0; id < 3; id++) {
			assert_true(readable(&g, 30000));
			assert_true(guest_receive(&g, &f));
			assert_in_range(f.id, 0, 2);
			read_random(&g);
		}
		usleep(200000); /* until the watch rests */
		gate_leave(&gate);
		assert_true(readable(&g, 5000));
		assert_true(guest_receive(&g, &f));
		assert_int_equal(f.id, 100);
		assert_int_equal(guest_read_reply(&g, CALL_C_GetTokenInfo, slow), CKR_OK);
	}
	/* A call that is none, when its thread has waited for others before. */
	for (int i = 0; i < 4; i++) {
		buf_reset(&b);
		put_call(&b, 7, 999, NULL);
		usleep(100000);
		guest_send_raw(&g, b.data, b.len);
		assert_true(readable(&g, 5000));
		assert_true(guest_receive(&g, &f));
		assert_int_equal(f.id, 7);
	}
	buf_free(&b);
	gate_close(&gate);
	assert_int_equal(guest_leave(&g), 0);
}

#define STRESS_SESSIONS 12
#define STRESS_BURST 48
#define STRESS_BURSTS 120
#define STRESS_WAIT 10000 /* ms: a reply that is stuck is stuck for good */

struct stress {
	struct guest g;
	CK_SESSION_HANDLE session[STRESS_SESSIONS];
	CK_OBJECT_HANDLE rsa;
	uint64_t rng;
	bool waits[STRESS_BURST];
};

static unsigned
below(struct stress *x, unsigned n)
{
	x->rng = x->rng * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(x->rng >> 33) % n;
}

static void
put_fused(struct buf *b, uint32_t id, const struct arg *begin, const struct arg *args)
{
	struct buf one;

	buf_init(&one, 1 << 20);
	frame_begin_flags(&one, id, CALL_C_Sign, FRAME_FUSED);
	assert_int_equal(ask_write(&one, call_by_number(CALL_C_SignInit), begin), CKR_OK);
	assert_int_equal(ask_write(&one, call_by_number(CALL_C_Sign), args), CKR_OK);
	frame_end(&one);
	assert_true(buf_ok(&one));
	buf_put_raw(b, one.data, one.len);
	buf_free(&one);
}

/* A request of any sort: short, long, slow, with a large reply, or none at all. */
static void
put_any(struct stress *x, struct buf *b, uint32_t id)
{
	static CK_MECHANISM pkcs = {CKM_RSA_PKCS, NULL, 0}, gen = {CKM_AES_KEY_GEN, NULL, 0};
	static CK_ULONG key_len = 16;
	static CK_ATTRIBUTE t[] = {{CKA_VALUE_LEN, &key_len, sizeof(key_len)}};
	CK_SESSION_HANDLE session = x->session[below(x, STRESS_SESSIONS)];
	CK_TOKEN_INFO info;
	CK_OBJECT_HANDLE key;
	uint8_t out[256];
	CK_ULONG len = sizeof(out);

	switch (below(x, 12)) {
	case 0:
		put_call(b, id, CALL_C_GetTokenInfo,
		    (const struct arg[ARGS_MAX]){N(RIG_SLOT), P(&info)});
		break;
	case 1:
		put_call(b, id, CALL_C_GenerateRandom,
		    (const struct arg[ARGS_MAX]){N(session), PL(b, 20000)});
		break;
	case 2:
		put_call(b, id, CALL_C_GenerateKey, (const struct arg[ARGS_MAX]){N(session),
		    P(&gen), PL(t, 1), P(&key)});
		break;
	case 3:
		put_call(b, id, 999, NULL);
		break;
	case 4:
	case 5:
	case 6:
		put_fused(b, id,
		    (const struct arg[ARGS_MAX]){N(session), P(&pkcs), N(x->rsa)},
		    (const struct arg[ARGS_MAX]){N(session), PL("data", 4), PLP(out, &len)});
		break;
	default:
		put_call(b, id, CALL_C_GenerateRandom,
		    (const struct arg[ARGS_MAX]){N(session), PL(b, 16)});
		break;
	}
}

static void
burst(struct stress *x)
{
	unsigned n = 1 + below(x, STRESS_BURST), left = n;
	struct frame f;
	struct buf b;

	buf_init(&b, 1 << 20);
	for (uint32_t id = 0; id < n; id++) {
		put_any(x, &b, id);
		x->waits[id] = true;
		if (below(x, 8) == 0) {
			guest_send_raw(&x->g, b.data, b.len);
			buf_reset(&b);
		}
	}
	guest_send_raw(&x->g, b.data, b.len);
	buf_free(&b);
	for (; left > 0; left--) {
		assert_true(readable(&x->g, STRESS_WAIT));
		assert_true(guest_receive(&x->g, &f));
		assert_true(f.id < n && x->waits[f.id]);
		x->waits[f.id] = false;
	}
	assert_false(readable(&x->g, 0));
	/* Now and then the watch rests. */
	if (below(x, 8) == 0)
		usleep(90000);
}

/* Every reply comes, once, and needs no other request to be sent. */
static void
stress(int processors)
{
	struct grant grant = rig_grant();
	struct stress x = {.rng = (uint64_t)processors};
	CK_OBJECT_HANDLE pub;

	attach_on(&x.g, &grant, processors);
	guest_login(&x.g);
	assert_int_equal(guest_make_rsa(&x.g, 1024, "stress", false, &pub, &x.rsa), CKR_OK);
	for (int i = 0; i < STRESS_SESSIONS; i++) {
		x.session[i] = x.g.session;
		guest_open(&x.g);
	}
	for (int i = 0; i < STRESS_BURSTS; i++)
		burst(&x);
	assert_int_equal(guest_leave(&x.g), 0);
}

static void
test_stress_one_processor(void **state)
{
	(void)state;
	stress(1);
}

static void
test_stress_two_processors(void **state)
{
	(void)state;
	stress(2);
}

static void
test_stress_four_processors(void **state)
{
	(void)state;
	stress(4);
}

/* Another application is not held up by a key that is being generated: the gate is left. */
static void
test_keygen_leaves_the_gate(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM mech = {CKM_DSA_PARAMETER_GEN, NULL, 0};
	CK_ULONG bits = 2048;
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1}, {CKA_PRIME_BITS, &bits, sizeof(bits)}};
	CK_OBJECT_HANDLE params;
	struct arg args[ARGS_MAX];
	struct guest g, other;
	struct pollfd p;
	unsigned finished = 0;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_attach(&other, &rig, &grant, 0);
	guest_login(&g);
	guest_open(&other);
	p = (struct pollfd){.fd = g.fd, .events = POLLIN};
	memcpy(args,
	    ((const struct arg[ARGS_MAX]){N(g.session), P(&mech), PL(t, 2), P(&params)}),
	    sizeof(args));
	/* Parameters take seconds, mostly; a lucky draw is tried again. */
	for (uint32_t id = 1; id <= 5 && finished < 3; id++) {
		guest_send(&g, id, CALL_C_GenerateKey, args);
		for (finished = 0; finished < 3; finished++) {
			assert_int_equal(guest_try_login(&other, CKU_USER, USER_PIN), CKR_OK);
			assert_int_equal(CALLX(&other, C_Logout, N(other.session)), CKR_OK);
			if (poll(&p, 1, 0) > 0)
				break;
		}
		if (finished < 3) {
			struct frame f;

			assert_true(guest_receive(&g, &f));
			assert_int_equal(guest_read_reply(&g, CALL_C_GenerateKey, args), CKR_OK);
		}
	}
	assert_int_equal(finished, 3);
	assert_int_equal(guest_leave(&other), 0);
	close(g.fd);
	g.fd = -1;
	(void)guest_wait_end(&g);
}

/* C_SignInit and C_Sign in one breath, many sessions mixed. */
static void
test_pipelined_pairs(void **state)
{
	struct grant grant = rig_grant();
	CK_MECHANISM mech = {CKM_RSA_PKCS, NULL, 0};
	CK_OBJECT_HANDLE pub, priv;
	CK_SESSION_HANDLE sessions[8];
	uint8_t signature[128];
	CK_ULONG len = sizeof(signature);
	unsigned replies[3] = {0};
	struct guest g;
	struct frame f;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	assert_int_equal(guest_make_rsa(&g, 1024, "pipe", false, &pub, &priv), CKR_OK);
	for (int i = 0; i < 8; i++) {
		sessions[i] = g.session;
		guest_open(&g);
	}
	for (uint32_t round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < 8; i++) {
			struct arg init[ARGS_MAX] = {N(sessions[i]), P(&mech), N(priv)};
			struct arg sign[ARGS_MAX] = {N(sessions[i]), PL("data", 4),
			    {.ptr = signature, .len = len, .plen = &len}};

			guest_send(&g, 1000 + 2 * i, CALL_C_SignInit, init);
			guest_send(&g, 1001 + 2 * i, CALL_C_Sign, sign);
		}
		for (int i = 0; i < 16; i++) {
			struct arg sign[ARGS_MAX] = {N(0), PL("data", 4),
			    {.ptr = signature, .len = sizeof(signature), .plen = &len}};

			len = sizeof(signature);
			assert_true(guest_receive(&g, &f));
			assert_int_equal(guest_read_reply(&g, f.call, sign), CKR_OK);
			replies[f.call == CALL_C_Sign]++;
		}
	}
	assert_int_equal(replies[0], 160);
	assert_int_equal(replies[1], 160);
	assert_int_equal(guest_leave(&g), 0);
}

/* More at once than there are threads. */
static void
test_more_requests_than_threads(void **state)
{
	struct grant grant = rig_grant();
	struct guest g;
	struct frame f;
	bool seen[200] = {false};

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	for (uint32_t id = 0; id < 200; id++)
		send_random(&g, id, g.session);
	for (int i = 0; i < 200; i++) {
		assert_true(guest_receive(&g, &f));
		assert_true(f.id < 200 && !seen[f.id]);
		seen[f.id] = true;
		read_random(&g);
	}
	assert_int_equal(guest_leave(&g), 0);
}

/* More replies than the channel holds, while the guest does something else: they wait, each
 * thread that writes behind the other, and come. */
static void
test_guest_reads_late(void **state)
{
	struct grant grant = rig_grant();
	bool seen[64] = {false};
	struct guest g;
	struct frame f;
	struct buf b;

	(void)state;
	guest_attach(&g, &rig, &grant, 300);
	guest_open(&g);
	buf_init(&b, 1 << 20);
	for (uint32_t id = 0; id < 64; id++)
		put_call(&b, id, CALL_C_GenerateRandom,
		    (const struct arg[ARGS_MAX]){N(g.session), PL(&b, id % 4 ? 16 : 60000)});
	guest_send_raw(&g, b.data, b.len);
	buf_free(&b);
	usleep(700000);
	for (int i = 0; i < 64; i++) {
		assert_true(readable(&g, STRESS_WAIT));
		assert_true(guest_receive(&g, &f));
		assert_true(f.id < 64 && !seen[f.id]);
		seen[f.id] = true;
	}
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_beats(void **state)
{
	struct grant grant = rig_grant();
	CK_OBJECT_HANDLE key;
	CK_ULONG len = 32;
	CK_MECHANISM mech = {CKM_AES_KEY_GEN, NULL, 0};
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1}, {CKA_VALUE_LEN, &len, sizeof(len)}};
	struct arg args[ARGS_MAX];
	uint8_t header[FRAME_HEADER];
	struct guest g;
	struct frame f;

	(void)state;
	guest_attach(&g, &rig, &grant, 300);
	guest_login(&g);
	/* Nothing is being served: silence. */
	assert_int_equal(poll(&(struct pollfd){.fd = g.fd, .events = POLLIN}, 1, 400), 0);
	rig.store.hold_commit = 1;
	memcpy(args,
	    ((const struct arg[ARGS_MAX]){N(g.session), P(&mech), PL(t, 2), P(&key)}),
	    sizeof(args));
	guest_send(&g, 5, CALL_C_GenerateKey, args);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(recv(g.fd, header, sizeof(header), MSG_WAITALL), FRAME_HEADER);
		assert_true(frame_parse(header, FRAME_MAX_DEFAULT, &f));
		assert_int_equal(f.call, FRAME_BEAT);
		assert_int_equal(f.id, 0);
		assert_int_equal(f.length, 0);
	}
	rig.store.hold_commit = 0;
	assert_true(guest_receive(&g, &f));
	assert_int_equal(f.id, 5);
	assert_int_equal(guest_leave(&g), 0);
}

/* The channel is closed, the process gone with status 2, and nobody else feels it. */
static void
expect_breach(struct guest *g)
{
	struct frame f;
	int status;

	while (guest_receive(g, &f))
		;
	status = guest_wait_end(g);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 2);
}

static void
test_breaches(void **state)
{
	struct grant grant = rig_grant();
	uint8_t raw[64];
	struct guest g, bystander;
	struct buf b;

	(void)state;
	guest_attach(&bystander, &rig, &grant, 0);
	guest_login(&bystander);
	buf_init(&b, 1 << 20);

	/* Junk. */
	guest_attach(&g, &rig, &grant, 0);
	memset(raw, 0xa5, sizeof(raw));
	guest_send_raw(&g, raw, sizeof(raw));
	expect_breach(&g);

	/* A frame that is too long. */
	guest_attach(&g, &rig, &grant, 0);
	frame_begin(&b, 1, CALL_C_Sign);
	buf_set_u32(&b, 0, FRAME_MAX_DEFAULT + 1);
	guest_send_raw(&g, b.data, b.len);
	expect_breach(&g);

	/* A body with leftovers. */
	buf_reset(&b);
	guest_attach(&g, &rig, &grant, 0);
	frame_begin(&b, 1, CALL_C_CloseSession);
	buf_put_u64(&b, 1);
	buf_put_u8(&b, 0);
	frame_end(&b);
	guest_send_raw(&g, b.data, b.len);
	expect_breach(&g);

	/* A body that ends too early. */
	buf_reset(&b);
	guest_attach(&g, &rig, &grant, 0);
	frame_begin(&b, 1, CALL_C_CloseSession);
	buf_put_u32(&b, 1);
	frame_end(&b);
	guest_send_raw(&g, b.data, b.len);
	expect_breach(&g);

	/* Resume that is not the first frame. */
	buf_reset(&b);
	guest_attach(&g, &rig, &grant, 0);
	guest_open(&g);
	frame_begin(&b, 9, FRAME_RESUME);
	frame_end(&b);
	guest_send_raw(&g, b.data, b.len);
	expect_breach(&g);

	buf_free(&b);
	assert_int_equal(CALLX(&bystander, C_Logout, N(bystander.session)), CKR_OK);
	assert_int_equal(guest_leave(&bystander), 0);
}

static void
test_id_still_outstanding(void **state)
{
	struct grant grant = rig_grant();
	CK_ULONG len = 32;
	CK_MECHANISM mech = {CKM_AES_KEY_GEN, NULL, 0};
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1}, {CKA_VALUE_LEN, &len, sizeof(len)}};
	CK_OBJECT_HANDLE key;
	struct arg args[ARGS_MAX];
	struct guest g;
	struct frame f;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_login(&g);
	rig.store.hold_commit = 1;
	memcpy(args,
	    ((const struct arg[ARGS_MAX]){N(g.session), P(&mech), PL(t, 2), P(&key)}),
	    sizeof(args));
	guest_send(&g, 5, CALL_C_GenerateKey, args);
	send_random(&g, 5, g.session);
	while (guest_receive(&g, &f))
		;
	/* The commit that was under way is finished before the process ends. */
	rig.store.hold_commit = 0;
	expect_breach(&g);
}

static void
test_cut_in_a_frame(void **state)
{
	struct grant grant = rig_grant();
	uint8_t header[FRAME_HEADER] = {200, 0, 0, 0, 1, 0, 0, 0, CALL_C_Sign};
	struct guest g;
	int status;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	guest_send_raw(&g, header, sizeof(header));
	guest_send_raw(&g, "half", 4);
	status = guest_leave(&g);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_slow_call_delays_nobody),
	    cmocka_unit_test(test_busy_processors_delay_nobody),
	    cmocka_unit_test(test_last_reply_does_not_wait),
	    cmocka_unit_test(test_keygen_leaves_the_gate),
	    cmocka_unit_test(test_pipelined_pairs),
	    cmocka_unit_test(test_more_requests_than_threads),
	    cmocka_unit_test(test_stress_one_processor),
	    cmocka_unit_test(test_stress_two_processors),
	    cmocka_unit_test(test_stress_four_processors),
	    cmocka_unit_test(test_guest_reads_late),
	    cmocka_unit_test(test_beats),
	    cmocka_unit_test(test_breaches),
	    cmocka_unit_test(test_id_still_outstanding),
	    cmocka_unit_test(test_cut_in_a_frame),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
