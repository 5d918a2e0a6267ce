/*
 * diff.h - the same random calls to two PKCS#11 modules; every difference counts.
 *
 * Side 0 is the judge (SoftHSM2 in-process), side 1 the module under test.  A step picks a
 * call from the table (protocol/calls.def), makes its arguments once, with each side's
 * own handles and buffers, calls both, and compares return code and every output that
 * is not random by nature.
 */
#ifndef CAAS_DIFF_H
#define CAAS_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/arena.h"
#include "protocol/calls.h"

#define SIDES 2
#define MAX_SESSIONS 12
#define MAX_OBJECTS 48
#define OUT_SIZE 8192 /* what an output buffer holds at most */

enum kind {
	K_RSA_PRIV, K_RSA_PUB, K_EC_PRIV, K_EC_PUB, K_AES, K_DES3, K_SECRET, K_DATA, K_OTHER,
	K_COUNT
};

/* What a session is in the middle of, as far as the generator cares. */
enum op { OP_NONE, OP_SIGN, OP_VERIFY, OP_ENCRYPT, OP_DECRYPT, OP_DIGEST, OP_FIND };

struct session {
	CK_SESSION_HANDLE h[SIDES];
	enum op op;
	bool random;   /* the operation's output differs between sides by nature */
	int signer;    /* object behind the operation, -1 when unknown */
	CK_FLAGS flags;
	CK_MECHANISM_TYPE mech; /* of the operation */
};

struct object {
	CK_OBJECT_HANDLE h[SIDES];
	enum kind kind;
	bool token;
	bool random;   /* values differ between the sides (generated) */
	unsigned long serial; /* label "o<serial>" */
	CK_BYTE last[SIDES][600]; /* last signature or ciphertext, for verify and decrypt */
	CK_ULONG last_len[SIDES];
};

struct side {
	void *dl;
	CK_FUNCTION_LIST *p11;
	CK_SLOT_ID slot;
	const char *conf; /* SOFTHSM2_CONF for this side, or NULL: as it is */
};

/* The same operation again and again, as applications do it. */
struct repeat {
	unsigned left;
	int session, object;
	uint32_t begin;          /* the call that begins it */
	uint64_t mech_rng;       /* makes the same mechanism again */
};

struct world {
	struct side side[SIDES];
	struct session sessions[MAX_SESSIONS];
	int nsessions;
	struct object objects[MAX_OBJECTS];
	int nobjects;
	struct arena arena;      /* arguments of one step */
	uint64_t rng;
	unsigned long serial, steps, differences;
	struct repeat repeat;
	unsigned long repeated;  /* operations that succeeded within a repetition */
	bool verbose;
	char user_pin[32], so_pin[32];
	const char *label;       /* of the token */
};

/* One step's call with everything the comparison needs to know. */
struct step {
	const struct call *call;
	struct arg args[SIDES][ARGS_MAX + 1];
	CK_RV rv[SIDES];
	int session;             /* index, or -1 for an illegal handle */
	int object;              /* first object argument, or -1 */
	enum kind making;        /* kind of the object that the call makes */
	bool making_token, making_random;
	bool random;             /* outputs differ by nature */
	CK_MECHANISM_TYPE mech;
	const char *new_pin;     /* after C_InitPIN, C_SetPIN */
	bool repeats;            /* of w->repeat */
};

/* rng: xorshift; a seed gives the same run again. */
uint64_t rnd(struct world *w);
unsigned rnd_below(struct world *w, unsigned n);
bool chance(struct world *w, unsigned percent);

/* side.c */
bool side_load(struct side *s, const char *module);
CK_RV side_initialize(struct side *s);
bool side_token(struct world *w, struct side *s);
bool side_find(struct world *w, struct side *s);
void side_unload(struct side *s);

/* keys.c: templates of objects with the same value on both sides. */
void keys_init(void);
CK_ATTRIBUTE *keys_template(struct world *w, enum kind kind, bool token, unsigned long serial,
    CK_ULONG *ret_count);

/* gen.c: choose a call and make its arguments. */
void gen_step(struct world *w, struct step *s);
/* mechs.c: a mechanism for an operation with a key of this kind, mostly a right one. */
CK_MECHANISM *gen_mech(struct world *w, enum op op, enum kind kind, bool *ret_random);

/* compare.c: report the first difference of a step; false when there is one. */
bool compare_step(struct world *w, const struct step *s);
/* known.c: a difference that is listed, with the reason. NULL when it is not. */
const char *known_difference(const struct step *s);
/* model.c: take what the step changed into the world. */
void model_step(struct world *w, const struct step *s);
void model_forget_session(struct world *w, int index);
void model_forget_object(struct world *w, int index);
/* Finalize, initialize, find the token objects again by their labels. */
bool model_cycle(struct world *w);

#endif
