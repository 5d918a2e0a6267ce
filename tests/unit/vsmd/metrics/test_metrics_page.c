/* test_metrics_page.c - the page, as a strict reader of the text format sees it */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vsmd/metrics/page.h"

static struct page page;
static struct page_slot slots[2];
static struct buf out;

static int
setup(void **state)
{
	(void)state;
	memset(&page, 0, sizeof(page));
	memset(slots, 0, sizeof(slots));
	buf_init(&out, PAGE_MAX);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_free(&out);
	return 0;
}

/* One family's state while the page is read. */
struct reader {
	char family[128], type[16], names[64][128];
	size_t nnames;
	unsigned series;
	double last_le, last_bucket;
	char last_labels[1024];
};

static bool
is_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalpha((unsigned char)s[i]) && s[i] != '_' &&
		    (i == 0 || !isdigit((unsigned char)s[i])))
			return false;
	return len > 0;
}

static void
copy(char *dst, size_t room, const char *src)
{
	size_t len = strlen(src);

	assert_true(len < room);
	memcpy(dst, src, len + 1);
}

static void
new_family(struct reader *r, const char *name)
{
	/* A family is in one piece. */
	for (size_t i = 0; i < r->nnames; i++)
		assert_string_not_equal(r->names[i], name);
	assert_true(r->nnames < 64);
	copy(r->names[r->nnames++], sizeof(r->names[0]), name);
	/* And it is not left without a series. */
	assert_true(r->family[0] == '\0' || r->series > 0);
	copy(r->family, sizeof(r->family), name);
	r->type[0] = '\0';
	r->series = 0;
	r->last_labels[0] = '\0';
}

static void
comment(struct reader *r, const char *line)
{
	char name[128], rest[512];

	if (sscanf(line, "# HELP %127s %511[^\n]", name, rest) == 2) {
		assert_true(is_name(name, strlen(name)));
		assert_null(strchr(rest, '\\'));
		new_family(r, name);
		return;
	}
	assert_int_equal(sscanf(line, "# TYPE %127s %511s", name, rest), 2);
	assert_string_equal(name, r->family);
	assert_int_equal(r->series, 0);
	assert_true(strcmp(rest, "counter") == 0 || strcmp(rest, "gauge") == 0 ||
	    strcmp(rest, "histogram") == 0);
	if (strcmp(rest, "counter") == 0)
		assert_string_equal(name + strlen(name) - 6, "_total");
	copy(r->type, sizeof(r->type), rest);
}

/* name="value",...  Returns behind the brace; the text of `le` apart. */
static const char *
labels(const char *s, char others[1024], char le[64])
{
	le[0] = others[0] = '\0';
	for (;;) {
		size_t len = strcspn(s, "=");
		const char *name = s, *value;
		char *into;
		size_t room;

		assert_true(is_name(s, len));
		assert_int_equal(s[len + 1], '"');
		value = s += len + 2;
		for (; *s != '"'; s++) {
			assert_true((unsigned char)*s >= 0x20 && (unsigned char)*s < 0x7f);
			if (*s == '\\')
				assert_non_null(strchr("\\\"n", *++s));
		}
		into = strncmp(name, "le=", 3) == 0 ? le : others + strlen(others);
		room = into == le ? 64 : 1024 - (size_t)(into - others);
		len = (size_t)(s - value);
		assert_true(len < room);
		memcpy(into, value, len);
		into[len] = '\0';
		s++;
		if (*s == '}')
			return s + 1;
		assert_int_equal(*s++, ',');
	}
}

static void
series(struct reader *r, const char *line)
{
	size_t len = strcspn(line, "{ "), base = strlen(r->family);
	char others[1024] = "", le[64] = "", *end;
	const char *suffix = line + base, *s = line + len;
	double value;

	assert_true(is_name(line, len));
	assert_true(strncmp(line, r->family, base) == 0);
	assert_true(r->type[0] != '\0');
	if (*s == '{')
		s = labels(s + 1, others, le);
	assert_int_equal(*s, ' ');
	value = strtod(s + 1, &end);
	assert_true(end > s + 1 && *end == '\0' && value >= 0);
	r->series++;
	if (strcmp(r->type, "histogram") != 0) {
		assert_int_equal(len, base);
		return;
	}
	if (strncmp(suffix, "_bucket", 7) == 0) {
		double bound = strcmp(le, "+Inf") == 0 ? 1e300 : strtod(le, NULL);

		if (strcmp(others, r->last_labels) != 0) {
			copy(r->last_labels, sizeof(r->last_labels), others);
			r->last_le = r->last_bucket = 0;
		}
		assert_true(bound > r->last_le && value >= r->last_bucket);
		r->last_le = bound;
		r->last_bucket = value;
	} else if (strncmp(suffix, "_count", 6) == 0) {
		assert_true(r->last_le > 1e299); /* +Inf was there */
		assert_true(value == r->last_bucket);
	} else {
		assert_int_equal(strncmp(suffix, "_sum", 4), 0);
	}
}

/* Make the page and read all of it. */
static void
read_page(void)
{
	static struct reader r;
	char *text, *line, *save;

	memset(&r, 0, sizeof(r));
	page_write(&out, &page);
	assert_true(buf_ok(&out));
	assert_true(out.len == 0 || out.data[out.len - 1] == '\n');
	text = out.len > 0 ? strndup((const char *)out.data, out.len) : strdup("");
	assert_non_null(text);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		line[0] == '#' ? comment(&r, line) : series(&r, line);
	assert_true(r.family[0] == '\0' || r.series > 0);
	free(text);
}

static bool
shows(const char *line)
{
	bool found;

	buf_put_u8(&out, 0);
	found = strstr((const char *)out.data, line) != NULL;
	buf_truncate(&out, out.len - 1);
	return found;
}

static void
nothing(void **state)
{
	(void)state;
	read_page();
	assert_int_equal(out.len, 0);
}

static void
numbers(void **state)
{
	(void)state;
	page.has[NUMBER_SUPERVISOR_UPTIME] = true;
	page.value[NUMBER_SUPERVISOR_UPTIME] = 77;
	page.has[NUMBER_STORE_COMMITS] = true;
	page.value[NUMBER_STORE_COMMITS] = UINT64_MAX;
	read_page();
	assert_true(shows("# TYPE caas_uptime_seconds gauge\ncaas_uptime_seconds 77\n"));
	assert_true(shows("\ncaas_commits_total 18446744073709551615\n"));
	assert_false(shows("caas_anchor_age_seconds"));
}

static void
slots_and_classes(void **state)
{
	(void)state;
	page.slots = slots;
	page.nslots = 2;
	slots[0].slot = 3;
	memcpy(slots[0].label, "web", sizeof("web"));
	slots[0].applications = 2;
	slots[0].sessions = 9;
	slots[0].sum.classes[CLASS_USE].execution[0] = 5;
	slots[0].sum.classes[CLASS_USE].execution[COUNTERS_BOUNDS] = 1;
	slots[0].sum.classes[CLASS_USE].execution_sum = 1500000000;
	slots[0].sum.classes[CLASS_USE].queue[2] = 6;
	slots[0].sum.classes[CLASS_USE].failed = 2;
	slots[0].sum.others[COUNTER_QUOTA] = 4;
	slots[1].slot = 4;
	read_page();
	assert_true(shows("caas_applications{slot=\"3\",token=\"web\"} 2\n"));
	assert_true(shows("caas_applications{slot=\"4\",token=\"\"} 0\n"));
	assert_true(shows("caas_requests_total{slot=\"3\",token=\"web\",class=\"use\","
			  "result=\"ok\"} 4\n"));
	assert_true(shows("result=\"error\"} 2\n"));
	assert_true(shows("caas_execution_seconds_bucket{slot=\"3\",token=\"web\",class=\"use\","
			  "le=\"1e-05\"} 5\n"));
	assert_true(shows("le=\"10\"} 5\n"));
	assert_true(shows("le=\"+Inf\"} 6\n"));
	assert_true(shows("caas_execution_seconds_sum{slot=\"3\",token=\"web\",class=\"use\"} "
			  "1.5\n"));
	assert_true(shows("caas_quota_refusals_total{slot=\"3\",token=\"web\"} 4\n"));
	assert_false(shows("class=\"read\""));
}

/* A label that would break the line, and numbers that a worker made up. */
static void
hostile(void **state)
{
	(void)state;
	page.slots = slots;
	page.nslots = 2;
	memcpy(slots[0].label, "a\"b\\c\nd} 1\n\xff\xc3\x28", sizeof("a\"b\\c\nd} 1\n\xff\xc3\x28"));
	memset(slots[1].label, '\\', sizeof(slots[1].label));
	memset(&slots[0].sum, 0xff, sizeof(slots[0].sum));
	for (unsigned i = 0; i < sizeof(slots[1].sum); i++)
		((uint8_t *)&slots[1].sum)[i] = (uint8_t)(i * 37);
	slots[1].slot = UINT32_MAX;
	read_page();
	assert_false(shows("\nd} 1"));
}

/* As much as there can be. */
static void
largest(void **state)
{
	static struct page_slot many[256];

	(void)state;
	page.slots = many;
	page.nslots = 256;
	for (unsigned i = 0; i < 256; i++) {
		many[i].slot = i;
		memset(many[i].label, '"', 32);
		memset(&many[i].sum, 0x11, sizeof(many[i].sum));
	}
	page_write(&out, &page);
	assert_true(buf_ok(&out));
}

static void
status(void **state)
{
	static const char good[] = "{\"tokens\": 2, \"objects\": 7, \"commits_possible\": false, "
	    "\"audit_records\": -1, \"log_bytes\": \"x\", \"anchor\": {\"state\": \"fresh\", "
	    "\"age\": null, \"writes\": 12}}";

	(void)state;
	assert_true(page_status(&page, good, sizeof(good) - 1));
	assert_true(page.has[NUMBER_STORE_TOKENS] && page.value[NUMBER_STORE_TOKENS] == 2);
	assert_true(page.has[NUMBER_STORE_COMMITS_POSSIBLE]);
	assert_int_equal(page.value[NUMBER_STORE_COMMITS_POSSIBLE], 0);
	assert_false(page.has[NUMBER_STORE_AUDIT_RECORDS]);
	assert_false(page.has[NUMBER_STORE_LOG_BYTES]);
	assert_false(page.has[NUMBER_STORE_ANCHOR_AGE]);
	assert_int_equal(page.value[NUMBER_STORE_ANCHOR_WRITES], 12);
	assert_int_equal(page.value[NUMBER_STORE_ANCHOR_FRESH], 1);
	assert_false(page_status(&page, "[]", 2));
	assert_false(page_status(&page, good, sizeof(good) - 2));
	assert_true(page_status(&page, "{}", 2));
	assert_int_equal(page.value[NUMBER_STORE_ANCHOR_FRESH], 0);
	read_page();
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(nothing),
	    T(numbers),
	    T(slots_and_classes),
	    T(hostile),
	    T(largest),
	    T(status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
