/*
 * anchor.pml - freshness of the store (docs/store.md) with an index of a TPM that holds a
 * sequence and a digest.
 *
 *	commit      a record is appended, the log synced, the head replaced, the digest written
 *	            to the index; then all who waited are answered
 *	compaction  the live map is written into a log of the next generation and synced, the
 *	            head replaced, the directory synced, the index written; then the old log
 *	            is removed
 *	start       the position, in any log that is there, whose digest is the index's is the
 *	            state.  What lies behind it was never acknowledged and is cut off.  None:
 *	            ROLLED BACK, nothing is written, and the right disk opens again
 *	accept      from ROLLED BACK, what the head of that disk vouches for is written into a
 *	            new log, under the sequence after the index's, with the count of these
 *
 * The power fails between any two steps.  What was not synced is then on disk or not, each
 * file for itself.  Whoever has the disk keeps every version of every file, and at each start
 * shows the disk as it was left, or any versions together; the TPM does as it is told.  A
 * write to disk or TPM fails, too, while the process lives on; of the TPM's nobody knows then
 * whether it was done.
 *
 * Properties: properties.pml.  Bounds: OPS, CRASHES, FAILS, ACCEPTS, GENS, RECORDS.
 *
 * What is left out: MACs and sealing (nobody forges a record or a head; half a record is
 * none), a generation of several records (no digest or head names one in their midst), the
 * store's first start, and commands to the TPM that are done after their process has ended.
 *
 * Mistakes to make, one at a time:
 *
 *	NV_BEFORE_SYNC   the index is written before the log is synced
 *	ANSWER_FIRST     answered before the index is written
 *	OLD_LOG_FIRST    compaction removes the old log before the index is written
 *	HEADS_LOG_ONLY   a start looks for the digest in the log that the head names only
 *	NUMBER_ONLY      the index holds the sequence without a digest
 *	RETRY            after a failed write of the index the record is cut off, and the next
 *	                 gets its sequence; without it the store starts anew
 *	SERVE_ON         ... it is told to have failed, and the next commit begins a new log
 *	LATE             ... the store starts anew, and it is done after that has read the index
 *	COUNT_ON_DISK    the count of accepted rollbacks comes from the disk that is accepted;
 *	                 without it, from the TPM
 *	ACCEPT_BARE      a rollback is accepted by writing the old record's digest
 *	SEQUENCE_BACK    ... by a record whose sequence follows the old record's
 *	ROLL_FORWARD     a start takes the whole records behind the index's position
 *	                 (replay.c, roll_forward()) and goes on from there
 *
 * Ways to differ, sound by themselves; CUT_FIRST and NO_DIR_SYNC are not with STRICT:
 *
 *	STRICT           what the head vouches for must be there (replay.c, vouched()), beside
 *	                 what the index names
 *	CUT_FIRST        a start cuts and removes before it replaces the head
 *	NO_DIR_SYNC      a start does not sync the directory after the head
 *	TOGETHER         a compaction writes the index with the commit that it was made for, and
 *	                 removes the old log after it
 *	START_ANCHORS    a start writes the index before anything is served
 *	START_COMMITS    a start commits a record without operations before anything is served
 */
#include "properties.pml"

#define NONE 0 /* no file, no record; records are numbered from 1 */

typedef record {
	byte gen;   /* of its log */
	byte seq;
	byte ops;   /* the map with it: which operations are in it */
	byte marks; /* how many rollbacks were accepted */
	int path    /* this one and those before it in the log: the chain */
}
record rec[RECORDS + 1];
byte nrec;

/* The files: log.<generation> by its last record, head by the record it names. */
typedef file {
	byte is;   /* as the process sees it */
	int may;   /* as it may be found after a crash: one bit for each last record */
	int ever   /* all its versions: whoever has the disk keeps them */
}
file log[GENS + 1];
file head;

byte nv;       /* the index: the record whose digest it holds */
byte nv_count; /* and the accepted rollbacks */

/* The process. */
byte at;       /* journal.at */
bool broken;   /* journal.broken: a sync has failed */
bool serving;
byte r, z;     /* records that are being written */

/* The disk that is shown. */
byte shown[GENS + 1], shown_head;
byte found, i, j;

#define ON(r_, end) ((rec[end].path & BIT(r_)) != 0)
#define SHOWN(r_) ON(r_, shown[rec[r_].gen])

#ifdef NUMBER_ONLY
#define IS_NV(r_) (rec[r_].seq == rec[nv].seq)
#else
#define IS_NV(r_) (r_ == nv)
#endif
#ifdef HEADS_LOG_ONLY
#define LOOKED_INTO(r_) (rec[r_].gen == rec[shown_head].gen)
#else
#define LOOKED_INTO(r_) true
#endif
#ifdef STRICT
#define HEAD_FITS SHOWN(shown_head)
#else
#define HEAD_FITS true
#endif

/* Where the disk that is shown opens, or NONE: by its logs, and then by its head. */
inline judge_logs()
{
	d_step {
		found = NONE;
		i = 1;
		do
		:: i <= nrec ->
			if
			:: IS_NV(i) && SHOWN(i) -> found = i
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

inline judge_head()
{
	if
	:: found != NONE && !(LOOKED_INTO(found) && HEAD_FITS) -> found = NONE
	:: else
	fi
}

/* A new record `r_', made of these. */
inline seal(r_, gen_, seq_, ops_, marks_, path_)
{
	if
	:: nrec == RECORDS -> goto over
	:: else ->
		d_step {
			nrec++;
			r_ = nrec;
			rec[r_].gen = gen_;
			rec[r_].seq = seq_;
			rec[r_].ops = ops_;
			rec[r_].marks = marks_;
			rec[r_].path = (path_) | BIT(r_)
		}
	fi
}

/* A log ends there now, head names it now; a crash may undo it. */
inline put(file_, r_)
{
	d_step {
		file_.is = r_;
		file_.may = file_.may | BIT(r_);
		file_.ever = file_.ever | BIT(r_)
	}
}

/* fdatasync(); a name that the directory does not have yet is another matter. */
inline sync_log(gen_)
{
	log[gen_].may = BIT(log[gen_].is) | (log[gen_].may & BIT(NONE))
}

inline sync_dir()
{
	d_step {
		head.may = BIT(head.is);
		i = 1;
		do
		:: i <= GENS ->
			if
			:: log[i].is == NONE -> log[i].may = BIT(NONE)
			:: else -> log[i].may = log[i].may & ~BIT(NONE)
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

inline remove_log(gen_)
{
	d_step {
		log[gen_].is = NONE;
		log[gen_].may = log[gen_].may | BIT(NONE)
	}
}

/* What a start leaves of the logs: the one in use. */
inline remove_others()
{
	i = 1;
	do
	:: i <= GENS ->
		if
		:: i != rec[at].gen && log[i].is != NONE -> remove_log(i); CRASH
		:: else
		fi;
		i++
	:: else -> i = 0; break
	od
}

inline cut()
{
	if
	:: log[rec[at].gen].is != at ->
		put(log[rec[at].gen], at);
		CRASH;
		sync_log(rec[at].gen);
		CRASH
	:: else
	fi
}

#ifdef LATE
byte late; /* a command that is done after its process has ended */
#define LATE_IS(r_) late = r_
#else
#define LATE_IS(r_) skip
#endif

/* NV_Write.  When it fails nobody knows whether it was done. */
inline write_nv(r_)
{
	if
	:: nv = r_
	:: FAILS_HERE;
		if
		:: nv = r_
		:: LATE_IS(r_)
		fi;
		goto down
	fi
}

init {
	d_step { /* vault_create(), and the index is written */
		nrec = 1;
		rec[1].gen = 1;
		rec[1].path = BIT(1);
		i = 1;
		do
		:: i <= GENS -> log[i].may = BIT(NONE); log[i].ever = BIT(NONE); i++
		:: else -> break
		od;
		i = 0;
		log[1].is = 1;
		log[1].may = BIT(1);
		log[1].ever = log[1].ever | BIT(1);
		head.is = 1;
		head.may = BIT(1);
		head.ever = BIT(1);
		nv = 1
	};
	goto boot;

boot:
	skip;
	atomic {
		/* What the crash has left is the right disk, and it opens. */
		any_of(head.may, head.is);
		head.may = BIT(head.is);
		shown_head = head.is;
		i = 1;
		do
		:: i <= GENS ->
			any_of(log[i].may, log[i].is);
			log[i].may = BIT(log[i].is);
			shown[i] = log[i].is;
			i++
		:: else -> break
		od;
		judge_logs();
		judge_head();
		brick = found == NONE;
		HOLDS(brick);

		/* But another may be shown. */
		if
		:: skip
		:: i = 1;
			do
			:: i <= GENS -> any_of(log[i].ever, shown[i]); i++
			:: else -> break
			od;
			judge_logs();
			if
			:: found == NONE && accepts == ACCEPTS -> goto down
			:: else
			fi;
			any_of(head.ever, shown_head);
			judge_head();
			if
			:: found == NONE -> goto rolled_back
			:: else
			fi;
			head.is = shown_head;
			head.may = BIT(head.is);
			i = 1;
			do
			:: i <= GENS ->
				log[i].is = shown[i];
				log[i].may = BIT(log[i].is);
				i++
			:: else -> break
			od
		fi;
		at = found;
		found = NONE;
		shown_head = NONE;
		i = 0;
		do
		:: i <= GENS -> shown[i] = NONE; i++
		:: else -> break
		od;
		i = 0;
#ifdef NUMBER_ONLY
		nv = at; /* is the same number */
#endif

#ifdef LATE
		if
		:: late != NONE -> nv = late; late = NONE
		:: else
		fi;
#endif
#ifdef ROLL_FORWARD
		at = log[rec[at].gen].is;
#endif
#ifdef CUT_FIRST
		cut();
		remove_others();
#endif
		if
		:: head.is != at -> put(head, at); CRASH
		:: else
		fi;
#ifndef NO_DIR_SYNC
		sync_dir();
		CRASH;
#endif
#ifndef CUT_FIRST
		cut();
		remove_others();
#endif
#ifdef START_ANCHORS
		write_nv(at);
		CRASH;
#endif
#ifdef START_COMMITS
		goto commit;
#endif

serve:
		serving = true;
		serving_starts(rec[at].seq, rec[at].ops, rec[at].marks)
	};
ready:
	skip;
	atomic {
		if
		:: begun < OPS -> gather(); goto commit
#ifdef TOGETHER
		:: !broken && rec[at].gen < GENS && begun < OPS -> gather(); goto compact
#else
		:: !broken && rec[at].gen < GENS -> goto compact
#endif
		:: crashes < CRASHES -> crashes++; goto down
		:: else -> goto over
		fi;

commit: /* vault_commit() */
		if
		:: broken && rec[at].gen < GENS -> goto compact
		:: broken && rec[at].gen == GENS -> goto over
		:: else
		fi;
append: /* journal_append() */
		seal(r, rec[at].gen, rec[at].seq + 1, rec[at].ops | batch, rec[at].marks, rec[at].path);
		put(log[rec[at].gen], r);
		CRASH;
#ifdef NV_BEFORE_SYNC
		write_nv(r);
		CRASH;
#endif
		if
		:: sync_log(rec[at].gen)
		:: FAILS_HERE; /* of the old log nothing is certain any more */
			put(log[rec[at].gen], at);
			broken = true;
			goto failed
		fi;
		CRASH;
		if
		:: put(head, r)
		:: FAILS_HERE;
			put(log[rec[at].gen], at);
			CRASH;
			sync_log(rec[at].gen);
			goto failed
		fi;
		CRASH;
#ifdef ANSWER_FIRST
		acked = acked | batch;
		CRASH;
#endif
#if defined(RETRY) || defined(SERVE_ON)
		if
		:: nv = r
		:: FAILS_HERE;
			if
			:: nv = r
			:: skip
			fi;
#ifdef SERVE_ON
			broken = true;
#else
			put(head, at);
			put(log[rec[at].gen], at);
			CRASH;
			sync_log(rec[at].gen);
#endif
			goto failed
		fi;
#elif !defined(NV_BEFORE_SYNC)
		write_nv(r);
#endif
		CRASH;
		stands(rec[r].seq, rec[r].ops, rec[r].marks);
		HOLDS(twice);
		acked = acked | batch;
		at = r;
		r = NONE;
		batch = 0;
#ifdef TOGETHER
		sync_dir();
		remove_others();
#endif
		if
		:: serving -> goto ready
		:: else -> goto serve
		fi;
failed:
		refuse();
		r = NONE;
		if
		:: serving -> goto ready
		:: else -> goto over /* the start fails, and nothing is served */
		fi;

compact: /* compact(); its content is that of the record it follows */
		seal(z, rec[at].gen + 1, rec[at].seq + 1, rec[at].ops, rec[at].marks, 0);
		put(log[rec[z].gen], z);
		CRASH;
		if
		:: sync_log(rec[z].gen); CRASH; sync_dir()
		:: FAILS_HERE; goto not_compacted
		fi;
		CRASH;
		put(head, z);
		CRASH;
		if
		:: sync_dir()
		:: FAILS_HERE /* of the old log: it stays for now */
		fi;
		CRASH;
#ifdef OLD_LOG_FIRST
		remove_log(rec[at].gen);
		CRASH;
#endif
#ifndef TOGETHER
		write_nv(z);
		CRASH;
#ifndef OLD_LOG_FIRST
		if
		:: head.may == BIT(z) -> remove_log(rec[at].gen); CRASH
		:: else
		fi;
#endif
		stands(rec[z].seq, rec[z].ops, rec[z].marks);
		HOLDS(twice);
#endif
		at = z;
		z = NONE;
		broken = false;
		goto compacted;
not_compacted:
		remove_log(rec[z].gen);
		z = NONE;
		CRASH;
compacted:
		if
		:: batch != 0 && !broken -> goto append
		:: batch != 0 && broken -> goto failed
		:: else -> goto ready
		fi;

rolled_back:
		/* Nothing is written.  The right disk is put back, or this one is accepted; what is
		 * written then is written to this one, and whoever has it keeps it. */
		if
		:: accepts < ACCEPTS && SHOWN(shown_head) && rec[shown_head].gen < GENS -> accepts++
		:: else -> goto down
		fi;
#ifdef SEQUENCE_BACK
#define AFTER shown_head
#else
#define AFTER nv
#endif
#ifdef COUNT_ON_DISK
#define COUNT rec[shown_head].marks
#else
#define COUNT nv_count
#endif
#ifdef ACCEPT_BARE
		r = shown_head;
#else
		seal(r, rec[shown_head].gen + 1, rec[AFTER].seq + 1, rec[shown_head].ops, COUNT + 1, 0);
		log[rec[r].gen].ever = log[rec[r].gen].ever | BIT(r);
		CRASH;
		head.ever = head.ever | BIT(r);
		CRASH;
#endif
		nv = r;
		nv_count++;
		gives_up(rec[r].ops);
		/* From here on this is the right disk. */
		i = 1;
		do
		:: i <= GENS -> log[i].is = shown[i]; log[i].may = BIT(shown[i]); i++
		:: else -> break
		od;
		i = 0;
		log[rec[r].gen].is = (r == shown_head -> shown[rec[r].gen] : r);
		log[rec[r].gen].may = BIT(log[rec[r].gen].is);
		head.is = r;
		head.may = BIT(r);

down:
		shown_head = NONE; found = NONE; at = NONE; r = NONE; z = NONE; i = 0;
		batch = 0; broken = false; serving = false;
		j = 0;
		do
		:: j <= GENS -> shown[j] = NONE; j++
		:: else -> break
		od;
		j = 0;
		goto boot
	};
over:
	skip
}
