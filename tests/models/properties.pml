/*
 * properties.pml - what is promised, for anchor.pml and counter.pml.
 *
 * lost       Serving starts without something that was acknowledged, or that was there when
 *            serving started before.
 * zombie     Serving starts with an operation that was missing when serving started before,
 *            or of which the caller was told that it failed.
 * brick      The disk that nobody has meddled with does not open.
 * twice      Two different contents are served, or acknowledged, under one sequence.
 * uncounted  The state that is served does not say how many times an operator has accepted
 *            a rollback (counter.pml: whether).  Only that makes `lost' forget what was
 *            acknowledged, so nothing else leads to an older state.
 *
 * Each has a variable, which is the name that spin prints when it fails.  Beyond a failure a
 * run is not looked at.
 */
bool lost, zombie, brick, twice, uncounted;

#define HOLDS(bad) if :: bad -> assert(!bad); goto over :: else fi

/* Operations are numbered as they begin; a set of them has one bit for each. */
byte begun;    /* how many have begun */
byte batch;    /* those that one commit carries: they were gathered (commit_run()) */
byte acked;    /* acknowledged, or seen */
byte dead;     /* seen to be missing, or refused */
byte accepted; /* rollbacks that an operator accepted */

byte stood[3 * RECORDS]; /* what stood under a sequence when it was served */
#define CONTENT(ops, marks) (BIT(7) | (marks) << 4 | (ops))

byte crashes, fails, accepts; /* so far; at most CRASHES, FAILS, ACCEPTS */

#define BIT(n) (1 << (n))
#define ALL_BEGUN (BIT(begun) - 1)

/* The power fails, or the process ends; everything begins at `boot' again, by way of `down'. */
#define CRASH if :: crashes < CRASHES -> crashes++; goto down :: skip fi

/* One or two operations. */
inline gather()
{
	batch = BIT(begun);
	begun++;
	if
	:: begun < OPS -> batch = batch | BIT(begun); begun++
	:: skip
	fi
}

/* A write that fails while the process lives on. */
#define FAILS_HERE fails < FAILS -> fails++

/* Any member of a set. */
inline any_of(set, ret)
{
	ret = 0;
	do
	:: ((set) >> (ret + 1)) != 0 -> ret++
	:: ((set) & BIT(ret)) != 0 -> break
	od
}

/* What is served, or acknowledged, under that sequence. */
inline stands(seq_, ops_, marks_)
{
	twice = stood[seq_] != 0 && stood[seq_] != CONTENT(ops_, marks_);
	stood[seq_] = CONTENT(ops_, marks_)
}

/* Serving starts. */
inline serving_starts(seq_, ops_, marks_)
{
	lost = ((ops_) & acked) != acked;
	zombie = ((ops_) & dead) != 0;
	uncounted = (marks_) != accepted;
	stands(seq_, ops_, marks_);
	assert(!lost);
	assert(!zombie);
	assert(!uncounted);
	assert(!twice);
	if
	:: lost || zombie || uncounted || twice -> goto over
	:: else
	fi;
	acked = acked | (ops_);
	dead = dead | (ALL_BEGUN & ~(ops_))
}

/* The callers of this commit are told that it failed. */
inline refuse()
{
	dead = dead | batch;
	batch = 0
}

/* An operator gives up what is not in ops_. */
inline gives_up(ops_)
{
	accepted++;
	acked = acked & (ops_);
	dead = ALL_BEGUN & ~(ops_)
}
