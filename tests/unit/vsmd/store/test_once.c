/* test_once.c - what requests have made is known as long as, and only if, it is durable */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "group.h"
#include "hsm.h"
#include "rig.h"
#include "vsmd/msg.h"
#include "vsmd/store/once.h"
#include "vsmd/worker/gate.h"

static int
open_gate(const struct rig *r)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/gates/0", r->memory);
	assert_true((fd = open(path, O_RDWR)) >= 0);
	return fd;
}

static void
name(uint8_t ret[ONCE_LEN], unsigned n)
{
	memset(ret, 0x5a, ONCE_LEN);
	memcpy(ret, &n, sizeof(n));
}

/* As a worker does, while it holds the gate. */
static void
leave(const struct rig *r, unsigned first, uint32_t count, uint32_t n)
{
	int fd = open_gate(r);

	for (uint32_t i = 0; i < count; i++) {
		struct gate_made made = {.n = n};

		name(made.once, first + i);
		memset(made.id, (int)(first + i), sizeof(made.id));
		assert_int_equal(pwrite(fd, &made, sizeof(made),
				     GATE_MADE_FIRST + (off_t)i * 64), sizeof(made));
	}
	assert_int_equal(pwrite(fd, &count, sizeof(count), GATE_MADE), sizeof(count));
	close(fd);
}

static uint32_t
left(const struct rig *r)
{
	uint32_t n = 99;
	int fd = open_gate(r);

	assert_int_equal(pread(fd, &n, sizeof(n), GATE_MADE), sizeof(n));
	close(fd);
	return n;
}

/* How many objects that request has made, as far as the store knows. */
static uint8_t
ask(int fd, unsigned which)
{
	uint8_t once[ONCE_LEN], n;
	struct buf out, in;
	const uint8_t *ids;

	name(once, which);
	buf_init(&out, 64);
	buf_init(&in, IPC_MAX);
	buf_put_u8(&out, M_W_ONCE);
	buf_put_raw(&out, once, sizeof(once));
	assert_int_equal(rig_ask(fd, &out, &in), CKR_OK);
	n = buf_get_u8(&in);
	ids = buf_get_raw(&in, n * 16u);
	assert_true(buf_end(&in));
	for (size_t i = 0; i < n * 16u; i++)
		assert_int_equal(ids[i], which & 0xff);
	buf_free(&out);
	buf_free(&in);
	return n;
}

static void
known_once_committed(void **state)
{
	int fd;
	RIG(r);

	fd = group_token(r, 0, "web");
	leave(r, 1, 1, 1);
	assert_int_equal(ask(fd, 1), 0);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	assert_int_equal(left(r), 0);
	assert_int_equal(ask(fd, 1), 1);
	assert_int_equal(ask(fd, 2), 0);
	leave(r, 2, 3, 2);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	for (unsigned i = 2; i < 5; i++)
		assert_int_equal(ask(fd, i), 2);
	/* Not committed, and so not known to the next store. */
	leave(r, 7, 1, 1);
	rig_kill(r);
	close(fd);
	assert_true(rig_start(r));
	fd = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(left(r), 0);
	assert_int_equal(ask(fd, 1), 1);
	assert_int_equal(ask(fd, 4), 2);
	assert_int_equal(ask(fd, 7), 0);
	/* And on behind those that were known. */
	leave(r, 8, 1, 1);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	for (unsigned i = 1; i < 5; i++)
		assert_true(ask(fd, i) > 0);
	assert_int_equal(ask(fd, 8), 1);
	close(fd);
}

static void
of_one_slot(void **state)
{
	int fd, other;
	RIG(r);

	fd = group_token(r, 0, "web");
	other = group_token(r, 1, "mail");
	leave(r, 1, 1, 1);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	assert_int_equal(ask(fd, 1), 1);
	assert_int_equal(ask(other, 1), 0);
	close(fd);
	close(other);
}

/* The last ONCE_MAX are known, the one before is not. */
static void
not_for_ever(void **state)
{
	unsigned made = 0;
	int fd;
	RIG(r);

	fd = group_token(r, 0, "web");
	while (made < ONCE_MAX + 10) {
		leave(r, made, 586, 1); /* seven of these */
		made += 586;
		assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	}
	assert_int_equal(ask(fd, made - ONCE_MAX - 1), 0);
	assert_int_equal(ask(fd, made - ONCE_MAX), 1);
	assert_int_equal(ask(fd, made - 1), 1);
	rig_kill(r);
	close(fd);
	assert_true(rig_start(r));
	fd = rig_attach(r, 0, false, "web", 0);
	assert_int_equal(ask(fd, made - ONCE_MAX - 1), 0);
	assert_int_equal(ask(fd, made - ONCE_MAX), 1);
	assert_int_equal(ask(fd, made - 1), 1);
	leave(r, made, 1, 1);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	assert_int_equal(ask(fd, made - ONCE_MAX), 0);
	assert_int_equal(ask(fd, made), 1);
	close(fd);
}

/* From a worker that was taken over. */
static void
nonsense_is_not_believed(void **state)
{
	uint32_t count = UINT32_MAX;
	int fd, gate;
	RIG(r);

	fd = group_token(r, 0, "web");
	leave(r, 1, 1, 0);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	assert_int_equal(ask(fd, 1), 0);
	leave(r, 1, 1, 3);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	assert_int_equal(ask(fd, 1), 0);
	leave(r, 5, 1, 1);
	gate = open_gate(r);
	assert_int_equal(pwrite(gate, &count, sizeof(count), GATE_MADE), sizeof(count));
	close(gate);
	assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	assert_int_equal(left(r), 0);
	assert_int_equal(ask(fd, 5), 1);
	close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, group_setup, group_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(known_once_committed),
	    T(of_one_slot),
	    T(not_for_ever),
	    T(nonsense_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
