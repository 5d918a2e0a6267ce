/*
 * fake.h - a vsmd for tests: hello, frames and resume as the real one, SoftHSM2 behind.
 *
 * A process of its own group listens on a socket in a fresh directory and forks a worker
 * per channel; SoftHSM2 in the worker is initialised on a token directory beside the
 * socket.  Slot 1 is a token with FAKE_PIN and FAKE_SO_PIN, slot 2 waits for
 * C_InitToken.  How it behaves can be changed while it runs.
 */
#ifndef CAAS_TEST_FAKE_H
#define CAAS_TEST_FAKE_H

#include <stdatomic.h>

#define FAKE_PIN "1234"
#define FAKE_SO_PIN "5678"
#define FAKE_SLOT 1
#define FAKE_EMPTY_SLOT 2
#define FAKE_LATE_MS 300

enum fake_mode {
	FAKE_HONEST,
	FAKE_REFUSE,	 /* hello: no principal */
	FAKE_BUSY,	 /* hello: later */
	FAKE_OTHER,	 /* hello: another version */
	FAKE_MUTE_HELLO, /* accepts and says nothing */
	FAKE_GARBAGE,	 /* hello: not one */
	FAKE_DIES_EARLY, /* hello: the end; `dying` times, then honest */
	FAKE_MUTE,	 /* takes calls and says nothing */
	FAKE_BEATS,	 /* beats eight times before each answer, a silence long in all */
	FAKE_WRONG_ID,	 /* answers another id than was asked */
	FAKE_WRONG_CALL, /* answers another call */
	FAKE_LEFTOVER,	 /* one byte too many in the body */
	FAKE_SHORT,	 /* one byte too few */
	FAKE_HUGE,	 /* a length beyond the maximum */
	FAKE_FLAGS,	 /* flags in a header */
	FAKE_OVERFLOW,	 /* more output than the caller has room for */
	FAKE_AGAIN,	 /* says once that it serves no more, and ends; then honest */
	FAKE_HALF,	 /* half a reply, then the end */
	FAKE_DIES,	 /* does what it is asked for, and ends; `dying` workers in turn */
	FAKE_TRICKLE,	 /* the reply byte by byte */
	FAKE_FUSED_LIE,	 /* of a fused request: the beginning failed, the call did not */
	/* Of a search that is fetched: */
	FAKE_FETCH_COUNT, /* one object too many is promised */
	FAKE_FETCH_MORE,  /* there is more, twice */
	FAKE_FETCH_LONG,  /* an attribute is longer than what there is of it */
	FAKE_FETCH_ZERO,  /* the first object has no handle */
	FAKE_FETCH_TWICE, /* the first object is the second, too */
	FAKE_FETCH_LENGTH, /* the attributes of an object are longer than the frame */
	/* Of FRAME_INFO: */
	FAKE_INFO_NONE,  /* it is not known here */
	FAKE_INFO_COUNT, /* one mechanism too many is promised */
	FAKE_INFO_MANY,  /* more than there may be */
	FAKE_KEPT_TORN   /* what is to be kept is longer than the frame */
};

#define FAKE_MADE 64

/* What a request with a name has made. */
struct fake_made {
	unsigned char once[16], id[2][16];
	unsigned n;
};

struct fake {
	atomic_int mode;
	atomic_int knows_once; /* FRAME_ONCE is understood, */
	atomic_int forgets_once; /* but no more by who comes after one that dies */
	atomic_int keeps; /* session objects are given to be kept; 2: before the reply */
	atomic_int kept, restored; /* how many */
	atomic_int onces, repeated; /* such requests, and those that were answered again */
	struct fake_made made[FAKE_MADE];
	atomic_int nmade;
	atomic_int beat_ms;  /* FAKE_BEATS: between two */
	atomic_int dying;    /* FAKE_DIES, FAKE_DIES_EARLY: how many still */
	atomic_int hellos;
	atomic_int channels; /* workers started */
	atomic_int resumes;
	atomic_int calls, fused, fetches, infos;
	atomic_int epoch;       /* in replies */
	atomic_int late_ms;     /* FAKE_LATE_MS, or something else */
	atomic_int late_before; /* call that is served so late after it was read */
	atomic_int late_after;  /* call that is answered so late after it was served */
	char dir[64], address[128];
	int pid; /* of the listener, leader of the group */
};

/* In memory shared with the processes; asserts on failure. */
struct fake *fake_start(void);
/* Stop every process, as by kill -9; the token stays. */
void fake_kill(struct fake *f);
/* After fake_kill(): serve again at the same address. */
void fake_restart(struct fake *f);
/* Stop the workers and keep the listener. */
void fake_kill_workers(struct fake *f);
/* Hold every process still, without closing a thing; and let it go on. */
void fake_freeze(struct fake *f);
void fake_thaw(struct fake *f);
/* Kill, and remove the directory. */
void fake_stop(struct fake *f);

#endif
