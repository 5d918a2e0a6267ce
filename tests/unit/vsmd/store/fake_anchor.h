/*
 * fake_anchor.h - a TPM's anchor in a file, which fails when it is told to.
 *
 * The file survives processes that end at any point, and can be put back by a test.
 */
#ifndef STORE_TEST_FAKE_ANCHOR_H
#define STORE_TEST_FAKE_ANCHOR_H

#include "vsmd/store/anchor.h"

struct fake_anchor {
	struct anchor anchor;
	char path[256];
	/* n: so many of the extensions from now on fail, before they are done or after;
	 * then it answers nothing at all for `silent` calls. */
	unsigned fail_before, fail_after, silent;
	unsigned calls;
	void (*point)(void); /* called before and after each extension; may be NULL */
};

/* Its file is `name` in `dir`; nothing is in it yet. */
void fake_anchor_init(struct fake_anchor *f, const char *dir, const char *name);
/* The owner removes it. */
void fake_anchor_remove(struct fake_anchor *f);

#endif
