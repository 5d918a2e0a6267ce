/* page.c - see page.h */
#include "vsmd/metrics/page.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"

enum type { COUNTER, GAUGE, HISTOGRAM };

static const struct family {
	enum type type;
	const char *name, *help;
} families[NUMBER_END] = {
#define METRIC(source, id, type, name, labels, help) {type, name, help},
#include "vsmd/metrics/metrics.def"
#undef METRIC
};

/* In the order of enum call_class. */
static const char *const classes[COUNTERS_CLASSES] = {"none", "read", "use", "random", "login",
    "pin", "object", "generate", "import", "wrap", "destroy", "init"};

bool
page_status(struct page *p, const char *json, size_t len)
{
	static const struct {
		enum number number;
		const char *object, *key;
	} places[] = {
	    {NUMBER_STORE_TOKENS, NULL, "tokens"},
	    {NUMBER_STORE_OBJECTS, NULL, "objects"},
	    {NUMBER_STORE_LOG_BYTES, NULL, "log_bytes"},
	    {NUMBER_STORE_LIVE_BYTES, NULL, "live_bytes"},
	    {NUMBER_STORE_COMMITS, NULL, "commits"},
	    {NUMBER_STORE_COMMITS_FAILED, NULL, "commits_failed"},
	    {NUMBER_STORE_COMMITS_POSSIBLE, NULL, "commits_possible"},
	    {NUMBER_STORE_AUDIT_RECORDS, NULL, "audit_records"},
	    {NUMBER_STORE_ANCHOR_AGE, "anchor", "age"},
	    {NUMBER_STORE_ANCHOR_WRITES, "anchor", "writes"},
	    {NUMBER_STORE_ANCHOR_BUDGET_LEFT, "anchor", "budget_left"},
	};
	json_t *whole = json_loadb(json, len, 0, NULL);
	const char *state;

	if (!json_is_object(whole)) {
		json_decref(whole);
		return false;
	}
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const json_t *o = whole, *v;

		if (places[i].object != NULL)
			o = json_object_get(whole, places[i].object);
		v = json_object_get(o, places[i].key);
		if (json_is_boolean(v) || (json_is_integer(v) && json_integer_value(v) >= 0)) {
			p->has[places[i].number] = true;
			p->value[places[i].number] = json_is_boolean(v)
			    ? json_is_true(v)
			    : (uint64_t)json_integer_value(v);
		}
	}
	state = json_string_value(json_object_get(json_object_get(whole, "anchor"), "state"));
	p->has[NUMBER_STORE_ANCHOR_FRESH] = true;
	p->value[NUMBER_STORE_ANCHOR_FRESH] = state != NULL && strcmp(state, "fresh") == 0;
	json_decref(whole);
	return true;
}

static void put(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
put(struct buf *b, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		buf_fail(b);
	else
		buf_put_raw(b, line, (size_t)n);
}

static void
put_header(struct buf *b, enum number n)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};

	put(b, "# HELP %s %s\n# TYPE %s %s\n", families[n].name, families[n].help,
	    families[n].name, types[families[n].type]);
}

/* Printable ASCII alone, and what the format wants escaped. */
static void
quote(char *dst, size_t size, const char *label)
{
	char text[4 * PAGE_LABEL + 1];
	size_t n = 0;

	log_quote(text, sizeof(text), label, strnlen(label, PAGE_LABEL));
	for (const char *s = text; *s != '\0' && n + 3 < size; s++) {
		if (*s == '\\' || *s == '"')
			dst[n++] = '\\';
		dst[n++] = *s;
	}
	dst[n] = '\0';
}

/* slot="1",token="web" */
static void
labels_of(char *dst, size_t size, const struct page_slot *s)
{
	char token[8 * PAGE_LABEL + 4];

	quote(token, sizeof(token), s->label);
	(void)snprintf(dst, size, "slot=\"%" PRIu32 "\",token=\"%s\"", s->slot, token);
}

#define LABELS (8 * PAGE_LABEL + 64)

static void
put_each(struct buf *b, const struct page *p, enum number n,
    uint64_t (*value)(const struct page_slot *))
{
	char labels[LABELS];

	if (p->nslots > 0)
		put_header(b, n);
	for (size_t i = 0; i < p->nslots; i++) {
		labels_of(labels, sizeof(labels), &p->slots[i]);
		put(b, "%s{%s} %" PRIu64 "\n", families[n].name, labels, value(&p->slots[i]));
	}
}

static uint64_t
applications(const struct page_slot *s)
{
	return s->applications;
}

static uint64_t
sessions(const struct page_slot *s)
{
	return s->sessions;
}

static uint64_t
quota(const struct page_slot *s)
{
	return s->sum.others[COUNTER_QUOTA];
}

static uint64_t
policy(const struct page_slot *s)
{
	return s->sum.others[COUNTER_POLICY];
}

static uint64_t
wrong_pins(const struct page_slot *s)
{
	return s->sum.others[COUNTER_WRONG_PINS];
}

static uint64_t
total(const uint64_t buckets[COUNTERS_BUCKETS])
{
	uint64_t n = 0;

	for (unsigned i = 0; i < COUNTERS_BUCKETS; i++)
		n = counters_plus(n, buckets[i]);
	return n;
}

/* The header once, and only when a series follows. */
static void
put_requests(struct buf *b, const struct page *p)
{
	const enum number n = NUMBER_SLOT_REQUESTS;
	char labels[LABELS];
	bool any = false;

	for (size_t i = 0; i < p->nslots; i++) {
		labels_of(labels, sizeof(labels), &p->slots[i]);
		for (unsigned k = 0; k < COUNTERS_CLASSES; k++) {
			uint64_t all = total(p->slots[i].sum.classes[k].execution);
			uint64_t failed = p->slots[i].sum.classes[k].failed;

			if (all == 0)
				continue;
			if (!any)
				put_header(b, n);
			any = true;
			failed = failed < all ? failed : all;
			put(b, "%s{%s,class=\"%s\",result=\"ok\"} %" PRIu64 "\n",
			    families[n].name, labels, classes[k], all - failed);
			put(b, "%s{%s,class=\"%s\",result=\"error\"} %" PRIu64 "\n",
			    families[n].name, labels, classes[k], failed);
		}
	}
}

static void
put_histogram(struct buf *b, const char *name, const char *labels, const char *class,
    const uint64_t buckets[COUNTERS_BUCKETS], uint64_t sum)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < COUNTERS_BOUNDS; i++) {
		n = counters_plus(n, buckets[i]);
		put(b, "%s_bucket{%s,class=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, labels,
		    class, (double)counters_bounds[i] / 1e9, n);
	}
	n = counters_plus(n, buckets[COUNTERS_BOUNDS]);
	put(b, "%s_bucket{%s,class=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, labels, class, n);
	put(b, "%s_sum{%s,class=\"%s\"} %.9g\n", name, labels, class, (double)sum / 1e9);
	put(b, "%s_count{%s,class=\"%s\"} %" PRIu64 "\n", name, labels, class, n);
}

static void
put_times(struct buf *b, const struct page *p, enum number n, bool queue)
{
	char labels[LABELS];
	bool any = false;

	for (size_t i = 0; i < p->nslots; i++) {
		labels_of(labels, sizeof(labels), &p->slots[i]);
		for (unsigned k = 0; k < COUNTERS_CLASSES; k++) {
			const struct counters_sum *sum = &p->slots[i].sum;
			const uint64_t *times = queue ? sum->classes[k].queue
			                              : sum->classes[k].execution;

			if (total(times) == 0)
				continue;
			if (!any)
				put_header(b, n);
			any = true;
			put_histogram(b, families[n].name, labels, classes[k], times,
			    queue ? sum->classes[k].queue_sum : sum->classes[k].execution_sum);
		}
	}
}

void
page_write(struct buf *b, const struct page *p)
{
	for (enum number n = 0; n < NUMBER_SLOT_APPLICATIONS; n++) {
		if (!p->has[n])
			continue;
		put_header(b, n);
		put(b, "%s %" PRIu64 "\n", families[n].name, p->value[n]);
	}
	put_each(b, p, NUMBER_SLOT_APPLICATIONS, applications);
	put_each(b, p, NUMBER_SLOT_SESSIONS, sessions);
	put_requests(b, p);
	put_times(b, p, NUMBER_SLOT_QUEUE, true);
	put_times(b, p, NUMBER_SLOT_EXECUTION, false);
	put_each(b, p, NUMBER_SLOT_QUOTA_REFUSALS, quota);
	put_each(b, p, NUMBER_SLOT_POLICY_REFUSALS, policy);
	put_each(b, p, NUMBER_SLOT_WRONG_PINS, wrong_pins);
}
