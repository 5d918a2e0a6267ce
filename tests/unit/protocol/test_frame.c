/* test_frame.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/frame.h"

static void
header_round_trip(void **state)
{
	struct buf b;
	struct frame f;

	(void)state;
	buf_init(&b, 1000);
	frame_begin(&b, 7, 44);
	buf_put_u32(&b, 1);
	buf_put_u8(&b, 2);
	frame_end(&b);
	assert_true(buf_ok(&b));
	assert_int_equal(b.len, FRAME_HEADER + 5);
	assert_true(frame_parse(b.data, 5, &f));
	assert_int_equal(f.length, 5);
	assert_int_equal(f.id, 7);
	assert_int_equal(f.call, 44);
	assert_false(frame_parse(b.data, 4, &f));
	buf_free(&b);
}

static void
frames_may_follow_one_another(void **state)
{
	struct buf b;
	struct frame f;

	(void)state;
	buf_init(&b, 1000);
	frame_begin(&b, 0, FRAME_BEAT);
	frame_end(&b);
	frame_begin(&b, 9, 1);
	buf_put_u64(&b, UINT64_MAX); /* as a header that is still open */
	frame_end(&b);
	frame_begin(&b, 10, 1);
	frame_end(&b);
	assert_true(buf_ok(&b));
	assert_true(frame_parse(b.data, 100, &f));
	assert_int_equal(f.length, 0);
	assert_int_equal(f.call, FRAME_BEAT);
	assert_true(frame_parse(b.data + 16, 100, &f));
	assert_int_equal(f.length, 8);
	assert_int_equal(f.id, 9);
	assert_true(frame_parse(b.data + 40, 100, &f));
	assert_int_equal(f.length, 0);
	assert_int_equal(f.id, 10);
	buf_free(&b);
}

static void
flags_are_refused(void **state)
{
	const uint8_t header[FRAME_HEADER] = {[15] = 0x80};
	struct frame f;

	(void)state;
	assert_false(frame_parse(header, 100, &f));
}

static void
fused_is_for_requests_alone(void **state)
{
	struct buf b;
	struct frame f;

	(void)state;
	buf_init(&b, 1000);
	frame_begin_flags(&b, 7, 44, FRAME_FUSED);
	buf_put_u32(&b, 1);
	frame_end(&b);
	assert_true(buf_ok(&b));
	assert_true(frame_parse_request(b.data, 4, &f));
	assert_int_equal(f.length, 4);
	assert_int_equal(f.id, 7);
	assert_int_equal(f.call, 44);
	assert_int_equal(f.flags, FRAME_FUSED);
	assert_false(frame_parse_request(b.data, 3, &f));
	assert_false(frame_parse(b.data, 4, &f));
	buf_free(&b);
}

static void
no_other_flag_is_known(void **state)
{
	uint8_t header[FRAME_HEADER] = {0};
	struct frame f;

	(void)state;
	assert_true(frame_parse_request(header, 100, &f));
	assert_int_equal(f.flags, 0);
	for (unsigned bit = 0; bit < 32; bit++) {
		memset(header, 0, sizeof(header));
		header[12 + bit / 8] = (uint8_t)(1u << bit % 8);
		/* One of three, and no two of them. */
		assert_int_equal(frame_parse_request(header, 100, &f), bit < 3);
		assert_false(frame_parse(header, 100, &f));
		header[12] |= FRAME_FUSED;
		assert_int_equal(
		    frame_parse_request(header, 100, &f), 1u << bit == FRAME_FUSED);
	}
}

static void
end_without_begin_fails(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	frame_end(&b);
	assert_false(buf_ok(&b));
	buf_free(&b);
	buf_put_u64(&b, 1);
	buf_put_u64(&b, 1);
	frame_end(&b); /* a frame whose body is not there */
	assert_false(buf_ok(&b));
	buf_free(&b);
}

static void
body_beyond_the_bound_fails(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, FRAME_HEADER + 3);
	frame_begin(&b, 1, 1);
	buf_put_u32(&b, 1);
	frame_end(&b);
	assert_false(buf_ok(&b));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(header_round_trip),
	    cmocka_unit_test(frames_may_follow_one_another),
	    cmocka_unit_test(flags_are_refused),
	    cmocka_unit_test(fused_is_for_requests_alone),
	    cmocka_unit_test(no_other_flag_is_known),
	    cmocka_unit_test(end_without_begin_fails),
	    cmocka_unit_test(body_beyond_the_bound_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
