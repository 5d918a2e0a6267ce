/* test_audit_files.c - files of the audit log are rotated and retired */
#include "auditgroup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vsmd/store/clock.h"

/* What a write that failed left behind, longer than the seal over it, and could not be cut
 * off at once, is not there for ever once the file is over. */
static void
a_file_that_ends_ragged(void **state)
{
	struct auditlog *f = *state;
	char detail[AUDIT_DETAIL];
	struct audit_event e = {.principal = "",
	    .peer = "",
	    .slot = -1,
	    .token = "",
	    .event = "C_Sign",
	    .detail = detail};

	memset(detail, 1, sizeof(detail) - 1);
	detail[sizeof(detail) - 1] = '\0';
	faults.error = ENOSPC;
	faults.in[FAULT_PWRITE] = 1;
	faults.cut = 2500;
	faults.in[FAULT_TRUNCATE] = 1;
	assert_int_equal(audit_append(&f->audit, &e), -1);
	faults.in[FAULT_TRUNCATE] = faults.each[FAULT_TRUNCATE] = 1;
	f->audit.limits.rotate = 1;
	audit_tend(&f->audit, clock_ms());
	assert_int_equal(f->audit.file, 1);
	faults_clear();
	auditlog_add(f, "C_Login");
	audit_tend(&f->audit, clock_ms() + AUDIT_EPOCH_MS);
	assert_int_equal(f->audit.file, 2);
	f->audit.limits.rotate = 0;
	assert_good(f, RECORDS + 3);
	auditlog_reopen(f);
	auditlog_add(f, "C_Login");
	assert_good(f, RECORDS + 4);
}

static void
files_are_rotated_and_retired(void **state)
{
	struct auditlog *f = *state;
	uint64_t first, last, seq;
	struct audit_judge j;
	struct txn t;
	struct buf body;
	size_t len;

	auditlog_run(f, 40);
	auditlog_commit(f);
	while (audit_surplus(&f->audit, &first, &last) != 0) {
		uint64_t file = audit_surplus(&f->audit, &first, &last);

		assert_true(dirs_has(f->path, auditlog_name(file)));
		txn_init(&t);
		audit_put_retired(&f->audit, &t);
		buf_init(&body, 65536);
		txn_write(&t, &body);
		assert_true(txn_apply(&body, &f->map));
		/* A crash between the commit and the removal. */
		if (file == 1) {
			auditlog_reopen(f);
		} else {
			audit_retired(&f->audit);
		}
		assert_false(dirs_has(f->path, auditlog_name(file)));
		buf_free(&body);
		txn_clear(&t);
		assert_int_equal(auditlog_verify(f, &j), AUDIT_GOOD);
		assert_int_equal(j.first, last + 1);
	}
	assert_int_equal(f->audit.file - audit_base(&f->audit), 3);
	seq = f->audit.at.seq;
	auditlog_reopen(f);
	assert_int_equal(f->audit.at.seq, seq);
	/* Removed by somebody else, the next one is missing. */
	free(dirs_load(f->path, auditlog_name(f->audit.file - 2), &len));
	dirs_unlink(f->path, auditlog_name(f->audit.file - 2));
	assert_int_equal(auditlog_verify(f, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_MISSING);
	assert_int_equal(j.record, f->audit.ends[0].seq + 1);
}

/* No room for a new file: the old one goes on. */
static void
a_file_that_cannot_be_begun(void **state)
{
	struct auditlog *f = *state;

	dirs_save(f->path, "audit/audit.log.2", "", 0);
	auditlog_run(f, 40);
	assert_int_equal(f->audit.file, 1);
	assert_good(f, f->audit.at.seq);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_file_that_ends_ragged),
	    S(files_are_rotated_and_retired),
	    S(a_file_that_cannot_be_begun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
