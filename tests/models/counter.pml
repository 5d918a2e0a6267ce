/*
 * counter.pml - freshness of the store where the TPM has a counter that only increments, and
 * no index that could hold a digest (TPM 1.2).
 *
 * Each record has a number.
 *
 *	commit      a record numbered one after the counter is appended and synced; the counter
 *	            is incremented; then all who waited are answered
 *	start       the newest record in the log whose number is the counter's, or one after
 *	            it, is the state; what lies behind it is cut off.  If it is one after, the
 *	            counter is incremented.  Then the same state is written once more under
 *	            the number two after, and the counter incremented twice: of those who were
 *	            one after, nobody is any longer.  None: ROLLED BACK, nothing is written
 *	accept      from ROLLED BACK, the counter is incremented three times, so that no record
 *	            that was ever written has its number or a later one; then the end of the
 *	            log that is shown is written once more, under the counter's number and with
 *	            a mark, and the store starts.  Nothing else opens from the first of these
 *	            on, perhaps, and one that was interrupted is done again
 *
 * The disk, whoever has it, the power and the TPM are as in anchor.pml; so is what is left
 * out, and compaction.  There is one log and no head: where the log ends is all that a head
 * could say.  After any write that failed while the process lives on, the store starts anew.
 * A counter cannot hold how many rollbacks were accepted: there is a mark, no count.
 *
 * Mistakes to make, one at a time:
 *
 *	SERVE_AT_ONCE    a start does not write the state once more
 *	ONCE             ... it does, under the number one after
 *	INCREMENT_FIRST  the counter is incremented before the record is written, and only the
 *	                 counter's own number is accepted
 *	RETRY            after a failed sync the record is cut off, and the next gets its number
 *	BURN=2           to accept, the counter is incremented twice only
 *	WRITE_FIRST      to accept, the record is written under the number one after, and
 *	                 nothing incremented
 */
#include "properties.pml"

#define NONE 0

typedef record {
	byte n;     /* its number */
	byte ops;   /* the map with it */
	bool marks; /* a rollback was accepted */
	int path    /* this one and those before it: the chain */
}
record rec[RECORDS + 1];
byte nrec;

byte log_is;  /* the log by its last record, as the process sees it */
int log_may;  /* as it may be found after a crash */
int log_ever; /* all its versions */

byte hw; /* the counter */
bool accepting; /* an operator accepts a disk, and nothing was served since */

byte at, r;
byte shown, found, i; /* the log that is shown, and where it opens */

#ifdef INCREMENT_FIRST
#define FITS(r_) (rec[r_].n == hw)
#define COMMITS_AS hw
#else
#define FITS(r_) (rec[r_].n == hw || rec[r_].n == hw + 1)
#define COMMITS_AS (hw + 1)
#endif
#ifndef BURN
#define BURN 3
#endif
#ifdef ONCE
#define AGAIN 1
#else
#define AGAIN 2
#endif

inline judge()
{
	d_step {
		found = NONE;
		i = 1;
		do
		:: i <= nrec ->
			if
			:: FITS(i) && (rec[shown].path & BIT(i)) != 0 -> found = i
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

inline seal(n_, ops_, marks_, path_)
{
	if
	:: nrec == RECORDS -> goto over
	:: else -> nrec++
	fi;
	r = nrec;
	rec[r].n = n_;
	rec[r].ops = ops_;
	rec[r].marks = marks_;
	rec[r].path = (path_) | BIT(r)
}

inline put(r_)
{
	log_is = r_;
	log_may = log_may | BIT(r_);
	log_ever = log_ever | BIT(r_)
}

/* When it fails, the store starts anew. */
inline sync()
{
	if
	:: log_may = BIT(log_is)
	:: FAILS_HERE; goto down
	fi
}

/* When it fails, nobody knows whether it was done. */
inline increment()
{
	if
	:: hw++
	:: FAILS_HERE;
		if
		:: hw++
		:: skip
		fi;
		goto down
	fi
}

init {
	nrec = 1;
	rec[1].path = BIT(1);
	log_is = 1;
	log_may = BIT(1);
	log_ever = BIT(1);
	goto boot;

boot:
	skip;
	atomic {
		/* What the crash has left is the right disk, and it opens. */
		any_of(log_may, log_is);
		log_may = BIT(log_is);
		shown = log_is;
		judge();
		brick = found == NONE && !accepting;
		HOLDS(brick);

		/* But another may be shown. */
		if
		:: skip
		:: any_of(log_ever, shown);
			judge()
		fi;
		if
		:: found == NONE -> goto rolled_back
		:: else
		fi;
		log_is = shown;
		log_may = BIT(shown);
		at = found;
		found = NONE;
		shown = NONE;

		if
		:: log_is != at -> put(at); CRASH; sync(); CRASH
		:: else
		fi;
#ifndef INCREMENT_FIRST
		if
		:: rec[at].n == hw + 1 -> increment(); CRASH
		:: else
		fi;
#ifndef SERVE_AT_ONCE
		seal(hw + AGAIN, rec[at].ops, rec[at].marks, rec[at].path);
		put(r);
		CRASH;
		sync();
		CRASH;
		increment();
		CRASH;
#ifndef ONCE
		increment();
		CRASH;
#endif
		at = r;
		r = NONE;
#endif
#endif
		if
		:: accepting && rec[at].marks == 1 -> gives_up(rec[at].ops); accepted = 1
		:: else
		fi;
		accepting = false;
		serving_starts(rec[at].n, rec[at].ops, rec[at].marks)
	};
ready:
	skip;
	atomic {
		if
		:: begun < OPS -> gather()
		:: crashes < CRASHES -> crashes++; goto down
		:: else -> goto over
		fi;
#ifdef INCREMENT_FIRST
		increment();
		CRASH;
#endif
		seal(COMMITS_AS, rec[at].ops | batch, rec[at].marks, rec[at].path);
		put(r);
		CRASH;
#ifdef RETRY
		if
		:: log_may = BIT(log_is)
		:: FAILS_HERE;
			put(at);
			CRASH;
			log_may = BIT(log_is);
			refuse();
			r = NONE;
			goto ready
		fi;
#else
		sync();
#endif
		CRASH;
#ifndef INCREMENT_FIRST
		increment();
		CRASH;
#endif
		stands(rec[r].n, rec[r].ops, rec[r].marks);
		HOLDS(twice);
		acked = acked | batch;
		at = r;
		r = NONE;
		batch = 0;
		goto ready;

rolled_back:
		/* Nothing is written.  The right disk is put back, or this one is accepted. */
		if
		:: accepts < ACCEPTS -> accepts++
		:: else -> goto down
		fi;
		accepting = true;
#ifdef WRITE_FIRST
		seal(hw + 1, rec[shown].ops, 1, rec[shown].path);
		log_ever = log_ever | BIT(r);
		CRASH;
#else
		i = 1;
		do
		:: i <= BURN -> hw++; CRASH; i++
		:: else -> break
		od;
		i = 0;
		seal(hw, rec[shown].ops, 1, rec[shown].path);
		log_ever = log_ever | BIT(r);
		CRASH;
#endif
		log_is = r;
		log_may = BIT(r);

down:
		shown = NONE; found = NONE; i = 0; at = NONE; r = NONE; batch = 0;
		goto boot
	};
over:
	skip
}
