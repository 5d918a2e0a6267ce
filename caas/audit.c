/* audit.c - caas audit show, verify */
#include <stdio.h>
#include <unistd.h>

#include "caas/ask.h"
#include "caas/audit.h"
#include "caas/output.h"

#define AUDIT_NUMBER "seq"
#define PIECE 100     /* records in one request */
#define FOLLOW_WAIT 1 /* seconds */

/* What is shown, and what was shown last. */
struct show {
	bool json, follow;
	json_t *all; /* --json without --follow: one array at the end */
	uint64_t next, left;
};

/* For people: not the chain's own members, which --json has. */
static void
show_line(const json_t *record)
{
	static const char *const keys[] = {
	    "event", "principal", "peer", "slot", "token", "rv", "detail"};
	const char *when = json_string_value(json_object_get(record, "time"));
	char clean[64] = "-";

	if (json_is_string(record)) {
		printf("no record: ");
		output_pair("line", record);
		putchar('\n');
		return;
	}
	if (when != NULL)
		output_clean(clean, sizeof(clean), when);
	printf("%lld %s",
	    (long long)json_integer_value(json_object_get(record, AUDIT_NUMBER)), clean);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *v = json_object_get(record, keys[i]);
		const char *text = json_string_value(v);

		if (v == NULL || json_is_null(v) || (text != NULL && text[0] == '\0'))
			continue;
		putchar(' ');
		output_pair(keys[i], v);
	}
	putchar('\n');
}

static void
show_record(struct show *s, json_t *record)
{
	if (s->all != NULL) {
		json_array_append(s->all, record);
		return;
	}
	if (s->json) {
		json_dumpf(record, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
		putchar('\n');
		return;
	}
	show_line(record);
}

/* The store gives fewer than asked where they do not fit a message; none is the end.
 * The number of records, or -1. */
static int
show_piece(struct client *c, struct show *s)
{
	struct client_request r = {.call = "audit-read",
	    .args = json_pack("{s:I, s:I}", "from", (json_int_t)s->next, "count",
		(json_int_t)(s->left < PIECE ? s->left : PIECE))};
	json_t *j = client_ask(c, &r, NULL), *records;
	size_t n;

	if (j == NULL)
		return -1;
	records = answer_array(j, "records");
	n = json_array_size(records);
	for (size_t i = 0; i < n; i++) {
		json_t *record = json_array_get(records, i);
		const json_t *number = json_object_get(record, AUDIT_NUMBER);

		show_record(s, record);
		s->next = json_is_integer(number)
			      ? (uint64_t)json_integer_value(number) + 1
			      : s->next + 1;
		s->left -= s->left > 0;
	}
	json_decref(j);
	return records != NULL ? (int)n : -1;
}

static int
show(struct client *c, struct show *s)
{
	while (s->left > 0) {
		int n = show_piece(c, s);

		if (n < 0)
			return CMD_FAILED;
		if (n > 0)
			continue;
		if (!s->follow)
			break;
		if (fflush(stdout) != 0)
			return CMD_FAILED;
		sleep(FOLLOW_WAIT);
	}
	return CMD_OK;
}

int
cmd_audit_show(const struct args *args)
{
	struct show s = {.json = args->value[OPT_JSON] != NULL,
	    .follow = args->value[OPT_FOLLOW] != NULL};
	struct client *c;
	int rc = args_number(args, OPT_FROM, 0, INT64_MAX, &s.next);

	if (rc == CMD_OK)
		rc = args_number(args, OPT_COUNT, INT64_MAX, INT64_MAX, &s.left);
	if (rc != CMD_OK)
		return rc;
	c = client_of(args);
	if (c == NULL)
		return CMD_FAILED;
	if (s.json && !s.follow)
		s.all = json_array();
	rc = show(c, &s);
	if (rc == CMD_OK && s.all != NULL)
		output_json(s.all);
	json_decref(s.all);
	client_close(c);
	return rc;
}

int
audit_findings(const struct args *args, json_t *j)
{
	bool ok = json_is_true(json_object_get(j, "ok"));
	json_int_t first = json_integer_value(json_object_get(j, "first")),
		   last = json_integer_value(json_object_get(j, "records")),
		   sealed = json_integer_value(json_object_get(j, "sealed"));
	const char *why = json_string_value(json_object_get(j, "why")),
		   *fault = json_string_value(json_object_get(j, "fault")),
		   *file = json_string_value(json_object_get(j, "file"));

	if (args->value[OPT_JSON] != NULL)
		output_json(j);
	else if (ok && first <= 1)
		printf("good: %lld records\n", (long long)last);
	else if (ok)
		printf("good: records %lld to %lld\n", (long long)first, (long long)last);
	if (ok && sealed >= 0 && sealed < last && args->value[OPT_JSON] == NULL)
		printf("%lld of them, from %lld on, are not signed yet\n",
		    (long long)(last - sealed), (long long)sealed + 1);
	if (!ok)
		cmd_fail("audit log: record %lld is %s: line %lld of %s: %s",
		    (long long)json_integer_value(json_object_get(j, "first_bad")),
		    fault != NULL ? fault : "bad",
		    (long long)json_integer_value(json_object_get(j, "line")),
		    file != NULL ? file : "the log",
		    why != NULL ? why : "the chain is broken there");
	json_decref(j);
	return ok ? CMD_OK : CMD_FAILED;
}

int
cmd_audit_verify(const struct args *args)
{
	json_t *j;

	if (args->value[OPT_LOG] != NULL)
		return audit_offline(args);
	if (args->value[OPT_KEY] != NULL || args->noperands > 0)
		return cmd_usage("audit verify: give --log FILE with the files to check");
	j = ask_once(args, "audit-verify", NULL);
	return j != NULL ? audit_findings(args, j) : CMD_FAILED;
}
