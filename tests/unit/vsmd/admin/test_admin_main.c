/* vsmd/admin/admin.c: the process, confined, between a peer and a store */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "protocol/frame.h"
#include "vsmd/admin/admin.h"
#include "vsmd/msg.h"

struct rig {
	pid_t pid;
	int peer, store;
};

static int
setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct admin_config c = {.status = "{\"pid\":1}"};
	int channel[2], store[2];

	assert_non_null(r);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel), 0);
	assert_int_equal(ipc_pair(store), 0);
	c.hello = (struct hello_ask){.version = HELLO_VERSION, .purpose = HELLO_ADMIN,
	    .max_frame = FRAME_MAX_LEAST, .silence = 3000};
	memcpy(c.grant.principal, "ops", 4);
	memset(c.instance, 7, sizeof(c.instance));
	r->pid = fork();
	if (r->pid == 0) {
		c.channel = channel[1];
		c.store = store[1];
		_exit(admin_main(&c));
	}
	close(channel[1]);
	close(store[1]);
	r->peer = channel[0];
	r->store = store[0];
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;

	close(r->peer);
	close(r->store);
	waitpid(r->pid, NULL, 0);
	free(r);
	return 0;
}

static void
read_all(int fd, void *p, size_t len)
{
	assert_int_equal(recv(fd, p, len, MSG_WAITALL), len);
}

static void
read_hello(const struct rig *r)
{
	struct hello_answer a;
	uint8_t bytes[HELLO_LEN];

	read_all(r->peer, bytes, sizeof(bytes));
	assert_true(hello_answer_read(bytes, &a));
	assert_int_equal(a.status, HELLO_OK);
	assert_int_equal(a.silence, 3000);
	for (size_t i = 0; i < sizeof(a.instance); i++)
		assert_int_equal(a.instance[i], 7);
}

static void
send_request(const struct rig *r, uint32_t call, const char *name)
{
	struct buf b;

	buf_init(&b, 4096);
	frame_begin(&b, 7, call);
	buf_put_str(&b, name);
	buf_put_str(&b, "{}");
	buf_put_bytes(&b, NULL, 0);
	buf_put_bytes(&b, NULL, 0);
	frame_end(&b);
	assert_int_equal(write(r->peer, b.data, b.len), b.len);
	buf_free(&b);
}

static void
store_answers(const struct rig *r)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	assert_int_equal(ipc_recv(r->store, &b, NULL, NULL), 0);
	assert_int_equal(buf_get_u8(&b), M_A_ASK);
	buf_reset(&b);
	buf_put_u8(&b, M_A_ANSWER);
	buf_put_u8(&b, 1);
	buf_put_str(&b, "{}");
	buf_put_str(&b, "");
	assert_int_equal(ipc_send(r->store, &b, NULL, 0), 0);
	buf_free(&b);
}

static struct frame
read_header(const struct rig *r)
{
	uint8_t header[FRAME_HEADER];
	struct frame f;

	read_all(r->peer, header, sizeof(header));
	assert_true(frame_parse(header, ADMIN_MAX, &f));
	return f;
}

static void
serves_and_ends(void **state)
{
	struct rig *r = *state;
	uint8_t body[256];
	struct frame f;
	int status;

	read_hello(r);
	send_request(r, ADMIN_CALL, "token-list");
	store_answers(r);
	f = read_header(r);
	assert_int_equal(f.call, ADMIN_CALL);
	assert_int_equal(f.id, 7);
	assert_true(f.length <= sizeof(body));
	read_all(r->peer, body, f.length);
	assert_int_equal(body[0], 1);
	shutdown(r->peer, SHUT_WR);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* The store takes its time: the peer hears that we live. */
static void
beats(void **state)
{
	struct rig *r = *state;
	struct frame f;

	read_hello(r);
	send_request(r, ADMIN_CALL, "audit-verify");
	f = read_header(r);
	assert_int_equal(f.call, FRAME_BEAT);
	assert_int_equal(f.id, 0);
	assert_int_equal(f.length, 0);
	store_answers(r);
	do
		f = read_header(r);
	while (f.call == FRAME_BEAT);
	assert_int_equal(f.call, ADMIN_CALL);
}

static void
expect_end(const struct rig *r)
{
	uint8_t byte;
	int status;

	assert_true(recv(r->peer, &byte, 1, 0) <= 0);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void
other_call(void **state)
{
	read_hello(*state);
	send_request(*state, 44, "C_Sign");
	expect_end(*state);
}

static void
oversize(void **state)
{
	struct rig *r = *state;
	struct buf b;

	read_hello(r);
	buf_init(&b, FRAME_HEADER);
	buf_put_u32(&b, ADMIN_MAX + 1);
	buf_put_u32(&b, 1);
	buf_put_u32(&b, ADMIN_CALL);
	buf_put_u32(&b, 0);
	assert_int_equal(write(r->peer, b.data, b.len), b.len);
	buf_free(&b);
	expect_end(r);
}

static void
store_gone(void **state)
{
	struct rig *r = *state;

	read_hello(r);
	shutdown(r->store, SHUT_RDWR);
	send_request(r, ADMIN_CALL, "status");
	expect_end(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(serves_and_ends, setup, teardown),
	    cmocka_unit_test_setup_teardown(beats, setup, teardown),
	    cmocka_unit_test_setup_teardown(other_call, setup, teardown),
	    cmocka_unit_test_setup_teardown(oversize, setup, teardown),
	    cmocka_unit_test_setup_teardown(store_gone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
