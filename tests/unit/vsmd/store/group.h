/* group.h - what tests of the store process begin with: one of their own, and a token. */
#ifndef STORE_TEST_GROUP_H
#define STORE_TEST_GROUP_H

#include "rig.h"

/* A rig; NULL, and the test is skipped, without a tmpfs at /dev/shm. */
struct rig *group_rig(void);
/* One that is started, or none. */
int group_setup(void **state);
int group_teardown(void **state);

#define RIG(r)                                                                           \
	struct rig *r = *state;                                                          \
	if (r == NULL)                                                                   \
	skip()

/* A token on the blank slot `number`, made and committed; the worker's pipe. */
int group_token(struct rig *r, uint32_t number, const char *label);
/* An administrator's pipe. */
int group_admin(struct rig *r);

#endif
