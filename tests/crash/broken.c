/* broken.c - see broken.h */
#include "broken.h"

#include <stdlib.h>
#include <string.h>

const struct broken brokens[] = {
    {"the log is not synced", true, "log", 0, 0, NULL, NULL},
    {"the log is not synced, without an anchor", false, "log", 0, 0, NULL, NULL},
    {"the head is not synced", true, "head.tmp", 0, 0, NULL, NULL},
    {"the head is not synced, without an anchor", false, "head.tmp", 0, 0, NULL, NULL},
    {"the key is not synced", true, "master.sealed.tmp", 0, 0, NULL, NULL},
    {"the directory is not synced", true, "/", 0, 0, NULL, NULL},
    {"the directory is not synced, without an anchor", false, "/", 0, 0, NULL, NULL},
    {"the audit log is not synced", true, "audit.log", 0, 0, NULL, NULL},
    {"the audit log's keys are not synced", true, "keys", 0, 0, NULL, NULL},
    {"the audit log's name is not synced", true, "audit", 0, 0, NULL, NULL},
    {"the TPM is extended before the log is synced", true, NULL, CALL_SYNC, CALL_TPM, "log", ""},
    {"it is answered before the TPM is extended", true, NULL, CALL_TPM, CALL_MARK, "", ""},
    {"it is answered before the head is there", false, NULL, CALL_SYNC, CALL_MARK, "log", ""},
    {"the old log goes before the TPM is extended", true, NULL, CALL_TPM, CALL_UNLINK, "", "log"},
};
const size_t brokens_count = sizeof(brokens) / sizeof(brokens[0]);

static bool
is_called(const struct entry *e, const char *name)
{
	if (strcmp(name, "/") == 0)
		return e->name[0] == '\0' && e->call == CALL_SYNC_DIR;
	if (strcmp(name, "log") == 0)
		return strncmp(e->name, "log.", 4) == 0;
	if (strcmp(name, "audit.log") == 0)
		return strncmp(e->name, "audit.log.", 10) == 0;
	return name[0] == '\0' || strcmp(e->name, name) == 0;
}

static void
copy(const struct recording *r, struct recording *ret)
{
	*ret = *r;
	if ((ret->entries = malloc((r->n + 1) * sizeof(r->entries[0]))) == NULL)
		abort();
	memcpy(ret->entries, r->entries, r->n * sizeof(r->entries[0]));
}

void
broken_without(const struct recording *r, size_t entry, struct recording *ret)
{
	copy(r, ret);
	memmove(&ret->entries[entry], &ret->entries[entry + 1],
	    (r->n - entry - 1) * sizeof(r->entries[0]));
	ret->n--;
}

static size_t
leave_out(struct recording *r, const char *name)
{
	size_t kept = 0, n = r->n;

	for (size_t i = 0; i < n; i++) {
		const struct entry *e = &r->entries[i];

		if ((e->call != CALL_SYNC && e->call != CALL_SYNC_DIR) || !is_called(e, name))
			r->entries[kept++] = *e;
	}
	r->n = kept;
	return n - kept;
}

/* Each `first` goes behind the `second` that follows it, if nothing else of its kind comes
 * between them. */
static size_t
turn_round(struct recording *r, const struct broken *b)
{
	size_t changed = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct entry e = r->entries[i];
		size_t k = i + 1;

		if (e.call != b->first || !is_called(&e, b->first_name))
			continue;
		while (k < r->n && r->entries[k].call != b->first &&
		       !(r->entries[k].call == b->second &&
			   is_called(&r->entries[k], b->second_name)))
			k++;
		if (k == r->n || r->entries[k].call != b->second)
			continue;
		memmove(&r->entries[i], &r->entries[i + 1], (k - i) * sizeof(e));
		r->entries[k] = e;
		i = k;
		changed++;
	}
	return changed;
}

bool
broken_record(const struct broken *b, const struct recording *r, struct recording *ret)
{
	copy(r, ret);
	return (b->no_sync != NULL ? leave_out(ret, b->no_sync) : turn_round(ret, b)) > 0;
}
