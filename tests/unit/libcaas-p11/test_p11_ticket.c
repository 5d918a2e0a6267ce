/* ticket.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcaas-p11/ticket.h"
#include "protocol/resume.h"

static void
test_set_and_drop(void **state)
{
	struct ticket t = {0};

	(void)state;
	ticket_drop(&t);
	ticket_set(&t, 2, (const uint8_t *)"ticket", 6);
	assert_int_equal(t.len, 6);
	assert_int_equal(t.user, 2);
	assert_memory_equal(t.page, "ticket", 6);
	ticket_set(&t, 1, (const uint8_t *)"other", 5);
	assert_int_equal(t.len, 5);
	ticket_set(&t, 1, NULL, 0);
	assert_int_equal(t.len, 0);
	ticket_drop(&t);
	assert_null(t.page);
}

static void
test_too_long(void **state)
{
	uint8_t bytes[RESUME_MAX_TICKET + 1] = {0};
	struct ticket t = {0};

	(void)state;
	ticket_set(&t, 2, bytes, RESUME_MAX_TICKET);
	assert_int_equal(t.len, RESUME_MAX_TICKET);
	ticket_set(&t, 2, bytes, sizeof(bytes));
	assert_int_equal(t.len, 0);
	ticket_drop(&t);
}

static void
test_a_child_has_it(void **state)
{
	struct ticket t = {0};
	int status;
	pid_t pid;

	(void)state;
	ticket_set(&t, 2, (const uint8_t *)"ticket", 6);
	if ((pid = fork()) == 0)
		_exit(t.len == 6 && memcmp(t.page, "ticket", 6) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	ticket_drop(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_set_and_drop),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_a_child_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
