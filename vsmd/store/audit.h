/*
 * audit.h - the audit log, state/audit/audit.log.1 and so on (audit_line.h).
 *
 * A record is written before what it tells of is answered, and synced with the next
 * commit; the sealed store keeps number, place and hash of the last record at each
 * commit, and of the last one in each file, so what is missing or was replaced is
 * noticed.
 *
 * Records are chained by hashes, and signed by seals.  A seal ends an epoch: from then on
 * its secret does not exist (audit_keys.h), so who takes this process over, or learns the
 * master key, cannot write what comes before the last seal anew.  An epoch lasts
 * AUDIT_EPOCH_MS from its first record on, or AUDIT_EPOCH_RECORDS, or until somebody
 * wants a signed end (audit_seal()).  A seal needs no commit: it speaks for itself.
 *
 * A file that has reached a size ends with a seal, and the next one begins.  The oldest
 * may be retired: first the store's map says up to where, then the file goes.
 *
 * Threads: one.
 */
#ifndef CAAS_STORE_AUDIT_H
#define CAAS_STORE_AUDIT_H

#include "vsmd/store/audit_keys.h"
#include "vsmd/store/audit_line.h"
#include "vsmd/store/txn.h"

#define AUDIT_FILE_PREFIX "audit.log."
#define AUDIT_FILE_NAME 40
#define AUDIT_TAIL_MAX (1u << 20) /* bytes of lines that are not synced */
#define AUDIT_NAME 64
#define AUDIT_DETAIL 512
#define AUDIT_EPOCH_MS 60000
#define AUDIT_EPOCH_RECORDS 8192
#define AUDIT_HEAD_KEY "audit/head" /* where the log ends */
#define AUDIT_END_KEY "audit/file/" /* and its number: where that file ends */

struct audit_limits {
	uint64_t rotate; /* bytes after which a new file begins; 0: none does */
	unsigned keep;	 /* files, the present one among them; 0: all */
};

struct audit {
	int dir, fd;
	struct audit_limits limits;
	uint8_t store[STORE_ID];
	struct audit_keys keys;
	struct audit_at at; /* the end */
	uint64_t file;	    /* number of the present file */
	uint64_t size;	    /* of it: where the next line goes */
	uint64_t durable;   /* of it: up to where a sync was done by us, or before a commit */
	uint64_t sealed;    /* the last record that is a seal or a beginning, if known */
	bool begun;	    /* no commit knows yet of the beginning in it */
	int64_t since;	    /* ms: the first record behind that; 0: there is none */
	int64_t again;	    /* ms: no seal, no new file before: the last try failed */
	/* Where the files before the present one end; the first is not there any more, or
	 * never was. */
	struct audit_at *ends;
	size_t nends, stored; /* stored: those that the map has */
	/* The lines of ours that are not synced, the last ones of the file; between
	 * `durable` and them is what a process before this one wrote. */
	struct buf tail;
	/* Behind the end something is left of another write, or the disk may have it still: it
	 * is cut off, and that synced, before a line follows, which the power might otherwise
	 * leave mixed with it. */
	bool ragged;
	bool rewrite; /* a sync failed, or may have: nobody knows what the disk has of them */
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
int audit_open(struct audit *a, int state, const struct store_keys *keys,
    const uint8_t store[STORE_ID], const struct map *map,
    const struct audit_limits *limits);
/* Append; when much is not synced, that is done too.  0, or -1 with errno: nothing was
 * written. */
int audit_append(struct audit *a, const struct audit_event *e);
/* 0, or -1 with errno.  After a failure the page cache says nothing of the disk, so the
 * next call writes all lines anew that it was about. */
int audit_sync(struct audit *a);
/* End the epoch with a seal, unless nothing was written since the last.  It is durable,
 * or -1 with errno: the epoch goes on, or its secret stays on the disk for now.  EAGAIN:
 * there is a beginning first that a commit must know of; only its secret speaks for it.
 */
int audit_seal(struct audit *a);
/* Begin a new epoch, a new file, when it is time.  Failures are on the log. */
void audit_tend(struct audit *a, int64_t now);
/* ms until audit_tend() has something to do; -1: not before a record is written. */
int64_t audit_timeout(const struct audit *a, int64_t now);

/* What a commit seals of the log, and that it was made. */
void audit_put_head(const struct audit *a, struct txn *t);
void audit_stored(struct audit *a);
/* Number of the oldest file, where there is one too many, and its records; 0: there is
 * not. */
uint64_t audit_surplus(const struct audit *a, uint64_t *ret_first, uint64_t *ret_last);
/* Retire it: what a commit has to say of that (one before has said where the file ends);
 * and, after the commit, the file goes. */
void audit_put_retired(const struct audit *a, struct txn *t);
void audit_retired(struct audit *a);
void audit_close(struct audit *a);

void audit_name(char name[AUDIT_FILE_NAME], uint64_t file);
/* The number of ends[0], and of the first file that is there less one. */
uint64_t audit_base(const struct audit *a);

/* For audit_open.c. */
int audit_append_beginning(struct audit *a, const char *why);
bool audit_push_end(struct audit *a, const struct audit_at *at);
int audit_next_file(struct audit *a);
/* The secret of the next epoch takes the place of one that is over; all that this one has
 * signed is durable first.  0, or -1 with errno. */
int audit_settle(struct audit *a);

#endif
