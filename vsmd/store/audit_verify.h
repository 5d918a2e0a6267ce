/*
 * audit_verify.h - the audit log read from its first line to its last, in all its files.
 *
 * In steps, because the log may be long and the store has other work.
 */
#ifndef CAAS_STORE_AUDIT_VERIFY_H
#define CAAS_STORE_AUDIT_VERIFY_H

#include "vsmd/store/audit.h"
#include "vsmd/store/audit_judge.h"

struct audit_check {
	struct audit_judge judge; /* the findings */
	struct audit_at end;
	uint8_t mac[CRYPT_KEY];
	uint64_t file, last;	       /* being read; the last one */
	uint64_t last_size;	       /* of the last one, when it began */
	int fd;			       /* -1: `file` is to be opened */
	uint64_t offset, size, number; /* in it */
};

/* Check what is in the log now.  False: out of memory.  Free it in the end. */
struct audit_check *audit_check_begin(const struct audit *a);
/* Read up to `lines` more. */
enum audit_verdict audit_check_step(
    const struct audit *a, struct audit_check *c, unsigned lines);
void audit_check_free(struct audit_check *c);

/* Append the records from number `from` on to out, as a JSON array of at most `count`
 * records and of no more than out can hold.  A line that is none is a string in it. */
void audit_read(const struct audit *a, uint64_t from, uint64_t count, struct buf *out);

#endif
