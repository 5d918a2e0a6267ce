/* audit_export.c - caas audit export, key: the log, and what it is checked against */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "caas/ask.h"
#include "caas/outfile.h"

#define PIECE 100 /* records in one request */
#define LINE_FLAGS (JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY)

struct export
{
	FILE *out;
	uint64_t next, last; /* numbers */
	const char *since;   /* until a record is of that time; then NULL */
};

/* 2026-11-26, or more of what the records have: 2026-11-26T06:45:00.000Z. */
static int
check_time(const char *s)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (i >= sizeof(form) - 1 ||
		    (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i]))
			return cmd_usage(
			    "--since: a time in UTC as the records have it, or "
			    "the beginning of one: 2026-11-26T06:45");
	return n >= 4 ? CMD_OK : cmd_usage("--since: at least a year");
}

/* The line as it is in the log, byte for byte. */
static int
put_line(FILE *out, const json_t *record)
{
	if (json_dumpf(record, out, LINE_FLAGS) != 0 || fputc('\n', out) == EOF)
		return cmd_fail("cannot write: %s", strerror(errno));
	return CMD_OK;
}

static int
put_record(struct export *e, const json_t *record)
{
	const char *when = json_string_value(json_object_get(record, "time"));
	json_int_t seq = json_integer_value(json_object_get(record, "seq"));

	/* What is no record has no number, and what was tampered with has any. */
	e->next = seq >= 0 && (uint64_t)seq >= e->next ? (uint64_t)seq + 1 : e->next + 1;
	/* Numbers go up, clocks may go back: from the first on all are written. */
	if (e->since != NULL && (when == NULL || strcmp(when, e->since) < 0))
		return CMD_OK;
	e->since = NULL;
	return put_line(e->out, record);
}

/* The number of records that came, or -1. */
static int
put_piece(struct client *c, struct export *e)
{
	uint64_t left = e->last - e->next + 1;
	struct client_request r = {.call = "audit-read",
	    .args = json_pack("{s:I, s:I}", "from", (json_int_t)e->next, "count",
		(json_int_t)(left < PIECE ? left : PIECE))};
	json_t *j = client_ask(c, &r, NULL), *records;
	size_t n;
	int rc;

	if (j == NULL)
		return -1;
	records = answer_array(j, "records");
	rc = records != NULL ? CMD_OK : CMD_FAILED;
	n = json_array_size(records);
	for (size_t i = 0; rc == CMD_OK && i < n && e->next <= e->last; i++)
		rc = put_record(e, json_array_get(records, i));
	json_decref(j);
	return rc == CMD_OK ? (int)n : -1;
}

static int
put_all(struct client *c, struct export *e)
{
	while (e->next <= e->last) {
		int n = put_piece(c, e);

		if (n < 0)
			return CMD_FAILED;
		if (n == 0)
			return cmd_fail(
			    "records from %llu on cannot be read: caas audit verify "
			    "says what is wrong",
			    (unsigned long long)e->next);
	}
	return CMD_OK;
}

/* A seal at the end of the log; its number.  NULL after saying why there is none. */
static json_t *
seal(struct client *c, uint64_t *ret_last)
{
	struct client_request r = {.call = "audit-seal"};
	json_t *j = client_ask(c, &r, NULL);

	if (j != NULL && !json_is_integer(json_object_get(j, "seq"))) {
		cmd_fail("vsmd's answer has no seq: upgrade one side");
		json_decref(j);
		return NULL;
	}
	*ret_last = (uint64_t)json_integer_value(json_object_get(j, "seq"));
	return j;
}

/* Have `put` write to --out, or to standard output. */
static int
write_out(const struct args *args, int (*put)(struct client *, struct export *),
    struct client *c, struct export *e)
{
	const char *name = args->value[OPT_OUT];
	struct outfile file;
	int rc;

	e->out = stdout;
	if (name != NULL) {
		if ((rc = outfile_begin(&file, name)) != CMD_OK)
			return rc;
		if ((e->out = fdopen(dup(file.fd), "w")) == NULL) {
			(void)outfile_end(&file, false);
			return cmd_fail("cannot write %s: %s", name, strerror(errno));
		}
	}
	rc = put(c, e);
	if (name == NULL)
		return rc == CMD_OK && fflush(stdout) != 0
			   ? cmd_fail("cannot write: %s", strerror(errno))
			   : rc;
	if (fclose(e->out) != 0 && rc == CMD_OK)
		rc = cmd_fail("cannot write %s: %s", name, strerror(errno));
	return outfile_end(&file, rc == CMD_OK);
}

int
cmd_audit_export(const struct args *args)
{
	struct export e = {.since = args->value[OPT_SINCE]};
	struct client *c;
	json_t *end;
	int rc = args_number(args, OPT_FROM, 1, INT64_MAX, &e.next);

	if (rc == CMD_OK && e.since != NULL)
		rc = check_time(e.since);
	if (rc != CMD_OK)
		return rc;
	if ((c = client_of(args)) == NULL)
		return CMD_FAILED;
	end = seal(c, &e.last);
	rc = end != NULL ? write_out(args, put_all, c, &e) : CMD_FAILED;
	json_decref(end);
	client_close(c);
	return rc;
}

static int
put_key(struct client *c, struct export *e)
{
	uint64_t last;
	json_t *j = seal(c, &last);
	int rc = j != NULL ? put_line(e->out, j) : CMD_FAILED;

	json_decref(j);
	return rc;
}

int
cmd_audit_key(const struct args *args)
{
	struct export e = {0};
	struct client *c = client_of(args);
	int rc = c != NULL ? write_out(args, put_key, c, &e) : CMD_FAILED;

	client_close(c);
	return rc;
}
