/* group.c - see group.h */
#include "group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "hsm.h"

struct rig *
group_rig(void)
{
	struct rig *r = malloc(sizeof(*r));

	assert_non_null(r);
	rig_init(r);
	if (r->on_tmpfs)
		return r;
	print_message("SKIPPED: no tmpfs at /dev/shm\n");
	rig_free(r);
	free(r);
	return NULL;
}

int
group_setup(void **state)
{
	struct rig *r = group_rig();

	*state = r;
	assert_true(r == NULL || rig_start(r));
	return 0;
}

int
group_teardown(void **state)
{
	if (*state != NULL)
		rig_free(*state);
	free(*state);
	return 0;
}

int
group_token(struct rig *r, uint32_t number, const char *label)
{
	struct rig_slot *slot = rig_slot(r, number);
	int fd = rig_attach(r, number, false, "web", 0);
	char serial[17];

	assert_non_null(slot);
	hsm_init(slot->directory, label, "so-pin", "user-pin", serial);
	assert_int_equal(rig_pin_changed(fd, CKU_SO, "so-pin"), CKR_OK);
	assert_int_equal(rig_pin_changed(fd, CKU_USER, "user-pin"), CKR_OK);
	assert_int_equal(rig_commit(fd, label, serial, NULL), CKR_OK);
	rig_slots(r);
	slot = rig_slot(r, number);
	assert_true(slot->initialized);
	assert_string_equal(slot->serial, serial);
	return fd;
}

int
group_admin(struct rig *r)
{
	return rig_attach(r, 0, true, "root", GRANT_ADMIN);
}
