/*
 * commit.h - the group commit: everything that waits becomes durable together.
 *
 * For each slot with a waiting M_W_COMMIT: pass its gate, read what changed in its
 * directory, leave the gate; then one record for all, then all answers.  A slot whose
 * gate is taken waits for the next round; others go on.
 *
 * When it fails, SoftHSM2's files already hold what the store does not: the slots that
 * took part are discarded (state.h), and those that waited are told.
 */
#ifndef CAAS_STORE_COMMIT_H
#define CAAS_STORE_COMMIT_H

#include "vsmd/store/state.h"

/* One round.  Does nothing when nothing waits. */
void commit_run(struct store *s);
/* Make one transaction durable now, outside of a group (administration): adds the audit
 * log's end and pending revocations, syncs the audit log. */
enum vault_result commit_now(struct store *s, struct txn *t);
/* The audit log's end and pending revocations alone (lazy.h). */
enum vault_result commit_rest(struct store *s);
/* As commit_now(), of a rolled-back store: that is the last state from now on. */
enum vault_result commit_accept(struct store *s, struct txn *t);

#endif
