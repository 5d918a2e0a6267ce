/* test_audit_judge.c - what was done to an audit log is found: what, to which record, and
 * in which line of which file; by the store, and by whoever has what is public of it */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auditlog.h"
#include "common/hex.h"
#include "dirs.h"

/* Records 1 to 30 and a few; the last ones are in an epoch that is not over. */
static struct auditlog *log_;
static struct lines good;

static int
setup(void **state)
{
	static const struct audit_limits small = {.rotate = 3500};

	(void)state;
	log_ = auditlog_make(&small);
	auditlog_run(log_, 33);
	auditlog_commit(log_);
	good = lines_load(log_);
	assert_int_equal(good.n, log_->audit.at.seq);
	assert_true(log_->audit.file >= 4);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	lines_free(&good);
	auditlog_free(log_);
	return 0;
}

static struct lines
copy(void)
{
	struct lines l = {0};

	for (size_t i = 0; i < good.n; i++)
		lines_insert(&l, i, good.line[i], good.file[i]);
	return l;
}

static uint64_t
line_in_file(const struct lines *l, size_t i)
{
	uint64_t n = 1;

	while (i > 0 && l->file[i - 1] == l->file[i]) {
		n++;
		i--;
	}
	return n;
}

/* Without the store: what it would take from its public key. */
static enum audit_verdict
offline(const struct lines *l, size_t from, const struct audit_at *known,
    size_t nknown, struct audit_judge *j)
{
	struct audit_at k[8] = {0};
	enum audit_verdict v = AUDIT_MORE;
	char name[AUDIT_FILE_NAME];

	memcpy(k, known, nknown * sizeof(*known));
	audit_judge_begin(j, NULL);
	j->known = k;
	j->nknown = nknown;
	for (size_t i = from; v == AUDIT_MORE && i < l->n; i++) {
		size_t len = strlen(l->line[i]);
		bool whole = len > 0 && l->line[i][len - 1] == '\n';

		audit_name(name, l->file[i]);
		v = audit_judge_line(
		    j, name, line_in_file(l, i), l->line[i], len - whole, whole);
	}
	if (v == AUDIT_MORE)
		v = audit_judge_end(j);
	j->known = NULL;
	return v;
}

static struct audit_at
known_at(size_t i)
{
	struct audit_at k = {0};

	for (size_t n = 0; n <= i; n++) {
		struct audit_line line;

		assert_null(
		    audit_line_parse(good.line[n], strlen(good.line[n]) - 1, &line));
		audit_at_step(&k, &line);
	}
	return k;
}

/* The store and who has the first record's hash both find it. */
static void
expect(const struct lines *l, enum audit_fault fault, uint64_t record, size_t line)
{
	struct audit_at first = known_at(0);
	struct audit_judge j;
	char name[AUDIT_FILE_NAME] = "";

	if (line < l->n)
		audit_name(name, l->file[line]);
	lines_save(log_, l);
	for (int i = 0; i < 2; i++) {
		enum audit_verdict v =
		    i == 0 ? auditlog_verify(log_, &j) : offline(l, 0, &first, 1, &j);

		assert_int_equal(v, AUDIT_BAD);
		if (j.fault != fault || j.record != record)
			fail_msg("%s: record %d is %s (%s), not record %d %s",
			    i == 0 ? "store" : "offline", (int)j.record,
			    audit_fault_name(j.fault), j.why, (int)record,
			    audit_fault_name(fault));
		if (line < l->n) {
			assert_int_equal(j.line, line_in_file(l, line));
			assert_string_equal(j.file, name);
		}
	}
	lines_save(log_, &good);
}

static void
nothing_was_done(void **state)
{
	struct audit_at first = known_at(0);
	struct audit_judge j;

	(void)state;
	lines_save(log_, &good);
	assert_int_equal(auditlog_verify(log_, &j), AUDIT_GOOD);
	assert_int_equal(j.at.seq, good.n);
	assert_int_equal(offline(&good, 0, &first, 1, &j), AUDIT_GOOD);
	assert_true(j.anchored);
	assert_int_equal(j.sealed, log_->audit.sealed);
	assert_true(j.sealed < good.n);
}

/* One that changes no number and no hash: the text of an event. */
static void
alter(char *line)
{
	char *at = strstr(line, "C_Sign");

	if (at == NULL)
		at = strstr(line, "audit-");
	assert_non_null(at);
	*at ^= 0x20;
}

static void
altered(void **state)
{
	(void)state;
	/* The first one: who has its hash knows that at once.  The last two: only the
	 * store knows that nothing follows. */
	for (size_t i = 1; i + 2 < good.n; i++) {
		struct lines l = copy();

		alter(l.line[i]);
		expect(&l, AUDIT_ALTERED, i + 1, i);
		lines_free(&l);
	}
}

static void
first_and_last_altered(void **state)
{
	struct audit_judge j;
	struct lines l = copy();

	(void)state;
	alter(l.line[good.n - 1]);
	lines_save(log_, &l);
	assert_int_equal(auditlog_verify(log_, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_ALTERED);
	assert_int_equal(j.record, good.n);
	lines_free(&l);
	l = copy();
	alter(l.line[0]);
	lines_save(log_, &l);
	assert_int_equal(auditlog_verify(log_, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_ALTERED);
	assert_int_equal(j.record, 1);
	lines_free(&l);
	lines_save(log_, &good);
}

/* The first bad line is named, whichever byte was changed. */
static void
every_byte_flipped(void **state)
{
	struct audit_judge j;

	(void)state;
	for (size_t i = 0; i < good.n; i += dirs_long() ? 1 : 5) {
		size_t len = strlen(good.line[i]);

		for (size_t k = i % 7; k < len; k += dirs_long() ? 1 : 13) {
			struct lines l = copy();

			l.line[i][k] ^= 2;
			lines_save(log_, &l);
			assert_int_equal(auditlog_verify(log_, &j), AUDIT_BAD);
			if (j.record != i + 1 || j.line != line_in_file(&l, i))
				fail_msg("byte %zu of record %zu: record %d is %s: %s", k,
				    i + 1, (int)j.record, audit_fault_name(j.fault),
				    j.why);
			assert_true(j.fault == AUDIT_ALTERED || j.fault == AUDIT_TORN);
			lines_free(&l);
		}
	}
	lines_save(log_, &good);
}

static void
missing(void **state)
{
	(void)state;
	for (size_t i = 1; i + 1 < good.n; i++) {
		struct lines l = copy();

		lines_remove(&l, i);
		expect(&l, AUDIT_MISSING, i + 1, i);
		if (i + 3 < good.n) { /* and more of them */
			lines_remove(&l, i);
			lines_remove(&l, i);
			expect(&l, AUDIT_MISSING, i + 1, i);
		}
		lines_free(&l);
	}
}

/* At the beginning, at the end: the store knows them. */
static void
cut(void **state)
{
	struct audit_at known[2] = {known_at(0)};
	struct audit_judge j;
	struct lines l = copy();
	size_t seal = log_->audit.sealed - 1;

	(void)state;
	lines_remove(&l, 0);
	lines_save(log_, &l);
	assert_int_equal(auditlog_verify(log_, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_MISSING);
	assert_int_equal(j.record, 1);
	lines_free(&l);
	l = copy();
	while (l.n > seal + 1)
		lines_remove(&l, l.n - 1);
	lines_save(log_, &l);
	assert_int_equal(auditlog_verify(log_, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_MISSING);
	assert_int_equal(j.record, seal + 2);
	/* Who has only the first key sees where the log ends; who has a later one sees
	 * that it once went on. */
	assert_int_equal(offline(&l, 0, known, 1, &j), AUDIT_GOOD);
	assert_int_equal(j.at.seq, seal + 1);
	known[1] = known_at(seal);
	lines_remove(&l, l.n - 1);
	assert_int_equal(offline(&l, 0, known, 2, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_MISSING);
	assert_int_equal(j.record, seal + 1);
	lines_free(&l);
	lines_save(log_, &good);
}

static void
reordered(void **state)
{
	(void)state;
	for (size_t i = 1; i + 2 < good.n; i++) {
		struct lines l = copy();
		char *line = l.line[i];

		l.line[i] = l.line[i + 1];
		l.line[i + 1] = line;
		expect(&l, AUDIT_REORDERED, i + 1, i);
		lines_free(&l);
		/* Far away. */
		l = copy();
		lines_insert(&l, good.n - 1, good.line[i], good.file[good.n - 2]);
		lines_remove(&l, i);
		expect(&l, AUDIT_REORDERED, i + 1, i);
		lines_free(&l);
	}
}

static void
duplicated(void **state)
{
	(void)state;
	for (size_t i = 0; i + 1 < good.n; i++) {
		struct lines l = copy();

		lines_insert(&l, i + 1, good.line[i], good.file[i]);
		expect(&l, AUDIT_DUPLICATED, i + 1, i + 1);
		lines_free(&l);
		if (i == 0 || i + 4 > good.n)
			continue;
		l = copy();
		lines_insert(&l, i, good.line[i + 2], good.file[i]);
		expect(&l, AUDIT_DUPLICATED, i + 3, i);
		lines_free(&l);
	}
}

/* Cut within a line: at the end of each file. */
static void
torn(void **state)
{
	(void)state;
	for (size_t i = 1; i + 1 < good.n; i++) {
		struct lines l;

		if (good.file[i] == good.file[i + 1])
			continue;
		for (size_t k = 1; k < strlen(good.line[i]); k += 100) {
			l = copy();
			l.line[i][strlen(good.line[i]) - k] = '\0';
			expect(&l, AUDIT_TORN, i + 1, i);
			lines_free(&l);
		}
	}
}

static void
foreign(void **state)
{
	struct audit_judge j;
	struct lines l;

	(void)state;
	for (size_t i = 1; i + 1 < good.n; i += 3) {
		l = copy();
		lines_insert(&l, i, "# never mind\n", good.file[i]);
		expect(&l, AUDIT_FOREIGN, i + 1, i);
		lines_free(&l);
	}
	l = copy();
	lines_insert(&l, l.n, "{\"and\":\"so on\"}\n", good.file[good.n - 1]);
	lines_save(log_, &l);
	assert_int_equal(auditlog_verify(log_, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_FOREIGN);
	lines_free(&l);
	lines_save(log_, &good);
}

static void
files_missing_and_exchanged(void **state)
{
	struct lines l = copy();
	struct audit_judge j;
	size_t second = 0;

	(void)state;
	while (good.file[second] != 2)
		second++;
	/* Each with the other's name. */
	for (size_t i = 0; i < l.n; i++)
		if (l.file[i] <= 2)
			l.file[i] = 3 - l.file[i];
	lines_save(log_, &l);
	assert_int_equal(auditlog_verify(log_, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_REORDERED);
	assert_int_equal(j.record, 1);
	lines_free(&l);
	lines_save(log_, &good);
	dirs_unlink(log_->path, auditlog_name(2));
	assert_int_equal(auditlog_verify(log_, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_MISSING);
	assert_int_equal(j.record, second + 1);
	assert_string_equal(j.file, "audit.log.2");
	lines_save(log_, &good);
}

/* Alter record i and write all that follows anew up to line `end`, as who has no secret
 * can: the chain is right, MACs and signatures cannot be. */
static void
rewrite(struct lines *l, size_t i, size_t end)
{
	uint8_t hash[CRYPT_HASH];
	char hex[2 * CRYPT_HASH + 1];

	alter(l->line[i]);
	for (; i + 1 < end; i++) {
		struct part all = {l->line[i], strlen(l->line[i]) - 1};

		assert_true(crypt_hash(&all, 1, hash));
		hex_put(hex, hash, CRYPT_HASH);
		memcpy(strstr(l->line[i + 1], "\"prev\":\"") + 8, hex, 2 * CRYPT_HASH);
	}
}

static void
written_anew_without_the_key(void **state)
{
	struct audit_at first = known_at(0);
	struct audit_judge j;

	(void)state;
	for (size_t i = 1; i < good.n; i += 2) {
		struct lines l = copy();
		size_t seal = i, before = 0;

		while (seal < good.n && strstr(good.line[seal], "\"sig\"") == NULL)
			seal++;
		for (size_t k = 0; k < i; k++)
			if (strstr(good.line[k], "\"sig\"") != NULL)
				before = k;
		rewrite(&l, i, l.n);
		lines_save(log_, &l);
		assert_int_equal(auditlog_verify(log_, &j), AUDIT_BAD);
		assert_int_equal(j.fault, AUDIT_ALTERED);
		/* Up to a seal nobody can say which; of the present epoch, exactly. */
		if (seal < good.n)
			assert_in_range(j.record, before + 1, i + 1);
		else
			assert_int_equal(j.record, i + 1);
		if (seal < good.n) {
			assert_int_equal(offline(&l, 0, &first, 1, &j), AUDIT_BAD);
			assert_in_range(j.record, before + 1, i + 1);
		}
		lines_free(&l);
	}
	lines_save(log_, &good);
}

/* Who takes the store over at some time has the secrets of then.  What was sealed before
 * cannot be written anew: not with the key of now in the place of the old one, nor with a
 * key of his own. */
static void
written_anew_with_the_key_of_now(void **state)
{
	const struct audit_epoch *now =
	    audit_keys_of(&log_->audit.keys, log_->audit.at.epoch);
	struct audit_at first = known_at(0);
	struct audit_judge j;
	uint8_t sign[CRYPT_KEY];
	size_t seal = 6;

	(void)state;
	assert_true(audit_epoch_sign(now, sign));
	while (strstr(good.line[seal], "\"sig\"") == NULL)
		seal++;
	for (int own = 0; own < 2; own++) {
		struct lines l = copy();
		json_t *o;
		char *text, hex[2 * CRYPT_PUBLIC + 1];

		rewrite(&l, seal - 1, seal + 1);
		o = json_loads(l.line[seal], 0, NULL);
		assert_int_equal(json_object_del(o, "sig"), 0);
		assert_int_equal(json_object_del(o, "mac"), 0);
		if (own)
			assert_int_equal(
			    json_object_set_new(o, "next",
				json_string(hex_put(hex, now->public, CRYPT_PUBLIC))),
			    0);
		assert_non_null(text = audit_line_make(o, now->mac, sign));
		free(l.line[seal]);
		assert_true(asprintf(&l.line[seal], "%s\n", text) > 0);
		rewrite(&l, seal, l.n); /* and on */
		lines_save(log_, &l);
		assert_int_equal(auditlog_verify(log_, &j), AUDIT_BAD);
		assert_in_range(j.record, 1, seal + 1);
		assert_int_equal(offline(&l, 0, &first, 1, &j), AUDIT_BAD);
		assert_in_range(j.record, 1, seal + 1);
		free(text);
		json_decref(o);
		lines_free(&l);
	}
	lines_save(log_, &good);
}

/* A log that is whole in itself, but another one. */
static void
another_log(void **state)
{
	static const struct audit_limits none = {0};
	struct auditlog *other = auditlog_make(&none);
	struct audit_at first = known_at(0);
	struct audit_judge j;
	struct lines l;

	(void)state;
	auditlog_run(other, 10);
	assert_int_equal(audit_seal(&other->audit), 0);
	l = lines_load(other);
	assert_int_equal(offline(&l, 0, &first, 1, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_FORGED);
	assert_int_equal(j.record, 1);
	first.seq += 1000;
	assert_int_equal(offline(&l, 0, &first, 1, &j), AUDIT_BAD);
	assert_int_equal(j.fault, AUDIT_MISSING);
	lines_free(&l);
	auditlog_free(other);
}

/* A part of a log: what is known of any place in it, or right before it, is enough. */
static void
a_part(void **state)
{
	struct audit_judge j;
	size_t seals[16], n = 0;

	(void)state;
	for (size_t i = 0; i < good.n; i++)
		if (strstr(good.line[i], "\"sig\"") != NULL)
			seals[n++] = i;
	assert_true(n > 3);
	for (size_t from = 1; from <= seals[2] + 1; from++) {
		struct audit_at k[2] = {known_at(seals[2]), known_at(0)};

		assert_int_equal(offline(&good, from, k, 1, &j), AUDIT_GOOD);
		assert_true(j.anchored);
		assert_int_equal(j.first, from + 1);
		/* One that lies before says nothing. */
		assert_int_equal(offline(&good, from, k + 1, 1, &j), AUDIT_GOOD);
		assert_true(j.anchored == (from == 1));
	}
	{
		struct audit_at k = known_at(seals[2]);
		struct lines l = copy();

		/* The record right behind the known one, after another. */
		k.hash[0] ^= 1;
		assert_int_equal(offline(&l, seals[2] + 1, &k, 1, &j), AUDIT_BAD);
		assert_int_equal(j.fault, AUDIT_FORGED);
		lines_free(&l);
	}
}

static void
lines_that_are_none(void **state)
{
	static const char *const bad[] = {
	    "", "{}", "[]", "null", "{\"seq\":1}", "{\"detail\":1,\"event\":\"\"}"};
	struct audit_line line;
	char *spaced;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(audit_line_parse(bad[i], strlen(bad[i]), &line));
	assert_true(
	    asprintf(&spaced, "%.*s ", (int)strlen(good.line[1]) - 1, good.line[1]) > 0);
	assert_non_null(audit_line_parse(spaced, strlen(spaced), &line));
	assert_null(audit_line_parse(spaced, strlen(spaced) - 1, &line));
	assert_int_equal(audit_line_seq(spaced, strlen(spaced)), 2);
	assert_int_equal(audit_line_seq("x", 1), 0);
	assert_int_equal(audit_line_seq("{\"a\":1,\"seq\":99999999999999999999,", 35), 0);
	free(spaced);
}

/* The number is read the same way from a line that is parsed and from one that may be
 * anything. */
static void
the_largest_numbers(void **state)
{
	static const char *const most[] = {"9007199254740993", "922337203685477580",
	    "9223372036854775799", "9223372036854775800", "9223372036854775807"};
	struct audit_line line;

	(void)state;
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		char text[AUDIT_LINE_MAX], *at = strstr(good.line[1], ",\"seq\":") + 7;

		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good.line[1]),
		    good.line[1], most[i], at + 1);
		assert_null(audit_line_parse(text, strlen(text) - 1, &line));
		assert_int_equal(line.seq, strtoull(most[i], NULL, 10));
		assert_int_equal(audit_line_seq(text, strlen(text) - 1), line.seq);
	}
	assert_int_equal(audit_line_seq(",\"seq\":9223372036854775808,", 28), 0);
	assert_int_equal(audit_line_seq(",\"seq\":92233720368547758070,", 29), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_was_done),
	    cmocka_unit_test(the_largest_numbers),
	    cmocka_unit_test(altered),
	    cmocka_unit_test(first_and_last_altered),
	    cmocka_unit_test(every_byte_flipped),
	    cmocka_unit_test(missing),
	    cmocka_unit_test(cut),
	    cmocka_unit_test(reordered),
	    cmocka_unit_test(duplicated),
	    cmocka_unit_test(torn),
	    cmocka_unit_test(foreign),
	    cmocka_unit_test(files_missing_and_exchanged),
	    cmocka_unit_test(written_anew_without_the_key),
	    cmocka_unit_test(written_anew_with_the_key_of_now),
	    cmocka_unit_test(another_log),
	    cmocka_unit_test(a_part),
	    cmocka_unit_test(lines_that_are_none),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
