/* test_metrics_ask.c - the supervisor and the store, asked for what is shown */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "vsmd/metrics/ask.h"
#include "vsmd/msg.h"

static void
put_answer(struct buf *b, uint32_t slot, bool found)
{
	static const struct counters_sum sum;

	buf_put_u8(b, M_P_ANSWER);
	buf_put_u8(b, NUMBERS_SUPERVISOR);
	for (unsigned i = 0; i < NUMBERS_SUPERVISOR; i++)
		buf_put_u64(b, 100 + i);
	buf_put_u8(b, found);
	if (!found)
		return;
	buf_put_u32(b, slot);
	buf_put_str(b, "web");
	buf_put_u32(b, 2);
	buf_put_u64(b, 3);
	counters_sum_write(b, &sum);
}

static void
send_answer(int fd, uint32_t slot, bool found)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	put_answer(&b, slot, found);
	assert_int_equal(ipc_send(fd, &b, NULL, 0), 0);
	buf_free(&b);
}

static void
send_status(int fd, const char *json)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_A_ANSWER);
	buf_put_u8(&b, 1);
	buf_put_str(&b, json);
	buf_put_bytes(&b, NULL, 0);
	assert_int_equal(ipc_send(fd, &b, NULL, 0), 0);
	buf_free(&b);
}

/* The answers lie ready when the questions come. */
static void
all(void **state)
{
	int super[2], store[2];
	struct page p;
	struct buf b;

	(void)state;
	assert_int_equal(ipc_pair(super), 0);
	assert_int_equal(ipc_pair(store), 0);
	send_answer(super[1], 0, true);
	send_answer(super[1], 5, true);
	send_answer(super[1], 0, false);
	send_status(store[1], "{\"tokens\": 9}");
	assert_true(ask_all(super[0], store[0], &p));
	assert_int_equal(p.nslots, 2);
	assert_int_equal(p.slots[1].slot, 5);
	assert_string_equal(p.slots[1].label, "web");
	assert_int_equal(p.slots[1].sessions, 3);
	assert_int_equal(p.value[NUMBER_SUPERVISOR_UPTIME], 100);
	assert_int_equal(p.value[NUMBER_STORE_TOKENS], 9);
	ask_free(&p);
	/* What it asked for: from the slot behind the one before. */
	buf_init(&b, IPC_MAX);
	for (uint32_t want = 0; want <= 6; want += want == 0 ? 1 : 5) {
		assert_int_equal(ipc_recv(super[1], &b, NULL, NULL), 0);
		assert_int_equal(buf_get_u8(&b), M_P_ASK);
		assert_int_equal(buf_get_u32(&b), want);
		assert_true(buf_end(&b));
	}
	buf_free(&b);
	for (int i = 0; i < 2; i++) {
		close(super[i]);
		close(store[i]);
	}
}

/* A slot that was there already would come for ever. */
static void
goes_forward(void **state)
{
	int super[2], store[2];
	struct page p;

	(void)state;
	assert_int_equal(ipc_pair(super), 0);
	assert_int_equal(ipc_pair(store), 0);
	send_answer(super[1], 5, true);
	send_answer(super[1], 5, true);
	assert_false(ask_all(super[0], store[0], &p));
	ask_free(&p);
	close(super[1]);
	assert_false(ask_all(super[0], store[0], &p));
	ask_free(&p);
	close(super[0]);
	close(store[0]);
	close(store[1]);
}

static void
every_cut(void **state)
{
	struct page p = {0};
	struct buf b, view;
	bool found;

	(void)state;
	buf_init(&b, IPC_MAX);
	put_answer(&b, 5, true);
	for (size_t n = 1; n < b.len; n++) {
		buf_view(&view, b.data + 1, n - 1);
		assert_false(ask_read_answer(&view, &p, &found));
	}
	buf_put_u8(&b, 0); /* and one byte too many */
	buf_view(&view, b.data + 1, b.len - 1);
	assert_false(ask_read_answer(&view, &p, &found));
	ask_free(&p);
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all),
	    cmocka_unit_test(goes_forward),
	    cmocka_unit_test(every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
