/* test_flask_drop.c - dom0 gives up: what is asked of Xen, in which order, and what is
 * believed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <xenctrl.h>

#include "xen-hooks/flask/drop/drop.h"

#define SID_BOOT 3
#define SID_DOM0 40

/* The hypervisor.  `done' has a letter for each thing that was changed, in order. */
static struct {
	int enforcing; /* or -1 */
	uint32_t own;  /* dom0's label */
	bool closed;   /* it was opened, and is not any more */
	bool no_xen;
	bool no_label; /* the policy has another name for it */
	bool blind;    /* may not ask for dom0 */
	bool denied;   /* may not relabel */
	bool tpm_denied;
	bool lies; /* says that it has relabelled, and has not */
	char done[8];
} xen;

static void
did(const char *what)
{
	size_t len = strlen(xen.done), room = sizeof(xen.done) - len;

	assert_in_range(snprintf(xen.done + len, room, "%s", what), 1, room - 1);
}

xc_interface *
xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild, unsigned flags)
{
	(void)logger, (void)dombuild, (void)flags;
	errno = ENOENT;
	return xen.no_xen ? NULL : (xc_interface *)&xen;
}

int
xc_interface_close(xc_interface *x)
{
	assert_ptr_equal(x, &xen);
	assert_false(xen.closed);
	xen.closed = true;
	return 0;
}

int
xc_flask_getenforce(xc_interface *x)
{
	(void)x;
	errno = ENOSYS;
	return xen.enforcing;
}

int
xc_flask_context_to_sid(xc_interface *x, char *context, uint32_t size, uint32_t *sid)
{
	(void)x;
	assert_int_equal(size, strlen(context));
	if (xen.no_label || strcmp(context, DROP_LABEL) != 0) {
		errno = EINVAL;
		return -1;
	}
	*sid = SID_DOM0;
	return 0;
}

int
xc_domain_getinfolist(
    xc_interface *x, uint32_t first, unsigned int max, xc_domaininfo_t *info)
{
	(void)x;
	assert_int_equal(first, 0);
	assert_int_equal(max, 1);
	memset(info, 0, sizeof(*info));
	/* Whom it may not see Xen leaves out: the next one comes in its place. */
	info->domain = xen.blind ? 1 : 0;
	info->ssidref = xen.blind ? SID_DOM0 : xen.own;
	return 1;
}

int
xc_domain_iomem_permission(
    xc_interface *x, uint32_t domid, unsigned long first, unsigned long n, uint8_t allow)
{
	(void)x;
	assert_int_equal(domid, 0);
	assert_int_equal(first, 0xfed41);
	assert_int_equal(n, 4);
	assert_int_equal(allow, 0);
	if (xen.tpm_denied) {
		errno = EPERM;
		return -1;
	}
	did("t");
	return 0;
}

int
xc_flask_relabel_domain(xc_interface *x, uint32_t domid, uint32_t sid)
{
	(void)x;
	/* Of any other domain it would be another permission. */
	assert_int_equal(domid, DOMID_SELF);
	assert_int_equal(sid, SID_DOM0);
	if (xen.denied) {
		errno = EACCES;
		return -1;
	}
	did("r");
	if (!xen.lies)
		xen.own = sid;
	return 0;
}

static int
boot(void **state)
{
	(void)state;
	memset(&xen, 0, sizeof(xen));
	xen.enforcing = 1;
	xen.own = SID_BOOT;
	return 0;
}

static void
expect(bool done, bool tpm, const char *changes)
{
	assert_int_equal(drop(DROP_LABEL, tpm), done);
	assert_string_equal(xen.done, changes);
	assert_int_equal(xen.closed, !xen.no_xen);
}

static void
test_it_drops(void **state)
{
	(void)state;
	expect(true, false, "r");
	assert_int_equal(xen.own, SID_DOM0);
}

/* With the new label it could not any more. */
static void
test_the_tpm_first(void **state)
{
	(void)state;
	expect(true, true, "tr");
}

static void
test_without_the_tpm_it_keeps_its_label(void **state)
{
	(void)state;
	xen.tpm_denied = true;
	expect(false, true, "");
}

static void
test_twice(void **state)
{
	(void)state;
	xen.own = SID_DOM0;
	expect(true, true, "");
}

static void
test_no_xen(void **state)
{
	(void)state;
	xen.no_xen = true;
	expect(false, true, "");
}

static void
test_no_flask(void **state)
{
	(void)state;
	xen.enforcing = -1;
	expect(false, true, "");
}

/* A label that denies nothing would look like protection. */
static void
test_permissive(void **state)
{
	(void)state;
	xen.enforcing = 0;
	expect(false, true, "");
}

static void
test_another_policy(void **state)
{
	(void)state;
	xen.no_label = true;
	expect(false, true, "");
}

static void
test_another_domain_is_not_dom0(void **state)
{
	(void)state;
	xen.blind = true;
	expect(false, true, "");
}

static void
test_denied(void **state)
{
	(void)state;
	xen.denied = true;
	expect(false, false, "");
}

static void
test_it_is_not_believed(void **state)
{
	(void)state;
	xen.lies = true;
	expect(false, false, "r");
}

static void
test_long_label(void **state)
{
	char label[300];

	(void)state;
	memset(label, 'x', sizeof(label));
	label[sizeof(label) - 1] = '\0';
	assert_false(drop(label, true));
	assert_string_equal(xen.done, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_it_drops, boot),
	    cmocka_unit_test_setup(test_the_tpm_first, boot),
	    cmocka_unit_test_setup(test_without_the_tpm_it_keeps_its_label, boot),
	    cmocka_unit_test_setup(test_twice, boot),
	    cmocka_unit_test_setup(test_no_xen, boot),
	    cmocka_unit_test_setup(test_no_flask, boot),
	    cmocka_unit_test_setup(test_permissive, boot),
	    cmocka_unit_test_setup(test_another_policy, boot),
	    cmocka_unit_test_setup(test_another_domain_is_not_dom0, boot),
	    cmocka_unit_test_setup(test_denied, boot),
	    cmocka_unit_test_setup(test_it_is_not_believed, boot),
	    cmocka_unit_test_setup(test_long_label, boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
