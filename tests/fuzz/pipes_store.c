/*
 * pipes_store.c - see pipes.h: a store with a token and two workers, each of a principal of its
 * own.  What it would write to the disk is taken for written.
 *
 * Each request is answered once, waits, or ends its pipe; nobody gets what is another's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc.h"
#include "pipes.h"
#include "vsmd/msg.h"
#include "vsmd/store/worker_ask.h"

int __wrap_ipc_send(int fd, const struct buf *b, const int *fds, size_t nfds);
int __wrap_store_note(struct store *s, const struct attach *a, const char *event,
    const char *detail, uint64_t rv);

enum { WORKERS = 2 };

static struct {
	struct store store;
	struct attach *workers[WORKERS];
	unsigned answers;
	uint8_t asked; /* the message being served */
	unsigned by;
	/* What an answer brought, and whose it is. */
	uint8_t kept[2][TICKET_MAX];
	size_t kept_len[2];
	unsigned owner[2];
} at;

enum { OLD_TICKET, OLD_PASS };

static void
keep(int which, struct buf *b)
{
	size_t len = 0;
	const uint8_t *p = buf_get_bytes(b, &len);

	if (p == NULL || len > sizeof(at.kept[which]))
		abort();
	memcpy(at.kept[which], p, len);
	at.kept_len[which] = len;
	at.owner[which] = at.by;
}

static bool
is_kept(int which, const struct buf *request)
{
	return at.kept_len[which] > 0 && request->len == 9 + at.kept_len[which] &&
	    memcmp(request->data + 9, at.kept[which], at.kept_len[which]) == 0;
}

/* Nobody gets what is another's, or what nobody sealed. */
static void
check_good(struct buf *b)
{
	const struct attach *a = at.workers[at.by];
	const struct buf *request = &a->request;

	switch (at.asked) {
	case M_W_CHANNEL_PIN:
		if (!(a->flags & GRANT_CHANNEL_LOGIN))
			abort();
		break;
	case M_W_LOGIN_DONE:
		if (request->len > 2 && request->data[2] == 1)
			keep(OLD_TICKET, b);
		break;
	case M_W_TICKET_OPEN:
		if (!is_kept(OLD_TICKET, request) || at.owner[OLD_TICKET] != at.by)
			abort();
		break;
	case M_W_KEEP:
		if (request->len > 9 &&
		    (!is_kept(OLD_PASS, request) || at.owner[OLD_PASS] != at.by))
			abort();
		keep(OLD_PASS, b);
		break;
	default:
		break;
	}
}

int
__wrap_ipc_send(int fd, const struct buf *b, const int *fds, size_t nfds)
{
	struct buf m;

	(void)fd;
	(void)fds;
	if (!buf_ok(b) || b->len == 0 || b->len > IPC_MAX || nfds != 0)
		abort();
	buf_view(&m, b->data, b->len);
	if (at.workers[0] == NULL) /* the supervisor's */
		return 0;
	at.answers++;
	if (buf_get_u8(&m) != M_W_ANSWER)
		abort();
	if (buf_get_u64(&m) == CKR_OK)
		check_good(&m);
	if (!buf_ok(&m))
		abort();
	return 0;
}

int
__wrap_store_note(struct store *s, const struct attach *a, const char *event,
    const char *detail, uint64_t rv)
{
	(void)s;
	(void)rv;
	if (a == NULL || strlen(event) >= EVENT_NAME || strlen(detail) >= EVENT_DETAIL)
		abort();
	return 0;
}

/* The commit that an answer waits for, without the disk. */
static void
commit(struct attach *a)
{
	struct store *s = &at.store;
	struct commit_ask ask;
	struct buf body;
	CK_RV written;

	if (a->wait == WAIT_COMMIT && !commit_ask_read(s, a, true, &ask, &written))
		abort(); /* it was taken */
	buf_init(&body, 1 << 20);
	revoked_take(&s->revoked, &s->group);
	txn_write(&s->group, &body);
	if (!txn_apply(&body, &s->vault.map))
		abort(); /* what is written can be read */
	buf_free(&body);
	txn_clear(&s->group);
	revoked_done(&s->revoked);
	attached_answer(a, CKR_OK, a->wait == WAIT_DURABLE ? &a->answer : NULL);
}

static void
request(struct attach *a, const uint8_t *data, size_t len, int old)
{
	enum attach_wait wait;

	buf_reset(&a->request);
	buf_put_raw(&a->request, data, old < 0 || len < 1 ? len : 1);
	if (old >= 0)
		buf_put_bytes(&a->request, at.kept[old], at.kept_len[old]);
	at.asked = a->request.len > 0 ? a->request.data[0] : 0;
	at.answers = 0;
	if (!worker_ask(&at.store, a)) {
		if (at.answers != 0)
			abort();
		a->wait = WAIT_NOTHING;
		return;
	}
	wait = a->wait;
	if (wait == WAIT_COMMIT || wait == WAIT_DURABLE)
		commit(a);
	/* Or it waits for a login to end, or for its pause. */
	a->wait = WAIT_NOTHING;
	if (at.answers != (wait != WAIT_LOGIN))
		abort();
}

static void
begin(void)
{
	static const uint8_t master[CRYPT_KEY] = {1};
	static struct store_config config = {.pin_tries = 3};
	static struct store_keys *keys;
	struct store *s = &at.store;

	if (keys == NULL && (keys = keys_derive(master)) == NULL)
		abort();
	memset(&at, 0, sizeof(at));
	s->config = &config;
	s->vault.keys = keys;
	map_init(&s->vault.map);
	txn_init(&s->group);
	revoked_init(&s->revoked);
	slot_table_init(&s->slots);
	s->slots.max = 2;
	if (slot_table_add_blank(&s->slots) == NULL ||
	    !map_put(&s->vault.map, "slot/0/pin/user", (const uint8_t *)"1234", 4))
		abort();
	for (unsigned i = 0; i < WORKERS; i++) {
		static struct grant g; /* large */
		int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

		memcpy(g.principal, i == 0 ? "web" : "dns", 4);
		g.flags = i == 0 ? GRANT_CHANNEL_LOGIN | GRANT_PIN_LOCKOUT : 0;
		g.classes = i == 0 ? 1u << CLASS_INIT : 0;
		if (fd < 0 || !attached_add(s, fd, 0, false, &g))
			abort();
		at.workers[i] = s->attached;
	}
}

static void
end(void)
{
	struct store *s = &at.store;

	for (struct attach *a = s->attached, *next; a != NULL; a = next) {
		next = a->next;
		close(a->fd);
		buf_free(&a->request);
		buf_free(&a->answer);
		for (unsigned i = 0; i < PIN_USERS; i++)
			buf_free(&a->pin[i]);
		free(a);
	}
	slot_table_free(&s->slots);
	revoked_free(&s->revoked);
	txn_clear(&s->group);
	map_free(&s->vault.map);
	memset(&at, 0, sizeof(at));
}

void
pipes_workers(struct buf *b)
{
	begin();
	while (buf_left(b) > 2) {
		uint8_t how = buf_get_u8(b);
		size_t len = buf_get_u8(b);
		const uint8_t *p;

		if (len > buf_left(b))
			len = buf_left(b);
		p = buf_get_raw(b, len);
		at.by = how & 1;
		request(at.workers[at.by], p, len,
		    how & 2 ? OLD_TICKET : how & 4 ? OLD_PASS : -1);
	}
	end();
}
