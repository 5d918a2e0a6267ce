/* audit.c - see audit.h */
#include "vsmd/store/audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/hex.h"
#include "common/log.h"
#include "common/secmem.h"
#include "vsmd/store/clock.h"
#include "vsmd/store/file.h"
#include "vsmd/store/text.h"

static const struct audit_event store_event = {
    .principal = "", .peer = "", .slot = -1, .token = "", .detail = ""};

static void
now(char out[40])
{
	struct timespec ts;
	struct tm tm;
	char date[24];

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, 40, "%s.%03ldZ", date, ts.tv_nsec / 1000000);
}

static json_t *
make_object(const struct audit *a, const struct audit_event *e)
{
	char when[40], prev[CRYPT_HASH * 2 + 1], rv[24];
	json_t *o = json_object();

	now(when);
	hex_put(prev, a->at.hash, CRYPT_HASH);
	snprintf(rv, sizeof(rv), "0x%" PRIx64, e->rv);
	if (json_object_set_new(o, "seq", json_integer((json_int_t)(a->at.seq + 1))) ==
		0 &&
	    json_object_set_new(o, "time", json_string(when)) == 0 &&
	    json_object_set_new(o, "principal", text_json(e->principal)) == 0 &&
	    json_object_set_new(o, "peer", text_json(e->peer)) == 0 &&
	    json_object_set_new(
		o, "slot", e->slot < 0 ? json_null() : json_integer(e->slot)) == 0 &&
	    json_object_set_new(o, "token", text_json(e->token)) == 0 &&
	    json_object_set_new(o, "event", text_json(e->event)) == 0 &&
	    json_object_set_new(o, "detail", text_json(e->detail)) == 0 &&
	    json_object_set_new(o, "rv", json_string(rv)) == 0 &&
	    json_object_set_new(o, "prev", json_string(prev)) == 0)
		return o;
	json_decref(o);
	return NULL;
}

/* Write a line, whose newline takes the place of the NUL. */
static int
put_line(struct audit *a, char *line, size_t len)
{
	int saved;

	line[len] = '\n';
	if ((a->ragged || a->tail.len + len + 1 > AUDIT_TAIL_MAX) && audit_sync(a) != 0)
		return -1;
	if (file_write_at(a->fd, line, len + 1, (off_t)a->size) != 0) {
		saved = errno;
		a->ragged = true;
		if (ftruncate(a->fd, (off_t)a->size) != 0)
			log_warn("audit log: cannot be cut back: %s", strerror(errno));
		errno = saved;
		return -1;
	}
	buf_put_raw(&a->tail, line, len + 1);
	a->size += len + 1;
	return 0;
}

/* Finish the record o, which is released, under the secret of `e`; with `sign` it is a
 * seal.  0, or -1 with errno. */
static int
append(struct audit *a, json_t *o, const struct audit_epoch *e, const uint8_t *sign)
{
	char *line = o != NULL && e != NULL ? audit_line_make(o, e->mac, sign) : NULL;
	size_t len = line != NULL ? strlen(line) : 0;
	struct part all = {line, len};
	uint8_t hash[CRYPT_HASH];
	int r;

	json_decref(o);
	if (line == NULL || len + 1 > AUDIT_LINE_MAX || !crypt_hash(&all, 1, hash)) {
		free(line);
		errno = ENOMEM;
		return -1;
	}
	if ((r = put_line(a, line, len)) == 0) {
		memcpy(a->at.hash, hash, CRYPT_HASH);
		a->at.seq++;
	}
	free(line);
	return r;
}

int
audit_append(struct audit *a, const struct audit_event *e)
{
	if (append(a, make_object(a, e), audit_keys_of(&a->keys, a->at.epoch), NULL) != 0)
		return -1;
	if (a->since == 0)
		a->since = clock_ms();
	return 0;
}

/* What a seal and a beginning have in common: epoch, and the key that counts from now. */
static int
append_key(struct audit *a, const struct audit_event *event, uint64_t named,
    const struct audit_epoch *of, const struct audit_epoch *next, const uint8_t *sign)
{
	char hex[2 * CRYPT_PUBLIC + 1];
	json_t *o = make_object(a, event);

	if (o == NULL ||
	    json_object_set_new(o, "epoch", json_integer((json_int_t)named)) != 0 ||
	    json_object_set_new(
		o, "next", json_string(hex_put(hex, next->public, CRYPT_PUBLIC))) != 0) {
		json_decref(o);
		errno = ENOMEM;
		return -1;
	}
	if (append(a, o, of, sign) != 0)
		return -1;
	a->at.epoch = next->number;
	memcpy(a->at.key, next->public, CRYPT_PUBLIC);
	a->sealed = a->at.seq;
	a->since = 0;
	return 0;
}

int
audit_append_beginning(struct audit *a, const char *why)
{
	struct audit_event e = store_event;
	uint64_t number = a->at.epoch;
	const struct audit_epoch *first;

	for (unsigned i = 0; i < 2; i++)
		if (a->keys.epochs[i].number > number)
			number = a->keys.epochs[i].number;
	number++;
	e.event = "audit-begin";
	e.detail = why;
	if (audit_keys_make(&a->keys, number) != 0 ||
	    audit_keys_make(&a->keys, number + 1) != 0)
		return -1;
	first = audit_keys_of(&a->keys, number);
	a->begun = true;
	return append_key(a, &e, number, first, first, NULL);
}

int
audit_settle(struct audit *a)
{
	if (audit_keys_of(&a->keys, a->at.epoch + 1) != NULL)
		return 0;
	if (audit_sync(a) != 0)
		return -1;
	return audit_keys_make(&a->keys, a->at.epoch + 1);
}

int
audit_seal(struct audit *a)
{
	struct audit_event e = store_event;
	const struct audit_epoch *present, *next;
	uint8_t sign[CRYPT_KEY];
	int r;

	if (a->begun) {
		errno = EAGAIN;
		return -1;
	}
	if (audit_settle(a) != 0)
		return -1;
	if (a->sealed == a->at.seq)
		return audit_sync(a);
	e.event = "audit-seal";
	present = audit_keys_of(&a->keys, a->at.epoch);
	next = audit_keys_of(&a->keys, a->at.epoch + 1);
	if (present == NULL || !audit_epoch_sign(present, sign)) {
		errno = EIO;
		return -1;
	}
	r = append_key(a, &e, present->number, present, next, sign);
	sec_wipe(sign, sizeof(sign));
	return r == 0 ? audit_settle(a) : -1;
}

/* What a process before this one wrote.  It may have ended before a sync, or after one
 * that failed: then the file reads as it should, and the disk has something else. */
static int
write_anew(const struct audit *a, uint64_t from, uint64_t to)
{
	char space[16384];

	while (from < to) {
		size_t n = to - from < sizeof(space) ? (size_t)(to - from) : sizeof(space);
		ssize_t got = file_read_at(a->fd, space, n, (off_t)from);

		if (got >= 0 && (size_t)got != n)
			errno = EIO;
		if (got != (ssize_t)n ||
		    file_write_at(a->fd, space, n, (off_t)from) != 0)
			return -1;
		from += n;
	}
	return 0;
}

int
audit_sync(struct audit *a)
{
	bool cut;
	int r = 0;

	if (a->durable == a->size && !a->ragged && buf_ok(&a->tail))
		return 0;
	/* Without memory for the copy there is nothing to write anew from. */
	if (a->rewrite && !buf_ok(&a->tail)) {
		errno = EIO;
		return -1;
	}
	cut = a->ragged && ftruncate(a->fd, (off_t)a->size) == 0;
	if (a->rewrite)
		r = write_anew(a, a->durable, a->size - a->tail.len);
	if (a->rewrite && r == 0)
		r = file_write_at(
		    a->fd, a->tail.data, a->tail.len, (off_t)(a->size - a->tail.len));
	if (r == 0)
		r = fdatasync(a->fd);
	a->rewrite = r != 0;
	if (r == 0) {
		buf_reset(&a->tail);
		a->durable = a->size;
		a->ragged &= !cut;
	}
	return r;
}

void
audit_close(struct audit *a)
{
	if (a->fd >= 0)
		close(a->fd);
	if (a->dir >= 0)
		close(a->dir);
	a->fd = a->dir = -1;
	audit_keys_close(&a->keys);
	free(a->ends);
	a->ends = NULL;
	a->nends = a->stored = 0;
	buf_free(&a->tail);
}
