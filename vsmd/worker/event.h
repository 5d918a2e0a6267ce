/*
 * event.h - audit records of the worker.
 *
 * A struct event is one record in the making.  Detail is printable text, made of
 * key=value words; what a guest chose is quoted.  Refusals are limited in rate, since a
 * guest can cause any number of them; the next record that passes says how many did not.
 */
#ifndef CAAS_VSMD_EVENT_H
#define CAAS_VSMD_EVENT_H

#include <pthread.h>
#include <stdint.h>

#include "common/buf.h"
#include "protocol/pkcs11.h"

struct object;
struct request;

#define EVENT_DETAIL 384

struct event {
	const char *name; /* NULL: no event */
	char detail[EVENT_DETAIL];
	CK_RV rv;
};

struct audit {
	pthread_mutex_t lock;
	int64_t refill;      /* monotonic ms */
	unsigned tokens;
	unsigned suppressed;
};

void audit_init(struct audit *a);

/* Append `key=value`; value is quoted when it is bytes. */
void event_word(struct event *e, const char *key, const char *value);
void event_bytes(struct event *e, const char *key, const void *p, size_t len);
void event_object(struct event *e, const struct object *o);
void event_mech(struct event *e, const CK_MECHANISM *m);
void event_put(struct buf *b, const struct event *e);

/* Tell the store now.  Refusals pass the rate limit, uses do not need to. */
void audit_refusal(struct request *r, struct event *e);
CK_RV audit_use(struct request *r, struct event *e);

#endif
