/*
 * fake_root.h - the anchor in DomT's TPM, in memory, which fails when it is told to.
 *
 * What a ledger needs of its root, for tests: root.c's is a real TPM's.
 */
#ifndef TPMD_TEST_FAKE_ROOT_H
#define TPMD_TEST_FAKE_ROOT_H

#include "xen-hooks/tpmd/ledger.h"

struct fake_root {
	bool defined;
	struct tpm_anchor_value value;
	/* So many extensions from now on fail, before they are done or after; then it answers
	 * nothing at all for `silent` calls. */
	unsigned fail_before, fail_after, silent;
	unsigned calls, extends;
	void (*done)(const struct fake_root *f); /* after each change; may be NULL */
};

extern const struct ledger_tpm fake_root_ops;
extern const uint8_t fake_root_key[LEDGER_KEY];

/* A ledger in that directory, not opened; `patience` 0: it fails at once. */
void fake_root_ledger(struct fake_root *f, struct ledger *l, int dir);

#endif
