/* lazy.c - see lazy.h */
#include "vsmd/store/lazy.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "vsmd/store/clock.h"
#include "vsmd/store/commit.h"

static bool
waits(const struct store *s)
{
	return s->vault.anchor != NULL && !s->vault.rolled_back &&
	       (s->revoked.later.count > 0 || s->audit.at.seq != s->audit_committed);
}

/* A seal is no reason for a commit: it is signed. */
int
lazy_seal(struct store *s)
{
	bool committed;
	int r;

	if (s->audit.begun)
		(void)commit_rest(s);
	committed = s->audit.at.seq == s->audit_committed;
	r = audit_seal(&s->audit);
	if (r != 0)
		log_warn("audit log: cannot be sealed: %s", strerror(errno));
	if (committed)
		s->audit_committed = s->audit.at.seq;
	return r;
}

static void
tend(struct store *s, int64_t now)
{
	bool committed = s->audit.at.seq == s->audit_committed;

	audit_tend(&s->audit, now);
	if (committed)
		s->audit_committed = s->audit.at.seq;
}

/* The oldest file of the audit log, where there is one too many.  Not while somebody
 * reads them all. */
static void
retire(struct store *s, int64_t now)
{
	char detail[AUDIT_DETAIL], name[AUDIT_FILE_NAME];
	uint64_t first, last, file = audit_surplus(&s->audit, &first, &last);
	struct txn t;

	if (file == 0 || now < s->retire_after || s->vault.rolled_back || s->refused ||
	    wear_wait(&s->wear, now) > 0)
		return;
	for (const struct attach *a = s->attached; a != NULL; a = a->next)
		if (a->wait == WAIT_VERIFY)
			return;
	audit_name(name, file);
	snprintf(detail, sizeof(detail), "file=%s records=%" PRIu64 "-%" PRIu64, name, first,
	    last);
	s->retire_after = now + LAZY_AGAIN;
	if (s->audit.stored < s->audit.nends && commit_rest(s) != VAULT_OK)
		return;
	if (store_note(s, NULL, "audit-retired", detail, 0) != 0)
		return;
	txn_init(&t);
	audit_put_retired(&s->audit, &t);
	if (commit_now(s, &t) == VAULT_OK) {
		audit_retired(&s->audit);
		s->retire_after = 0;
	}
	txn_clear(&t);
}

static int
commit_timeout(struct store *s)
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

int
lazy_timeout(struct store *s)
{
	int commit = commit_timeout(s);
	int64_t seal = audit_timeout(&s->audit, clock_ms());

	if (seal < 0 || seal > INT_MAX || (commit >= 0 && commit < seal))
		return commit;
	return (int)seal;
}

void
lazy_run(struct store *s, bool all)
{
	int64_t now = clock_ms();

	if (all && s->audit.fd >= 0) {
		(void)lazy_seal(s);
	} else if (!all) {
		tend(s, now);
		retire(s, now);
	}
	if (!waits(s) || (!all && commit_timeout(s) != 0))
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
	s->audit_committed = s->audit.at.seq;
	s->lazy_since = 0;
}
