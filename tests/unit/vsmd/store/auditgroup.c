/* auditgroup.c - see auditgroup.h */
#include "auditgroup.h"

int
audit_setup(void **state)
{
	static const struct audit_limits none = {0};
	struct auditlog *f = auditlog_make(&none);

	faults_clear();
	for (int i = 1; i < RECORDS; i++)
		auditlog_add(f, "C_Login");
	auditlog_commit(f);
	*state = f;
	return 0;
}

int
audit_setup_small(void **state)
{
	static const struct audit_limits small = {.rotate = 2000, .keep = 3};

	faults_clear();
	*state = auditlog_make(&small);
	return 0;
}

int
audit_teardown(void **state)
{
	faults_clear();
	auditlog_free(*state);
	return 0;
}

void
assert_good(struct auditlog *f, uint64_t records)
{
	struct audit_judge j;

	if (auditlog_verify(f, &j) != AUDIT_GOOD)
		fail_msg("record %d: %s", (int)j.record, j.why);
	assert_int_equal(j.at.seq, records);
}
