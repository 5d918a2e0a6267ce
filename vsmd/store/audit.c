/* audit.c - see audit.h */
#include "vsmd/store/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/hex.h"
#include "common/log.h"
#include "common/secmem.h"
#include "vsmd/store/file.h"
#include "vsmd/store/text.h"

#define HEAD_KEY "audit/head" /* u64 seq, u64 size, hash */

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

static char *
dump(const json_t *o)
{
	return json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
}

static bool
hash_line(const char *line, size_t len, uint8_t out[CRYPT_HASH])
{
	struct part all = {line, len};

	return crypt_hash(&all, 1, out);
}

static bool
mac_object(const struct store_keys *keys, const json_t *o, uint8_t out[CRYPT_HASH])
{
	char *line = dump(o);
	struct part all = {line, line != NULL ? strlen(line) : 0};
	bool ok = line != NULL && crypt_mac(keys->audit, &all, 1, out);

	free(line);
	return ok;
}

static char *
make_line(const struct audit *a, const struct audit_event *e)
{
	char when[40], prev[CRYPT_HASH * 2 + 1], hex[CRYPT_HASH * 2 + 1], rv[24],
	    *line = NULL;
	uint8_t mac[CRYPT_HASH];
	json_t *o = json_object();

	now(when);
	hex_put(prev, a->last, CRYPT_HASH);
	snprintf(rv, sizeof(rv), "0x%" PRIx64, e->rv);
	if (json_object_set_new(o, "seq", json_integer((json_int_t)(a->seq + 1))) == 0 &&
	    json_object_set_new(o, "time", json_string(when)) == 0 &&
	    json_object_set_new(o, "principal", text_json(e->principal)) == 0 &&
	    json_object_set_new(o, "peer", text_json(e->peer)) == 0 &&
	    json_object_set_new(
		o, "slot", e->slot < 0 ? json_null() : json_integer(e->slot)) == 0 &&
	    json_object_set_new(o, "token", text_json(e->token)) == 0 &&
	    json_object_set_new(o, "event", text_json(e->event)) == 0 &&
	    json_object_set_new(o, "detail", text_json(e->detail)) == 0 &&
	    json_object_set_new(o, "rv", json_string(rv)) == 0 &&
	    json_object_set_new(o, "prev", json_string(prev)) == 0 &&
	    mac_object(a->keys, o, mac)) {
		hex_put(hex, mac, CRYPT_HASH);
		if (json_object_set_new(o, "mac", json_string(hex)) == 0)
			line = dump(o);
	}
	json_decref(o);
	return line;
}

int
audit_append(struct audit *a, const struct audit_event *e)
{
	char *line = make_line(a, e);
	uint8_t hash[CRYPT_HASH];
	size_t len;

	if (line == NULL || !hash_line(line, len = strlen(line), hash) ||
	    len + 1 > AUDIT_LINE_MAX) {
		free(line);
		errno = ENOMEM;
		return -1;
	}
	line[len] = '\n'; /* in the place of the NUL */
	if (a->tail.len + len + 1 > AUDIT_TAIL_MAX && audit_sync(a) != 0) {
		int saved = errno;

		free(line);
		errno = saved;
		return -1;
	}
	if (file_write_at(a->fd, line, len + 1, (off_t)a->size) != 0) {
		int saved = errno;

		/* What stays of it is overwritten by the next, or cut at the next start.
		 */
		if (ftruncate(a->fd, (off_t)a->size) != 0)
			log_warn("audit log: cannot be cut back: %s", strerror(errno));
		free(line);
		errno = saved;
		return -1;
	}
	buf_put_raw(&a->tail, line, len + 1);
	free(line);
	memcpy(a->last, hash, CRYPT_HASH);
	a->seq++;
	a->size += len + 1;
	return 0;
}

int
audit_sync(struct audit *a)
{
	int r = 0;

	if (a->tail.len == 0 && buf_ok(&a->tail))
		return 0;
	/* Without memory for the copy there is nothing to write anew from. */
	if (a->rewrite && !buf_ok(&a->tail)) {
		errno = EIO;
		return -1;
	}
	if (a->rewrite)
		r = file_write_at(a->fd, a->tail.data, a->tail.len,
		    (off_t)(a->size - a->tail.len));
	if (r == 0)
		r = fdatasync(a->fd);
	a->rewrite = r != 0;
	if (r == 0)
		buf_reset(&a->tail);
	return r;
}

void
audit_put_head(const struct audit *a, struct txn *t)
{
	struct buf b;

	buf_init(&b, 64);
	buf_put_u64(&b, a->seq);
	buf_put_u64(&b, a->size);
	buf_put_raw(&b, a->last, CRYPT_HASH);
	if (buf_ok(&b))
		txn_put(t, HEAD_KEY, b.data, b.len);
	else
		t->failed = true;
	buf_free(&b);
}

const char *
audit_parse(
    const struct store_keys *keys, const char *line, size_t len, struct audit_line *ret)
{
	json_t *o = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL), *mac;
	uint8_t want[CRYPT_HASH], found[CRYPT_HASH];
	const char *wrong = NULL;
	char *again = NULL;

	if (!json_is_object(o)) {
		json_decref(o);
		return "not a record";
	}
	again = dump(o);
	mac = json_incref(json_object_get(o, "mac"));
	(void)json_object_del(o, "mac");
	if (again == NULL || strlen(again) != len || memcmp(again, line, len) != 0)
		wrong = "not written as a record is";
	else if (!json_is_string(mac) ||
		 !hex_get(json_string_value(mac), found, CRYPT_HASH) ||
		 !mac_object(keys, o, want) || !sec_equal(found, want, CRYPT_HASH))
		wrong = "its mac is wrong: altered, or of another store";
	else if (!json_is_integer(json_object_get(o, "seq")) ||
		 !json_is_string(json_object_get(o, "prev")) ||
		 !hex_get(json_string_value(json_object_get(o, "prev")), ret->prev,
		     CRYPT_HASH) ||
		 !hash_line(line, len, ret->hash))
		wrong = "seq or prev is missing";
	else
		ret->seq = (uint64_t)json_integer_value(json_object_get(o, "seq"));
	json_decref(mac);
	json_decref(o);
	free(again);
	return wrong;
}

void
audit_close(struct audit *a)
{
	if (a->fd >= 0)
		close(a->fd);
	if (a->dir >= 0)
		close(a->dir);
	a->fd = a->dir = -1;
	buf_free(&a->tail);
}
