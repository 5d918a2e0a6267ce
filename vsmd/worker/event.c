/* event.c - see event.h */
#include "vsmd/worker/event.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "protocol/names.h"
#include "vsmd/worker/state.h"

#define REFUSALS 20        /* at once */
#define REFUSAL_EVERY 500  /* ms until one more may pass */

void
audit_init(struct audit *a)
{
	memset(a, 0, sizeof(*a));
	pthread_mutex_init(&a->lock, NULL);
	a->tokens = REFUSALS;
}

void
event_word(struct event *e, const char *key, const char *value)
{
	size_t n = strlen(e->detail);

	snprintf(e->detail + n, sizeof(e->detail) - n, "%s%s=%s", n ? " " : "", key, value);
}

void
event_bytes(struct event *e, const char *key, const void *p, size_t len)
{
	char quoted[160] = "\"";
	size_t n;

	log_quote(quoted + 1, sizeof(quoted) - 2, p, len);
	n = strlen(quoted);
	quoted[n] = '"';
	quoted[n + 1] = '\0';
	event_word(e, key, quoted);
}

void
event_object(struct event *e, const struct object *o)
{
	char hex[2 * sizeof(o->id) + 1] = "";

	for (size_t i = 0; i < o->id_len; i++)
		snprintf(hex + 2 * i, 3, "%02x", o->id[i]);
	event_word(e, "class", ck_class_name(o->class));
	event_bytes(e, "label", o->label, o->label_len);
	if (o->id_len > 0)
		event_word(e, "id", hex);
}

void
event_mech(struct event *e, const CK_MECHANISM *m)
{
	char name[CK_NAME_MAX];

	if (m != NULL)
		event_word(e, "mechanism", ck_mech_text(name, m->mechanism));
}

void
event_put(struct buf *b, const struct event *e)
{
	buf_put_str(b, e->name);
	buf_put_str(b, e->detail);
	buf_put_u64(b, e->rv);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* True when one more may pass; *ret_suppressed is how many did not since the last. */
static bool
may_pass(struct audit *a, unsigned *ret_suppressed)
{
	int64_t now = now_ms(), gained;
	bool ok;

	pthread_mutex_lock(&a->lock);
	gained = (now - a->refill) / REFUSAL_EVERY;
	if (gained > 0) {
		a->refill = now;
		a->tokens = gained + a->tokens > REFUSALS ? REFUSALS
		                                          : a->tokens + (unsigned)gained;
	}
	ok = a->tokens > 0;
	*ret_suppressed = ok ? a->suppressed : 0;
	a->tokens -= ok;
	a->suppressed = ok ? 0 : a->suppressed + 1;
	pthread_mutex_unlock(&a->lock);
	return ok;
}

void
audit_refusal(struct request *r, struct event *e)
{
	unsigned suppressed;
	char n[16];

	if (!may_pass(&r->w->audit, &suppressed))
		return;
	if (suppressed > 0) {
		snprintf(n, sizeof(n), "%u", suppressed);
		event_word(e, "unrecorded", n);
	}
	(void)audit_use(r, e); /* it is refused with or without a record */
}

CK_RV
audit_use(struct request *r, struct event *e)
{
	pool_promote(r->w, r->seat);
	return store_audit(r->w, e);
}
