/*
 * journal.h - the log of sealed records, log.<generation>, and the head that names its
 * end.
 *
 * The file begins with LOG_HEADER bytes: magic[8], store id[16], u64 generation.  The
 * chain starts as SHA-256 of a label and these bytes, so they are authenticated as well.
 *
 * journal_append() is the commit: one record is appended and synced, then the head
 * replaced.  When it fails the log is cut back to where it was; when that is not certain
 * either (a sync failed: nobody can say what the disk has), the journal is `broken`
 * and takes no more records: only a new generation, written whole to a new file, helps
 * (compact.h).
 *
 * With an anchor (anchor.h) the TPM names the end, and a commit needs no head: it follows
 * every HEAD_EVERY records, and when the journal is closed.
 *
 * Threads: one.
 */
#ifndef CAAS_STORE_JOURNAL_H
#define CAAS_STORE_JOURNAL_H

#include "vsmd/store/head.h"

#define LOG_HEADER 32
#define LOG_PREFIX "log."
#define LOG_NAME_MAX 32
#define HEAD_EVERY 64

struct journal {
	int dir; /* the state directory, the caller's */
	int fd;	 /* the log, or -1 */
	const struct store_keys *keys;
	struct head at; /* where the log ends now */
	uint64_t size;	/* of the file, when it was read */
	uint64_t named; /* records in the log when the head was last written */
	bool lazy_head; /* something else names the end: the head may stay behind it */
	bool broken;
};

enum journal_result {
	JOURNAL_OK = 0,
	JOURNAL_FULL,	 /* no space: nothing changed */
	JOURNAL_IO,	 /* the disk failed, errno; see `broken` */
	JOURNAL_DAMAGED, /* opening: logged, with the file's name */
	JOURNAL_LARGE	 /* the body is larger than a record may be */
};

/* The body of one record, in order.  False: it makes no sense. */
typedef bool (*journal_apply)(void *arg, struct buf *body);

void journal_name(char name[LOG_NAME_MAX], uint64_t generation);
/* True for the name of a log; *ret_generation is its number. */
bool journal_is_name(const char *name, uint64_t *ret_generation);

/* The first bytes of the log that `at` names, and the chain that they start. */
bool journal_start(
    const struct head *at, uint8_t header[LOG_HEADER], uint8_t chain[CRYPT_HASH]);
/* A new, empty log of at->generation for at->store, replacing a leftover of that name;
 * its records will follow at->sequence.  Nothing refers to it before journal_switch(). */
int journal_create(
    struct journal *j, int dir, const struct store_keys *keys, const struct head *at);
/* Append without sync and without head: for journal_switch(). */
enum journal_result journal_put(struct journal *j, const void *body, size_t len);
/* Make a new log the store's: sync it and the directory, replace the head, sync the
 * directory.  0; 1 when that last sync failed, so that the old log must stay for now; or
 * -1 with errno, and the old log is still the store's. */
int journal_switch(struct journal *j);

/* How a log is read. */
struct journal_reader {
	/* What the head vouches for must be there unaltered.  Otherwise it only says
	 * which store and generation, and the log counts from its first record on. */
	bool vouched;
	journal_apply apply;
	/* May be NULL.  Called at the start of the log and after each record, with the
	 * place reached; false: that is the end. */
	bool (*reached)(void *arg, const struct head *at);
	void *arg;
};

/*
 * Open the log of head->generation and hand out its records: those that the head vouches
 * for, and the complete ones behind.  Nothing is written.  A failure is on the log, but
 * of a log that is not vouched for: that may be anything.
 */
enum journal_result journal_read(struct journal *j, int dir,
    const struct store_keys *keys, const struct head *head,
    const struct journal_reader *reader);
/*
 * Where reading ended is the store's end from now on: `old` is replaced unless it says
 * so, and what lies behind is cut off.  `durable`: also the directory is synced, and
 * before that anything is cut: the head goes back.
 */
enum journal_result journal_settle(
    struct journal *j, const struct head *old, bool durable);
/* Both, without an anchor: what is complete behind the head is taken (its head was lost
 * with the power), and a tail that is no record is cut off. */
enum journal_result journal_open(struct journal *j, int dir,
    const struct store_keys *keys, const struct head *head, journal_apply apply,
    void *arg);
enum journal_result journal_append(struct journal *j, const void *body, size_t len);
/* Write the head if it stayed behind.  A failure is on the log, and does no harm. */
void journal_name_end(struct journal *j);
void journal_close(struct journal *j);

#endif
