/* test_audit_keys.c - the secrets of the audit log: not written, lost, put back, another's */
#include "auditgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* No secret for the epoch after the next: no seal, and records are taken all the same. */
static void
keys_that_cannot_be_written(void **state)
{
	struct auditlog *f = *state;

	faults.error = ENOSPC;
	faults.in[FAULT_PWRITE] = 2; /* the seal, then the page */
	assert_int_equal(audit_seal(&f->audit), -1);
	assert_int_equal(f->audit.at.epoch, 2);
	auditlog_add(f, "C_Login");
	faults.in[FAULT_PWRITE] = 1;
	assert_int_equal(audit_seal(&f->audit), -1);
	faults_clear();
	assert_int_equal(f->audit.at.epoch, 2);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_int_equal(f->audit.at.epoch, 3);
	assert_good(f, RECORDS + 4);
}

/* Keys that are lost, or older than the log: it goes on, and nobody is deceived. */
static void
lost_keys_are_noticed(void **state)
{
	struct auditlog *f = *state;
	struct audit_judge j;
	uint8_t *old;
	size_t len;

	old = dirs_load(f->path, KEYS, &len);
	assert_int_equal(audit_seal(&f->audit), 0);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	auditlog_commit(f);
	dirs_save(f->path, KEYS, old, len);
	for (int i = 0; i < 2; i++) {
		auditlog_reopen(f);
		auditlog_add(f, "C_Login");
		/* Not before a commit knows of them. */
		if (i == 0)
			assert_int_equal(audit_seal(&f->audit), -1);
		auditlog_commit(f);
		assert_int_equal(audit_seal(&f->audit), 0);
		assert_int_equal(auditlog_verify(f, &j), AUDIT_BAD);
		assert_int_equal(j.fault, AUDIT_REKEYED);
		assert_int_equal(j.record, RECORDS + 4);
	}
	free(old);
}

/* What docs/store.md says that the disk can do: the log as at the last commit, with the
 * secrets of then, is that log.  With the secrets of now it is not. */
static void
everything_put_back_to_the_last_commit(void **state)
{
	struct auditlog *f = *state;
	uint8_t *log, *old;
	size_t len, keys_len;

	log = dirs_load(f->path, LOG1, &len);
	old = dirs_load(f->path, KEYS, &keys_len);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	dirs_save(f->path, LOG1, log, len);
	dirs_save(f->path, KEYS, old, keys_len);
	auditlog_reopen(f);
	assert_good(f, RECORDS);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	dirs_save(f->path, LOG1, log, len);
	auditlog_reopen(f);
	assert_true(f->audit.begun); /* rekeyed */
	assert_int_equal(f->audit.at.seq, RECORDS + 1);
	free(log);
	free(old);
}

/* Another store's keys, and garbage, count as none. */
static void
foreign_keys(void **state)
{
	static const uint8_t other[STORE_ID] = {1};
	struct auditlog *f = *state;
	struct audit_keys k;
	int dir = openat(f->dir, "audit", O_RDONLY | O_DIRECTORY);
	uint8_t *page;
	size_t len;

	assert_int_equal(audit_keys_open(&k, dir, f->keys, other), 0);
	assert_null(audit_keys_of(&k, 1));
	audit_keys_close(&k);
	page = dirs_load(f->path, KEYS, &len);
	for (size_t i = 0; i < 96; i += 5) {
		page[4096 + i] ^= 4;
		dirs_save(f->path, KEYS, page, len);
		assert_int_equal(audit_keys_open(&k, dir, f->keys, f->audit.store), 0);
		assert_null(audit_keys_of(&k, 1));
		assert_non_null(audit_keys_of(&k, 2));
		audit_keys_close(&k);
		page[4096 + i] ^= 4;
	}
	free(page);
	close(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(keys_that_cannot_be_written),
	    T(lost_keys_are_noticed),
	    T(everything_put_back_to_the_last_commit),
	    T(foreign_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
