/* test_stop.c - a signal that asks to stop is found in the loop, and ends nobody */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/stop.h"

static void
test_signals(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT};
	int fd = stop_signals(), pipe_[2];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct signalfd_siginfo info;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(poll(&p, 1, 0), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(kill(getpid(), signals[i]), 0);
		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_int_equal(read(fd, &info, sizeof(info)), sizeof(info));
		assert_int_equal(info.ssi_signo, signals[i]);
	}
	/* Never blocks. */
	assert_int_equal(read(fd, &info, sizeof(info)), -1);
	assert_int_equal(errno, EAGAIN);
	/* Nor does a peer that is gone end the process. */
	assert_int_equal(pipe(pipe_), 0);
	close(pipe_[0]);
	assert_int_equal(write(pipe_[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(pipe_[1]);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
