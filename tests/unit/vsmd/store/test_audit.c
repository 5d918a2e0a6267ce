/* test_audit.c - the audit log is written and sealed, on disks that fail, and read */
#include "auditgroup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vsmd/store/clock.h"

static void
a_good_log(void **state)
{
	struct auditlog *f = *state;

	assert_good(f, RECORDS);
	auditlog_reopen(f);
	auditlog_add(f, "C_Logout");
	assert_good(f, RECORDS + 1);
}

/* A seal replaces the secret, in memory and on the disk. */
static void
a_seal_ends_an_epoch(void **state)
{
	struct auditlog *f = *state;
	struct audit_epoch before = *audit_keys_of(&f->audit.keys, 1);
	uint8_t *old, *now;
	size_t len;

	old = dirs_load(f->path, KEYS, &len);
	assert_int_equal(len, 8192);
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_int_equal(f->audit.at.epoch, 2);
	assert_null(audit_keys_of(&f->audit.keys, 1));
	for (int i = 0; i < 2; i++)
		assert_memory_not_equal(
		    f->audit.keys.epochs[i].secret, before.secret, CRYPT_KEY);
	now = dirs_load(f->path, KEYS, &len);
	assert_memory_equal(old, now, 4096);		     /* of epoch 2 */
	assert_memory_not_equal(old + 4096, now + 4096, 96); /* where that of 1 was */
	free(old);
	free(now);
	assert_good(f, RECORDS + 1);
	/* Nothing was written since: no other seal. */
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_int_equal(f->audit.at.seq, RECORDS + 1);
	auditlog_reopen(f);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_int_equal(f->audit.at.epoch, 3);
	assert_good(f, RECORDS + 3);
}

static void
an_epoch_ends_by_the_clock(void **state)
{
	struct auditlog *f = *state;
	int64_t now = clock_ms();

	assert_in_range(audit_timeout(&f->audit, now), 1, AUDIT_EPOCH_MS);
	audit_tend(&f->audit, now);
	assert_int_equal(f->audit.at.epoch, 1);
	audit_tend(&f->audit, now + AUDIT_EPOCH_MS);
	assert_int_equal(f->audit.at.epoch, 2);
	assert_int_equal(audit_timeout(&f->audit, now + AUDIT_EPOCH_MS), -1);
}

/* What a failed sync may have lost is written anew by the next, not taken for written. */
static void
a_failed_sync(void **state)
{
	struct auditlog *f = *state;
	uint64_t before = f->audit.size;

	auditlog_add(f, "C_Login");
	auditlog_add(f, "C_Logout");
	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = 1;
	assert_int_equal(audit_sync(&f->audit), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(ftruncate(f->audit.fd, (off_t)before), 0);
	auditlog_add(f, "C_Sign");
	assert_int_equal(audit_sync(&f->audit), 0);
	assert_good(f, RECORDS + 3);
}

/* A seal that may not be on the disk: the secret that it ends stays there until it is. */
static void
a_seal_that_is_not_durable(void **state)
{
	struct auditlog *f = *state;
	uint64_t before = f->audit.size;

	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = 1;
	assert_int_equal(audit_seal(&f->audit), -1);
	faults_clear();
	assert_int_equal(f->audit.at.epoch, 2);
	auditlog_add(f, "C_Login"); /* goes on */
	/* The power goes, and the seal with it. */
	assert_int_equal(ftruncate(f->audit.fd, (off_t)before), 0);
	auditlog_reopen(f);
	assert_int_equal(f->audit.at.epoch, 1);
	assert_good(f, RECORDS);
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_good(f, RECORDS + 2);
}

/* The same, but the disk comes back. */
static void
a_seal_that_becomes_durable(void **state)
{
	struct auditlog *f = *state;

	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = 1;
	assert_int_equal(audit_seal(&f->audit), -1);
	faults_clear();
	auditlog_add(f, "C_Login");
	assert_int_equal(audit_seal(&f->audit), 0);
	assert_int_equal(f->audit.at.epoch, 3);
	auditlog_reopen(f);
	assert_int_equal(f->audit.at.epoch, 3);
	assert_good(f, RECORDS + 3);
}

/* Of an epoch that is over, whose seal was not synced: it is tried again though nothing is
 * written any more. */
static void
a_secret_that_stays_is_tried_again(void **state)
{
	struct auditlog *f = *state;
	int64_t now = clock_ms() + AUDIT_EPOCH_MS;

	faults.error = EIO;
	faults.in[FAULT_FDATASYNC] = 1;
	audit_tend(&f->audit, now);
	faults_clear();
	assert_non_null(audit_keys_of(&f->audit.keys, 1));
	assert_in_range(audit_timeout(&f->audit, now), 1, 60000);
	now += 60000;
	audit_tend(&f->audit, now);
	assert_null(audit_keys_of(&f->audit.keys, 1));
	assert_int_equal(f->audit.at.seq, RECORDS + 1);
	assert_int_equal(audit_timeout(&f->audit, now), -1);
}

static void
reading_from_a_number(void **state)
{
	struct auditlog *f = *state;
	uint64_t most;
	struct buf b;

	auditlog_run(f, 20);
	most = f->audit.at.seq;
	for (uint64_t from = 0; from <= most + 1; from++) {
		char want[32];

		buf_init(&b, 8192);
		audit_read(&f->audit, from, 2, &b);
		buf_put_u8(&b, 0);
		snprintf(want, sizeof(want), "\"seq\":%d,", from == 0 ? 1 : (int)from);
		if (from > most)
			assert_string_equal((char *)b.data, "[]");
		else
			assert_non_null(strstr((char *)b.data, want));
		snprintf(
		    want, sizeof(want), "\"seq\":%d,", from == 0 ? 2 : (int)from + 1);
		if (from < most)
			assert_non_null(strstr((char *)b.data, want));
		buf_free(&b);
	}
	/* No more than fits. */
	buf_init(&b, 900);
	audit_read(&f->audit, 1, 100, &b);
	assert_true(buf_ok(&b));
	assert_int_equal(b.data[b.len - 1], ']');
	buf_free(&b);
}

/* What somebody made of a line is shown, as a string. */
static void
reading_what_is_no_record(void **state)
{
	struct auditlog *f = *state;
	struct lines l = lines_load(f);
	struct buf b;
	json_t *j;

	memcpy(l.line[2], "gar\"bage\x01\xff", 10);
	lines_save(f, &l);
	buf_init(&b, 65536);
	audit_read(&f->audit, 1, 100, &b);
	j = json_loadb((char *)b.data, b.len, 0, NULL);
	assert_int_equal(json_array_size(j), RECORDS);
	assert_true(json_is_string(json_array_get(j, 2)));
	assert_true(json_is_object(json_array_get(j, 3)));
	json_decref(j);
	buf_free(&b);
	lines_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_good_log),
	    T(a_seal_ends_an_epoch),
	    T(an_epoch_ends_by_the_clock),
	    T(a_failed_sync),
	    T(a_seal_that_is_not_durable),
	    T(a_seal_that_becomes_durable),
	    T(a_secret_that_stays_is_tried_again),
	    S(reading_from_a_number),
	    T(reading_what_is_no_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
