/* fakestore.c - see fakestore.h */
#include "fakestore.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/ipc.h"
#include "vsmd/msg.h"

struct server {
	struct fake_store *s;
	char gate[96];
	int pipe;
};

static void
take_event(struct fake_store *s, struct buf *q)
{
	char name[64], detail[512];
	uint64_t rv;
	size_t n;

	buf_get_str(q, name, sizeof(name));
	buf_get_str(q, detail, sizeof(detail));
	rv = buf_get_u64(q);
	pthread_mutex_lock(&s->lock);
	n = strlen(s->events);
	snprintf(s->events + n, sizeof(s->events) - n, "%s %s %lu\n", name, detail, rv);
	pthread_mutex_unlock(&s->lock);
}

static void
take_pin(struct fake_store *s, struct buf *q, uint8_t user)
{
	size_t len;
	const uint8_t *p = buf_get_bytes(q, &len);

	if (p != NULL)
		snprintf(user == 0 ? s->so_pin : s->user_pin, sizeof(s->so_pin), "%.*s",
		    (int)len, (const char *)p);
}

static uint64_t
bump_epoch(const char *gate)
{
	uint64_t epoch = 0;
	int fd = open(gate, O_RDWR);

	if (pread(fd, &epoch, sizeof(epoch), 0) == sizeof(epoch)) {
		epoch++;
		if (pwrite(fd, &epoch, sizeof(epoch), 0) != sizeof(epoch))
			abort();
	}
	close(fd);
	return epoch;
}

static CK_RV
commit(struct server *x, struct buf *q, struct buf *a)
{
	struct fake_store *s = x->s;
	char label[33], serial[17];
	uint8_t n = buf_get_u8(q);

	while (n-- > 0)
		take_event(s, q);
	if (buf_get_u8(q)) {
		buf_get_str(q, label, sizeof(label));
		buf_get_str(q, serial, sizeof(serial));
		snprintf(s->token_label, sizeof(s->token_label), "%s", label);
	}
	while (atomic_load(&s->hold_commit))
		usleep(1000);
	s->commits++;
	if (s->commit_rv == CKR_OK)
		buf_put_u64(a, bump_epoch(x->gate));
	return s->commit_rv;
}

/* What is in the gate file: this store takes nothing out of it. */
static void
tell_once(const char *gate, const uint8_t *name, struct buf *a)
{
	struct gate_made made;
	uint32_t n = 0;
	int fd = open(gate, O_RDONLY);

	if (pread(fd, &n, sizeof(n), GATE_MADE) != sizeof(n))
		abort();
	for (uint32_t i = 0; i < n; i++) {
		if (pread(fd, &made, sizeof(made),
			GATE_MADE_FIRST + (off_t)i * 64) != sizeof(made))
			abort();
		if (memcmp(made.once, name, sizeof(made.once)) == 0) {
			buf_put_u8(a, (uint8_t)made.n);
			buf_put_raw(a, made.id, made.n * 16);
			break;
		}
	}
	if (a->len == 0)
		buf_put_u8(a, 0);
	close(fd);
}

/* The pass is the key's first bytes. */
static CK_RV
pass(struct fake_store *s, struct buf *q, struct buf *a)
{
	uint8_t key[32] = "the key of pass ";
	size_t len;
	const uint8_t *p = buf_get_bytes(q, &len);

	if (atomic_load(&s->refuse_pass) || (len != 0 && len != 20))
		return CKR_USER_NOT_LOGGED_IN;
	if (len == 0)
		snprintf((char *)key + 16, 5, "%04d", atomic_fetch_add(&s->passes, 1));
	else
		memcpy(key, p, len);
	buf_put_bytes(a, key, 20);
	buf_put_raw(a, key, sizeof(key));
	return CKR_OK;
}

static CK_RV
answer(struct server *x, struct buf *q, struct buf *a)
{
	struct fake_store *s = x->s;
	uint8_t type = buf_get_u8(q), user;
	const uint8_t *p;
	size_t len;

	switch (type) {
	case M_W_COMMIT:
		return commit(x, q, a);
	case M_W_AUDIT:
		s->audits++;
		take_event(s, q);
		return CKR_OK;
	case M_W_LOGIN_MAY:
		(void)buf_get_u8(q);
		return s->may_not ? CKR_PIN_LOCKED : CKR_OK;
	case M_W_LOGIN_DONE:
		user = buf_get_u8(q);
		if (buf_get_u8(q)) {
			char ticket[80];

			s->logins++;
			p = buf_get_bytes(q, &len);
			snprintf(ticket, sizeof(ticket), "%c%.*s", '0' + user, (int)len,
			    (const char *)p);
			buf_put_bytes(a, ticket, strlen(ticket));
		} else {
			s->failures++;
			(void)buf_get_bytes(q, &len);
		}
		take_event(s, q);
		return CKR_OK;
	case M_W_CHANNEL_PIN:
		if (s->user_pin[0] == '\0')
			return CKR_USER_PIN_NOT_INITIALIZED;
		buf_put_str(a, s->user_pin);
		return CKR_OK;
	case M_W_TICKET_OPEN:
		p = buf_get_bytes(q, &len);
		if (p == NULL || len < 2)
			return CKR_USER_NOT_LOGGED_IN;
		/* By letters: of another login of that user. */
		buf_put_u8(a, (uint8_t)(p[0] - (p[0] >= 'a' ? 'a' : '0')));
		buf_put_bytes(a, p + 1, len - 1);
		return CKR_OK;
	case M_W_PIN_CHANGED:
		user = buf_get_u8(q);
		take_pin(s, q, user);
		s->pins++;
		return CKR_OK;
	case M_W_LOGGED_OUT:
		(void)buf_get_u8(q);
		s->logouts++;
		return CKR_OK;
	case M_W_ONCE:
		s->onces++;
		tell_once(x->gate, buf_get_raw(q, 16), a);
		return CKR_OK;
	case M_W_KEEP:
		return pass(s, q, a);
	case M_W_TOKEN_FLAGS:
		buf_put_u64(a, s->flags);
		return CKR_OK;
	default:
		abort();
	}
}

static void *
serve(void *arg)
{
	struct server *x = arg;
	struct buf q, a, body;

	buf_init(&q, IPC_MAX);
	buf_init(&a, IPC_MAX);
	buf_init(&body, IPC_MAX);
	while (ipc_recv(x->pipe, &q, NULL, NULL) == 0) {
		CK_RV rv;

		buf_reset(&a);
		buf_reset(&body);
		rv = answer(x, &q, &body);
		if (!buf_end(&q))
			abort();
		buf_put_u8(&a, M_W_ANSWER);
		buf_put_u64(&a, rv);
		buf_put_raw(&a, body.data, body.len);
		if (ipc_send(x->pipe, &a, NULL, 0) != 0)
			break;
	}
	buf_free(&q);
	buf_free(&a);
	buf_free(&body);
	free(x);
	return NULL;
}

pthread_t
fake_store_start(struct fake_store *s, const char *gate, int pipe)
{
	struct server *x = calloc(1, sizeof(*x));
	pthread_t t;

	if (x == NULL)
		abort();
	x->s = s;
	x->pipe = pipe;
	snprintf(x->gate, sizeof(x->gate), "%s", gate);
	if (pthread_create(&t, NULL, serve, x) != 0)
		abort();
	return t;
}
