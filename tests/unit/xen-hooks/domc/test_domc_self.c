/* xen-hooks/domc/self.c, over tests/contract's fake of XenStore */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xenstore.h>

#include "fake_xen.h"
#include "xen-hooks/domc/domc.h"

static char told[64];
static bool refuses;

/* In the place of the fake's, by the linker. */
bool __wrap_xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data,
    unsigned int len);

bool
__wrap_xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data,
    unsigned int len)
{
	(void)h;
	(void)t;
	if (refuses) {
		errno = EACCES;
		return false;
	}
	snprintf(told, sizeof(told), "%s=%.*s", path, (int)len, (const char *)data);
	return true;
}

static void
another_domid_is_a_restore(void **state)
{
	struct self *s;

	(void)state;
	fake_couple(5, 6);
	assert_non_null(s = self_open());
	assert_true(self_fd(s) >= 0);
	/* A watch tells of itself first. */
	assert_false(self_restored(s));
	assert_false(self_restored(s));
	fake_couple(7, 6);
	assert_true(self_restored(s));
	assert_false(self_restored(s));
	/* Another guest is none. */
	fake_couple(7, 9);
	assert_false(self_restored(s));
	/* Nor is an entry that is not there for a moment; what is there then is. */
	fake_couple(COUPLE_NONE, 9);
	assert_false(self_restored(s));
	fake_couple(7, 9);
	assert_false(self_restored(s));
	fake_couple(COUPLE_NONE, 9);
	assert_false(self_restored(s));
	fake_couple(8, 9);
	assert_true(self_restored(s));
	self_close(s);
}

static void
not_told_at_first(void **state)
{
	struct self *s;

	(void)state;
	fake_couple(COUPLE_NONE, 6);
	assert_non_null(s = self_open());
	assert_false(self_restored(s));
	fake_couple(5, 6);
	assert_false(self_restored(s));
	fake_couple(6, 6);
	assert_true(self_restored(s));
	self_close(s);
}

static void
it_tells(void **state)
{
	struct self *s;

	(void)state;
	assert_non_null(s = self_open());
	self_tell(s, "serving");
	assert_string_equal(told, "data/domc=serving");
	refuses = true;
	self_tell(s, "stopped");
	assert_string_equal(told, "data/domc=serving");
	self_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(another_domid_is_a_restore),
	    cmocka_unit_test(not_told_at_first), cmocka_unit_test(it_tells)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
