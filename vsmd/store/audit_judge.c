/* audit_judge.c - see audit_judge.h */
#include "vsmd/store/audit_judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/secmem.h"

const char *
audit_fault_name(enum audit_fault f)
{
	static const char *const names[] = {[AUDIT_ALTERED] = "altered",
	    [AUDIT_MISSING] = "missing",
	    [AUDIT_REORDERED] = "reordered",
	    [AUDIT_DUPLICATED] = "duplicated",
	    [AUDIT_TORN] = "torn",
	    [AUDIT_FOREIGN] = "foreign",
	    [AUDIT_REKEYED] = "rekeyed",
	    [AUDIT_FORGED] = "forged"};

	return names[f];
}

static enum audit_verdict __attribute__((format(printf, 5, 6)))
bad(struct audit_judge *j, enum audit_fault f, uint64_t record,
    const struct audit_seen *where, const char *fmt, ...)
{
	va_list ap;

	j->fault = f;
	j->record = record;
	j->line = where->number;
	memcpy(j->file, where->file, sizeof(j->file));
	va_start(ap, fmt);
	vsnprintf(j->why, sizeof(j->why), fmt, ap);
	va_end(ap);
	return AUDIT_BAD;
}

void
audit_judge_begin(struct audit_judge *j, const struct audit_at *from)
{
	memset(j, 0, sizeof(*j));
	if (from == NULL) {
		j->open = true;
		return;
	}
	j->at = *from;
	j->anchored = true;
	j->first = from->seq + 1;
	j->sealed = from->seq;
}

static bool
follows(const struct audit_line *l, const uint8_t hash[CRYPT_HASH])
{
	return sec_equal(l->prev, hash, CRYPT_HASH);
}

/* The record is as it was written; false: that cannot be told. */
static bool
intact(const struct audit_judge *j, const struct audit_seen *s,
    const struct audit_seen *next)
{
	if ((s->mac_known && s->mac) || (s->line.kind == AUDIT_SEAL && s->sig))
		return true;
	if (next != NULL)
		return next->wrong == NULL && follows(&next->line, s->line.hash);
	return j->want != NULL && s->line.seq == j->want->seq &&
	       sec_equal(s->line.hash, j->want->hash, CRYPT_HASH);
}

/* The first of those that are known from that number on. */
static size_t
known_from(const struct audit_judge *j, uint64_t seq)
{
	size_t low = 0, high = j->nknown;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (j->known[mid].seq < seq)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Whatever was known before of this record. */
static bool
as_known(struct audit_judge *j, const struct audit_line *l)
{
	for (size_t i = known_from(j, l->seq - 1);
	     i < j->nknown && j->known[i].seq <= l->seq; i++) {
		const struct audit_at *k = &j->known[i];

		if (k->seq + 1 == l->seq && !follows(l, k->hash))
			return false;
		if (k->seq != l->seq)
			continue;
		if (!sec_equal(k->hash, l->hash, CRYPT_HASH))
			return false;
		j->anchored = true;
		j->sealed = l->seq;
	}
	return true;
}

static enum audit_verdict
check_seal(
    struct audit_judge *j, const struct audit_seen *s, const struct audit_seen *next)
{
	/* Of a log whose beginning nobody knows the first seal names the first key. */
	if (j->open && j->at.epoch == 0)
		return AUDIT_MORE;
	if (s->line.epoch == j->at.epoch && s->sig)
		return AUDIT_MORE;
	if ((next != NULL || j->want != NULL) && !intact(j, s, next))
		return bad(j, AUDIT_ALTERED, s->line.seq, s, "its signature is wrong");
	return bad(j, AUDIT_ALTERED, j->sealed + 1, s,
	    "the signature of record %" PRIu64 " is wrong: of the records from %" PRIu64
	    " on to this one, at least one was written anew",
	    s->line.seq, j->sealed + 1);
}

/* A record in its place: is it the one that was written there? */
static enum audit_verdict
check_placed(struct audit_judge *j, const struct audit_seen *next)
{
	const struct audit_seen *s = &j->present;
	enum audit_verdict v = AUDIT_MORE;

	if (s->mac_known && !s->mac)
		return bad(j, AUDIT_ALTERED, s->line.seq, s, "its mac is wrong");
	if (s->line.kind == AUDIT_SEAL)
		v = check_seal(j, s, next);
	else if (s->line.kind == AUDIT_BEGINNING &&
		 (j->at.seq + 1 != j->first || j->at.epoch != 0))
		v = bad(j, AUDIT_REKEYED, s->line.seq, s,
		    "the store had lost the secrets of its audit log here: nothing "
		    "certifies the new ones");
	if (v != AUDIT_MORE)
		return v;
	if (!as_known(j, &s->line))
		return bad(j, AUDIT_FORGED, s->line.seq, s,
		    "it is not the record that was known before: this log was written "
		    "anew, from there or from an earlier record on");
	audit_at_step(&j->at, &s->line);
	if (s->line.kind == AUDIT_SEAL) {
		j->sealed = s->line.seq;
		memcpy(j->sealed_time, s->line.time, sizeof(j->sealed_time));
	}
	j->before = *s;
	return AUDIT_MORE;
}

/* The right number, but another record before it. */
static enum audit_verdict
check_chain(struct audit_judge *j, const struct audit_seen *next)
{
	const struct audit_seen *s = &j->present, *b = &j->before;

	if (!intact(j, s, next))
		return bad(j, AUDIT_ALTERED, s->line.seq, s,
		    "neither the record before it nor the one behind it knows it");
	if (!b->here)
		return bad(j, AUDIT_ALTERED, s->line.seq, s,
		    "it does not follow the last record before this log");
	if ((b->mac_known && b->mac) || (b->line.kind == AUDIT_SEAL && b->sig))
		return bad(j, AUDIT_ALTERED, s->line.seq, s,
		    "it does not follow the record before it");
	return bad(
	    j, AUDIT_ALTERED, b->line.seq, b, "the record behind it knows another");
}

static enum audit_verdict
check_early(struct audit_judge *j, const struct audit_seen *next)
{
	const struct audit_seen *s = &j->present, *b = &j->before;

	if (j->open && b->here && b->line.seq == j->first &&
	    !sec_equal(b->line.hash, s->line.hash, CRYPT_HASH))
		return bad(j, AUDIT_ALTERED, b->line.seq, b,
		    "record %" PRIu64 " stands behind it", s->line.seq);
	if (next != NULL && next->wrong == NULL && next->line.seq == j->at.seq + 2)
		return bad(j, AUDIT_ALTERED, j->at.seq + 1, s,
		    "record %" PRIu64 " stands in its place", s->line.seq);
	return bad(j, AUDIT_DUPLICATED, s->line.seq, s, "it stands here a second time");
}

/* Judge j->present, which `next` follows. */
static enum audit_verdict
judge(struct audit_judge *j, const struct audit_seen *next)
{
	const struct audit_seen *s = &j->present;
	uint64_t due = j->at.seq + 1;
	bool over = j->want != NULL && j->at.seq >= j->want->seq;

	if (s->wrong != NULL &&
	    (over || (next != NULL && next->wrong == NULL && next->line.seq == due)))
		return bad(j, AUDIT_FOREIGN, due, s,
		    over ? "it stands behind the last record"
			 : "it stands before this record, and is none");
	if (!s->whole)
		return bad(j, AUDIT_TORN, due, s, "the line ends before it should");
	if (s->wrong != NULL)
		return bad(j, AUDIT_ALTERED, due, s, "%s", s->wrong);
	if (s->line.seq != due && follows(&s->line, j->at.hash))
		return bad(
		    j, AUDIT_ALTERED, due, s, "it has the number %" PRIu64, s->line.seq);
	if (s->line.seq < due)
		return check_early(j, next);
	if (over)
		return bad(
		    j, AUDIT_FOREIGN, s->line.seq, s, "it stands behind the last record");
	if (s->line.seq == due)
		return follows(&s->line, j->at.hash) ? check_placed(j, next)
						     : check_chain(j, next);
	j->searching = true;
	j->gap = *s;
	return AUDIT_MORE;
}

static void
search(struct audit_judge *j, const struct audit_seen *s)
{
	if (s->wrong != NULL)
		return;
	if (s->line.seq == j->at.seq + 1 && !j->found.here)
		j->found = *s;
	if (s->line.seq == j->gap.line.seq)
		j->again = true;
}

static enum audit_verdict
found(struct audit_judge *j)
{
	const struct audit_seen *f = &j->found;
	uint64_t due = j->at.seq + 1, there = j->gap.line.seq;

	if (f->here && j->again)
		return bad(j, AUDIT_DUPLICATED, there, &j->gap,
		    "it stands here, and in its own place");
	if (f->here)
		return bad(j, AUDIT_REORDERED, due, &j->gap,
		    "record %" PRIu64 " stands in its place, and it in line %" PRIu64
		    " of %s",
		    there, f->number, f->file);
	if (due + 1 == there)
		return bad(j, AUDIT_MISSING, due, &j->gap,
		    "record %" PRIu64 " stands in its place", there);
	return bad(j, AUDIT_MISSING, due, &j->gap,
	    "it and all up to record %" PRIu64 ", which stands in its place", there);
}

/* A log that begins anywhere begins before its first record. */
static void
begin_at(struct audit_judge *j, const struct audit_line *l)
{
	j->at.seq = l->seq - 1;
	memcpy(j->at.hash, l->prev, CRYPT_HASH);
	j->first = l->seq;
	j->sealed = l->seq - 1;
	for (size_t i = 0; i < j->nknown; i++)
		if (j->known[i].seq == j->at.seq && j->at.seq > 0 &&
		    sec_equal(j->known[i].hash, j->at.hash, CRYPT_HASH)) {
			j->at = j->known[i];
			j->anchored = true;
		}
}

static void
see(struct audit_judge *j, struct audit_seen *s, const char *line, size_t len)
{
	const struct audit_line *l = &s->line;
	uint64_t epoch;

	s->wrong = audit_line_parse(line, len, &s->line);
	if (s->wrong != NULL)
		return;
	if (j->open && j->first == 0)
		begin_at(j, l);
	/* Of the place behind what is judged now: nothing before it changes the epoch but
	 * a seal, and that is the record at hand. */
	epoch = j->at.epoch;
	if (j->present.here && j->present.wrong == NULL &&
	    j->present.line.kind != AUDIT_RECORD)
		epoch = j->present.line.epoch + (j->present.line.kind == AUDIT_SEAL);
	if (l->kind == AUDIT_BEGINNING)
		epoch = l->epoch;
	if (j->mac != NULL && epoch == j->mac_epoch) {
		s->mac_known = true;
		s->mac = audit_line_mac_fits(j->mac, line, len);
	}
	if (l->kind == AUDIT_SEAL) {
		const uint8_t *key = j->at.key;

		if (j->present.here && j->present.wrong == NULL &&
		    j->present.line.kind != AUDIT_RECORD)
			key = j->present.line.next;
		s->sig = audit_line_sig_fits(key, line, len);
	}
}

enum audit_verdict
audit_judge_line(struct audit_judge *j, const char *file, uint64_t number,
    const char *line, size_t len, bool whole)
{
	struct audit_seen s = {.here = true, .whole = whole, .number = number};
	enum audit_verdict v = AUDIT_MORE;

	snprintf(s.file, sizeof(s.file), "%s", file);
	see(j, &s, line, len);
	if (j->searching) {
		search(j, &s);
		return AUDIT_MORE;
	}
	if (j->present.here)
		v = judge(j, &s);
	if (j->searching)
		search(j, &s);
	j->present = s;
	return v;
}

static enum audit_verdict
judge_last(struct audit_judge *j)
{
	enum audit_verdict v =
	    j->present.here && !j->searching ? judge(j, NULL) : AUDIT_MORE;

	j->present.here = false;
	return v == AUDIT_MORE && j->searching ? found(j) : v;
}

enum audit_verdict
audit_judge_no_file(struct audit_judge *j, const char *file)
{
	struct audit_seen s = {.number = 0};
	enum audit_verdict v = judge_last(j);

	if (v != AUDIT_MORE)
		return v;
	snprintf(s.file, sizeof(s.file), "%s", file);
	return bad(j, AUDIT_MISSING, j->at.seq + 1, &s, "the file is not there");
}

enum audit_verdict
audit_judge_end(struct audit_judge *j)
{
	struct audit_seen last = j->present;
	enum audit_verdict v = judge_last(j);

	if (v != AUDIT_MORE)
		return v;
	if (!last.here)
		snprintf(last.file, sizeof(last.file), "the log");
	last.number++;
	for (size_t i = 0; i < j->nknown; i++)
		if (j->known[i].seq > j->at.seq)
			return bad(j, AUDIT_MISSING, j->at.seq + 1, &last,
			    "the log ends before it, and record %" PRIu64
			    " was known before",
			    j->known[i].seq);
	if (j->want == NULL)
		return AUDIT_GOOD;
	if (j->at.seq < j->want->seq)
		return bad(j, AUDIT_MISSING, j->at.seq + 1, &last,
		    "the log ends before it, the store knows of %" PRIu64 " records",
		    j->want->seq);
	if (!sec_equal(j->at.hash, j->want->hash, CRYPT_HASH))
		return bad(j, AUDIT_ALTERED, j->at.seq, &j->before,
		    "it is not the last record that the store knows");
	return AUDIT_GOOD;
}
