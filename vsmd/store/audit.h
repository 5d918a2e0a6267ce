/*
 * audit.h - the audit log, state/audit/audit.log.
 *
 * One JSON object per line, compact, keys sorted:
 *
 *	detail event mac peer prev principal rv seq slot time token
 *
 * seq counts from 1; prev is the SHA-256 of the line before (hex; zeros for the first);
 * mac is HMAC-SHA256, under the store's audit key, of the line without its mac.  A record
 * is written before what it tells of is answered, and synced with the next commit; the
 * sealed store keeps number, place and hash of the last record at each commit, so what
 * is missing or was replaced is noticed when the log is opened.
 *
 * Threads: one.
 */
#ifndef CAAS_STORE_AUDIT_H
#define CAAS_STORE_AUDIT_H

#include "vsmd/store/keys.h"
#include "vsmd/store/txn.h"

#define AUDIT_FILE "audit.log"
#define AUDIT_LINE_MAX 8192
#define AUDIT_TAIL_MAX (1u << 20) /* bytes of lines that are not synced */
#define AUDIT_NAME 64
#define AUDIT_DETAIL 512

struct audit {
	int dir, fd;
	const struct store_keys *keys;
	uint64_t seq;  /* of the last record */
	uint64_t size; /* of the file: where the next line goes */
	uint8_t last[CRYPT_HASH];
	struct buf tail; /* the lines that are not synced, the last ones of the file */
	bool rewrite;	 /* a sync failed: nobody knows what the disk has of them */
};

struct audit_event {
	const char *principal, *peer; /* "" for the store itself */
	int64_t slot;		      /* -1: none */
	const char *token;	      /* label, or "" */
	const char *event, *detail;
	uint64_t rv;
};

/*
 * Open (and make) the log in the state directory and compare its end with what the map
 * says.  A last line that a crash tore is cut off, and what was lost or altered is
 * logged; both leave a record.  The store works on: keys must not depend on their diary.
 * 0, or -1 after a line on the log.
 */
int audit_open(
    struct audit *a, int state, const struct store_keys *keys, const struct map *map);
/* Append; when much is not synced, that is done too.  0, or -1 with errno: nothing was
 * written. */
int audit_append(struct audit *a, const struct audit_event *e);
/* 0, or -1 with errno.  After a failure the page cache says nothing of the disk, so the
 * next call writes all lines anew that it was about. */
int audit_sync(struct audit *a);
/* What a commit seals of the log. */
void audit_put_head(const struct audit *a, struct txn *t);
void audit_close(struct audit *a);

/* A line (without its newline) checked and taken apart; for reading and verifying.
 * What is wrong is NULL when nothing is. */
struct audit_line {
	uint64_t seq;
	uint8_t prev[CRYPT_HASH], hash[CRYPT_HASH]; /* hash: of this line */
};
const char *audit_parse(
    const struct store_keys *keys, const char *line, size_t len, struct audit_line *ret);

#endif
