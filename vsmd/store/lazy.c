/* lazy.c - see lazy.h */
#include "vsmd/store/lazy.h"

#include <limits.h>

#include "vsmd/store/clock.h"
#include "vsmd/store/commit.h"

static bool
waits(const struct store *s)
{
	return s->vault.anchor != NULL && !s->vault.rolled_back &&
	       (s->revoked.later.count > 0 || s->audit.seq != s->audit_committed);
}

int
lazy_timeout(struct store *s)
{
	int64_t now = clock_ms(), budget, left;

	if (!waits(s)) {
		s->lazy_since = 0;
		return -1;
	}
	if (s->lazy_since == 0)
		s->lazy_since = now;
	left = s->lazy_since + LAZY_AFTER - now;
	budget = wear_wait(&s->wear, now);
	if (budget > left)
		left = budget;
	return left <= 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
}

void
lazy_run(struct store *s, bool all)
{
	if (!waits(s) || (!all && lazy_timeout(s) != 0))
		return;
	/* At the end nobody waits for a TPM that has failed. */
	if (all && s->anchor.doubt)
		return;
	s->lazy_since = clock_ms();
	if (commit_rest(s) != VAULT_OK)
		s->lazy_since += LAZY_AGAIN - LAZY_AFTER;
}

void
lazy_done(struct store *s)
{
	s->audit_committed = s->audit.seq;
	s->lazy_since = 0;
}
