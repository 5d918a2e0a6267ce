/*
 * audit_offline.c - caas audit verify --log: an audit log by what is public of it.
 *
 * --key has lines that `caas audit key` has printed at one time or another, each with the
 * number and hash of a seal and the public key that it names.  Every one that falls into
 * the log must agree with it, and one at least must.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "caas/audit.h"
#include "common/hex.h"
#include "vsmd/store/audit_judge.h"

#define KNOWN_MAX 1000000
#define KEY_LINE 1024

struct log_file {
	const char *name;
	uint64_t first; /* number of its first record; 0: it has none */
};

struct offline {
	struct audit_judge judge;
	struct audit_at *known; /* by number */
	size_t nknown, room;
	struct log_file *files;
	size_t nfiles;
};

/* One line, without its newline, which *ret_whole says there was; what is longer than the
 * space is cut.  Its length, or -1 at the end. */
static ssize_t
read_line(FILE *f, char *space, size_t size, bool *ret_whole)
{
	size_t n = 0;
	int c = getc(f);
	bool fits = true;

	if (c == EOF)
		return -1;
	for (; c != EOF && c != '\n'; c = getc(f)) {
		if (n < size)
			space[n++] = (char)c;
		else
			fits = false;
	}
	*ret_whole = c == '\n' && fits;
	return (ssize_t)n;
}

static bool
known_read(const char *line, size_t len, struct audit_at *ret)
{
	json_t *o = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const char *hash = json_string_value(json_object_get(o, "hash")),
		   *key = json_string_value(json_object_get(o, "key"));
	const json_t *seq = json_object_get(o, "seq"),
		     *epoch = json_object_get(o, "epoch");
	bool ok = json_is_integer(seq) && json_integer_value(seq) > 0 &&
		  json_is_integer(epoch) && json_integer_value(epoch) > 0 &&
		  hash != NULL && hex_get(hash, ret->hash, CRYPT_HASH) && key != NULL &&
		  hex_get(key, ret->key, CRYPT_PUBLIC);

	ret->seq = (uint64_t)json_integer_value(seq);
	ret->epoch = (uint64_t)json_integer_value(epoch);
	json_decref(o);
	return ok;
}

/* What ended the reading: the end of the file, or an error. */
static int
close_read(FILE *f, const char *name, int rc)
{
	if (rc == CMD_OK && ferror(f))
		rc = cmd_fail("%s: cannot be read: %s", name, strerror(errno));
	fclose(f);
	return rc;
}

static int
by_number(const void *a, const void *b)
{
	const struct audit_at *p = a, *q = b;

	return (p->seq > q->seq) - (p->seq < q->seq);
}

static bool
known_room(struct offline *o)
{
	size_t room = o->room > 0 ? 2 * o->room : 64;
	struct audit_at *known;

	if (o->nknown < o->room)
		return true;
	if ((known = reallocarray(o->known, room, sizeof(*known))) == NULL)
		return false;
	o->known = known;
	o->room = room;
	return true;
}

static int
read_known(struct offline *o, const char *name)
{
	FILE *f = fopen(name, "re");
	char line[KEY_LINE];
	int rc = CMD_OK;
	ssize_t n;
	bool whole;

	if (f == NULL)
		return cmd_fail("%s: %s", name, strerror(errno));
	while (rc == CMD_OK && (n = read_line(f, line, sizeof(line), &whole)) >= 0) {
		if (o->nknown == KNOWN_MAX)
			rc = cmd_fail("%s: more than %d lines", name, KNOWN_MAX);
		else if (!known_room(o))
			rc = cmd_fail("no memory: free some");
		else if (!known_read(line, (size_t)n, &o->known[o->nknown++]))
			rc = cmd_fail(
			    "%s: line %zu is none that `caas audit key' has printed",
			    name, o->nknown);
	}
	rc = close_read(f, name, rc);
	if (rc == CMD_OK && o->nknown == 0)
		rc = cmd_fail("%s: nothing is in it", name);
	if (rc == CMD_OK)
		qsort(o->known, o->nknown, sizeof(*o->known), by_number);
	return rc;
}

/* By its first line that has a number: order on the command line does not count. */
static int
look(struct log_file *file)
{
	FILE *f = fopen(file->name, "re");
	char line[AUDIT_LINE_MAX];
	struct stat st;
	int rc = CMD_OK;
	ssize_t n;
	bool whole;

	if (f == NULL)
		return cmd_fail("%s: %s", file->name, strerror(errno));
	if (fstat(fileno(f), &st) == 0 && !S_ISREG(st.st_mode))
		rc = cmd_fail("%s: is no file: of several, each is read twice, to put "
			      "them in order",
		    file->name);
	while (rc == CMD_OK && file->first == 0 &&
	       (n = read_line(f, line, sizeof(line), &whole)) >= 0)
		file->first = audit_line_seq(line, (size_t)n);
	return close_read(f, file->name, rc);
}

static int
by_first(const void *a, const void *b)
{
	const struct log_file *p = a, *q = b;

	return (p->first > q->first) - (p->first < q->first);
}

static int
gather(struct offline *o, const struct args *args)
{
	int rc = CMD_OK;

	if ((o->files = calloc(args->noperands + 1, sizeof(*o->files))) == NULL)
		return cmd_fail("no memory: free some");
	o->files[o->nfiles++].name = args->value[OPT_LOG];
	for (size_t i = 0; i < args->noperands; i++)
		o->files[o->nfiles++].name = args->operand[i];
	for (size_t i = 0; rc == CMD_OK && o->nfiles > 1 && i < o->nfiles; i++)
		rc = look(&o->files[i]);
	qsort(o->files, o->nfiles, sizeof(*o->files), by_first);
	return rc;
}

/* The name as it can be shown, and be in JSON. */
static void
clean_name(char out[AUDIT_WHERE], const char *name)
{
	size_t i = 0;

	for (; name[i] != '\0' && i + 1 < AUDIT_WHERE; i++)
		out[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
	out[i] = '\0';
}

/* One that cannot be read is no end of the log. */
static int
judge_file(struct offline *o, const char *name, enum audit_verdict *ret)
{
	FILE *f = fopen(name, "re");
	char shown[AUDIT_WHERE];
	char line[AUDIT_LINE_MAX];
	uint64_t number = 0;
	ssize_t n;
	bool whole;

	clean_name(shown, name);
	if (f == NULL)
		return cmd_fail("%s: %s", name, strerror(errno));
	while (*ret == AUDIT_MORE && (n = read_line(f, line, sizeof(line), &whole)) >= 0)
		*ret =
		    audit_judge_line(&o->judge, shown, ++number, line, (size_t)n, whole);
	return close_read(f, name, CMD_OK);
}

static int
judge(struct offline *o, const struct args *args)
{
	struct audit_judge *j = &o->judge;
	enum audit_verdict v = AUDIT_MORE;
	int rc = CMD_OK;

	audit_judge_begin(j, NULL);
	j->known = o->known;
	j->nknown = o->nknown;
	for (size_t i = 0; rc == CMD_OK && v == AUDIT_MORE && i < o->nfiles; i++)
		rc = judge_file(o, o->files[i].name, &v);
	if (rc != CMD_OK)
		return rc;
	if (v == AUDIT_MORE)
		v = audit_judge_end(j);
	if (v == AUDIT_BAD)
		return audit_findings(args,
		    json_pack("{s:b, s:I, s:I, s:s, s:s, s:I, s:s}", "ok", 0, "records",
			(json_int_t)j->at.seq, "first_bad", (json_int_t)j->record,
			"fault", audit_fault_name(j->fault), "file", j->file, "line",
			(json_int_t)j->line, "why", j->why));
	if (j->first == 0)
		return cmd_fail("%s: no record is in it", o->files[0].name);
	if (!j->anchored)
		return cmd_fail(
		    "records %llu to %llu agree with each other, but none of the "
		    "places in %s is among them: nothing says whose they are",
		    (unsigned long long)j->first, (unsigned long long)j->at.seq,
		    args->value[OPT_KEY]);
	return audit_findings(
	    args, json_pack("{s:b, s:I, s:I, s:I, s:s}", "ok", 1, "records",
		      (json_int_t)j->at.seq, "first", (json_int_t)j->first, "sealed",
		      (json_int_t)j->sealed, "sealed_time", j->sealed_time));
}

int
audit_offline(const struct args *args)
{
	struct offline o = {0};
	int rc;

	if (args->value[OPT_KEY] == NULL)
		return cmd_usage("--log needs --key FILE, with what `caas audit key' has "
				 "printed: see caas audit verify --help");
	rc = read_known(&o, args->value[OPT_KEY]);
	if (rc == CMD_OK)
		rc = gather(&o, args);
	if (rc == CMD_OK)
		rc = judge(&o, args);
	free(o.known);
	free(o.files);
	return rc;
}
