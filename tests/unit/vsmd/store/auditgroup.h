/* auditgroup.h - what tests of the audit log begin with: a log, on disks that may fail. */
#ifndef STORE_TEST_AUDITGROUP_H
#define STORE_TEST_AUDITGROUP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auditlog.h"
#include "dirs.h"
#include "faults.h"

#define RECORDS 7 /* a beginning, and six */
#define LOG1 "audit/audit.log.1"
#define KEYS "audit/keys"

/* RECORDS of them, and a commit; and: nothing but a beginning, in small files of which three
 * are kept. */
int audit_setup(void **state);
int audit_setup_small(void **state);
int audit_teardown(void **state);

/* It verifies, and has so many. */
void assert_good(struct auditlog *f, uint64_t records);

#define T(f) cmocka_unit_test_setup_teardown(f, audit_setup, audit_teardown)
#define S(f) cmocka_unit_test_setup_teardown(f, audit_setup_small, audit_teardown)

#endif
