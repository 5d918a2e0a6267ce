/*
 * audit_verify.h - the audit log read from its first line to its last.
 *
 * In steps, because the log may be long and the store has other work.
 */
#ifndef CAAS_STORE_AUDIT_VERIFY_H
#define CAAS_STORE_AUDIT_VERIFY_H

#include "vsmd/store/audit.h"

enum audit_verdict { AUDIT_MORE, AUDIT_GOOD, AUDIT_BAD };

struct audit_check {
	uint64_t offset, end; /* of what is read, in bytes */
	uint64_t end_seq;
	uint8_t end_hash[CRYPT_HASH];
	uint64_t line; /* that was read last; the first bad one with AUDIT_BAD */
	uint64_t seq;  /* of the last good record */
	uint8_t prev[CRYPT_HASH];
	char why[128]; /* AUDIT_BAD: what is wrong */
};

/* Check what is in the log now. */
void audit_check_begin(const struct audit *a, struct audit_check *c);
/* Read up to `lines` more. */
enum audit_verdict audit_check_step(
    const struct audit *a, struct audit_check *c, unsigned lines);

/* Append the records from number `from` on to out, as a JSON array of at most `count`
 * records and of no more than out can hold. */
void audit_read(const struct audit *a, uint64_t from, uint64_t count, struct buf *out);

#endif
