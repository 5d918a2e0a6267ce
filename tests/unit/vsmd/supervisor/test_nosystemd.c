/* vsmd/supervisor/nosystemd.c, in the place of libsystemd */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

static void
nobody_to_tell(void **state)
{
	uint64_t usec = 7;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(sd_notify(0, "READY=1"), 0);
	assert_int_equal(sd_listen_fds(1), 0);
	assert_int_equal(sd_watchdog_enabled(0, &usec), 0);
}

static void
it_is_told(void **state)
{
	char dir[] = "/tmp/test_nosystemd.XXXXXX", text[64];
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ssize_t n;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	setenv("NOTIFY_SOCKET", sa.sun_path, 1);
	assert_int_equal(sd_notify(0, "READY=1"), 1);
	n = recv(fd, text, sizeof(text), 0);
	assert_int_equal(n, 7);
	assert_memory_equal(text, "READY=1", 7);
	assert_int_equal(sd_notifyf(0, "STATUS=%s %d", "x", 5), 1);
	n = recv(fd, text, sizeof(text), 0);
	assert_int_equal(n, 10);
	assert_memory_equal(text, "STATUS=x 5", 10);
	unlink(sa.sun_path);
	assert_int_equal(sd_notify(0, "READY=1"), -ENOENT);
	close(fd);
	rmdir(dir);
}

static void
what_is_no_path(void **state)
{
	char longer[200];

	(void)state;
	setenv("NOTIFY_SOCKET", "@abstract", 1);
	assert_int_equal(sd_notify(0, "READY=1"), -EINVAL);
	memset(longer, '/', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longer, 1);
	assert_int_equal(sd_notify(0, "READY=1"), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_to_tell),
	    cmocka_unit_test(it_is_told), cmocka_unit_test(what_is_no_path)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
