/*
 * audit_judge.h - the first line of an audit log that is not as it was written, and why.
 *
 * Lines are given from the first to the last; the store (audit_verify.h) and `caas audit
 * verify --log` do.  A record is in its place when its number and the hash of the one
 * before it say so.  Whether it was altered shows by the next one's hash, so a line is
 * judged when the next has come; where two contradict each other, the one for which its
 * MAC, its signature or its own successor speaks is taken for good.
 *
 * Threads: one.
 */
#ifndef CAAS_STORE_AUDIT_JUDGE_H
#define CAAS_STORE_AUDIT_JUDGE_H

#include "vsmd/store/audit_line.h"

#define AUDIT_WHERE 128

enum audit_verdict { AUDIT_MORE, AUDIT_GOOD, AUDIT_BAD };

enum audit_fault {
	AUDIT_ALTERED,
	AUDIT_MISSING,
	AUDIT_REORDERED,
	AUDIT_DUPLICATED,
	AUDIT_TORN,
	AUDIT_FOREIGN, /* a line that was never one of this log */
	AUDIT_REKEYED, /* whole, but nothing certifies the key that it names */
	AUDIT_FORGED /* a chain that is whole, and is not the one that was known before */
};

struct audit_seen {
	bool here;
	const char *wrong;    /* NULL: it is a record */
	bool whole, mac, sig; /* it ends with a newline; its MAC, its signature fits */
	bool mac_known;
	struct audit_line line;
	char file[AUDIT_WHERE];
	uint64_t number; /* of the line in its file */
};

struct audit_judge {
	/* Set by the caller after audit_judge_begin(), or left. */
	const struct audit_at *want; /* where the log must end */
	const struct audit_at *known; /* places written down before, by number */
	size_t nknown;
	uint64_t mac_epoch; /* whose secret is still there, and its MAC key */
	const uint8_t *mac;

	struct audit_at at; /* of the last record that was in its place */
	bool open;	/* nobody said where it begins: the first record says so itself */
	bool anchored;	/* something that was known before speaks for the beginning */
	uint64_t first; /* number of the first record */
	uint64_t sealed; /* the last record that a seal speaks for, and the seal's time */
	char sealed_time[AUDIT_TIME];

	struct audit_seen before, present;
	bool searching;		 /* for a record that is not in its place */
	struct audit_seen gap;	 /* searching: what stands there */
	bool again;		 /* searching: so does that, a second time */
	struct audit_seen found; /* searching: where it is */

	/* AUDIT_BAD */
	enum audit_fault fault;
	uint64_t record, line;
	char file[AUDIT_WHERE];
	char why[256];
};

/* A log that goes on from that place; NULL: from wherever its first record says. */
void audit_judge_begin(struct audit_judge *j, const struct audit_at *from);
/* One more line, without its newline.  `whole`: it had one. */
enum audit_verdict audit_judge_line(struct audit_judge *j, const char *file,
    uint64_t number, const char *line, size_t len, bool whole);
/* In the place of a file that is not there. */
enum audit_verdict audit_judge_no_file(struct audit_judge *j, const char *file);
/* There are no more. */
enum audit_verdict audit_judge_end(struct audit_judge *j);
/* "altered" and so on. */
const char *audit_fault_name(enum audit_fault f);

#endif
