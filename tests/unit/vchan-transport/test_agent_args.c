/* test_agent_args.c - caas-agent's command line */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LOCAL "unix:/nonexistent/agent"
#define UPSTREAM "unix:/nonexistent/vsmd"

static int
exit_code(const char *a1, const char *a2, const char *a3, const char *a4)
{
	int status, null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pid_t pid = fork();

	if (pid == 0) {
		(void)dup2(null, 1);
		(void)dup2(null, 2);
		execl(CAAS_AGENT, CAAS_AGENT, a1, a2, a3, a4, NULL);
		_exit(127);
	}
	(void)close(null);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_mistakes_on_the_command_line(void **state)
{
	(void)state;
	assert_int_equal(exit_code("--help", NULL, NULL, NULL), 0);
	assert_int_equal(exit_code("--version", NULL, NULL, NULL), 0);
	assert_int_equal(exit_code("--nonsense", NULL, NULL, NULL), 2);
	assert_int_equal(exit_code("--listen", LOCAL, NULL, NULL), 2);
	assert_int_equal(exit_code("--upstream", "tcp:1", NULL, NULL), 2);
	assert_int_equal(exit_code("--upstream", UPSTREAM, "--mode", "888"), 2);
	assert_int_equal(exit_code("--upstream", UPSTREAM, "--mode", "07777"), 2);
	assert_int_equal(exit_code("--upstream", UPSTREAM, "--max-connections", "0"), 2);
	assert_int_equal(exit_code("--upstream", UPSTREAM, "--max-connections", "9x"), 2);
	assert_int_equal(exit_code("--upstream", UPSTREAM, "--connect-timeout", "-1"), 2);
	assert_int_equal(exit_code("--upstream", UPSTREAM, "--listen", "vsock:any:1"), 2);
	assert_int_equal(exit_code("--upstream", UPSTREAM, "extra", NULL), 2);
	assert_int_equal(exit_code("--upstream", UPSTREAM, "--listen", "unix:/nonexistent/x"), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_mistakes_on_the_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
