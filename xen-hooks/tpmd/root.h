/*
 * root.h - DomT's one secret, sealed to its own TPM, and all that comes of it.
 *
 * STATE/root.sealed is 32 random bytes, sealed (tpm.h); of them are derived the identity that
 * crypto domains know DomT by, the key of their blobs, the key of the state files, and the secret
 * and place of the anchor.  Who has another TPM, or this one at another locality, has none of
 * them.
 *
 * A directory without root.sealed and without a state is a new DomT's: the secret is made, of
 * our randomness and the TPM's.  root.sealed appears there once the anchor is made: with it and
 * without the anchor, somebody has removed the anchor.
 *
 * The TPM stays connected.  What fails closes the connection, and the next question makes it
 * anew, to the TPM of root.sealed and to no other.  A TPM behind a mapped page (tpm2:tis:) cannot
 * be reached again without root: then the process has to be started again (root_lost()).
 *
 * Errors: -1 with a sentence in `why`, or a tpm_result with one.  Threads: one.
 */
#ifndef CAAS_TPMD_ROOT_H
#define CAAS_TPMD_ROOT_H

#include "tpm/domt/session.h"
#include "xen-hooks/tpmd/ledger.h"

struct root_keys {
	uint8_t identity[DOMT_IDENTITY]; /* the secret half */
	uint8_t wrap[32];
	uint8_t state[LEDGER_KEY];
	struct tpm_anchor anchor;
};

struct root {
	/* Set before root_open(); borrowed. */
	const char *address;	  /* of the TPM */
	struct tpm_policy policy; /* `ref` is root's own */
	const char *approvals;	  /* or NULL */
	int dir;

	struct root_keys *keys;		 /* in secmem */
	uint8_t identity[DOMT_IDENTITY]; /* the public half */
	struct buf blob;
	struct tpm *tpm; /* NULL: not connected now */
	enum tpm_result refused; /* connecting was, and is not tried before `again` */
	int64_t again;
	bool lost;
	char name[128]; /* what the TPM says it is */
	char why[LEDGER_WHY];
};

/* Opens l as well: all of it but rows, doubt and value is set here.  root_close() in any case. */
int root_open(struct root *r, struct ledger *l);
void root_close(struct root *r, struct ledger *l);

/* 32 bytes from the TPM's generator, for struct service; `root` is a struct root. */
enum tpm_result root_random(void *root, uint8_t ret[32], char why[LEDGER_WHY]);
/* Nothing is asked for a while: tpm_anchor_rest(). */
void root_rest(struct root *r);
/* The TPM cannot be reached any more by this process. */
bool root_lost(const struct root *r);

#endif
