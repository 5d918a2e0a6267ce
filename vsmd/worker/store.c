/* store.c - see store.h */
#include "vsmd/worker/store.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vsmd/msg.h"
#include "vsmd/worker/state.h"

#define PATIENCE_LEAST 10000 /* ms: a disk may be slow */

void
store_init(struct store *s, int fd)
{
	pthread_mutex_init(&s->lock, NULL);
	s->fd = fd;
}

void
store_patience(struct store *s, uint32_t silence)
{
	uint32_t ms = silence > PATIENCE_LEAST ? silence : PATIENCE_LEAST;
	struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	if (setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) != 0 ||
	    setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)) != 0)
		log_warn("a store that hangs will not be noticed: %s", strerror(errno));
}

static void
begin(struct buf *b, enum msg type)
{
	buf_init(b, IPC_MAX);
	buf_put_u8(b, (uint8_t)type);
}

/*
 * Send `ask` and release it, receive the answer into `answer` (which the caller frees)
 * and read its head.  What follows is the caller's to read, then answered() judges.
 */
static CK_RV
ask(struct worker *w, struct buf *question, struct buf *answer)
{
	struct store *s = &w->store;
	CK_RV rv = CKR_DEVICE_REMOVED;
	bool ok;

	buf_init(answer, IPC_MAX);
	pthread_mutex_lock(&s->lock);
	ok = buf_ok(question) && ipc_send(s->fd, question, NULL, 0) == 0 &&
	    ipc_recv(s->fd, answer, NULL, NULL) == 0;
	pthread_mutex_unlock(&s->lock);
	buf_free(question);
	if (ok) {
		ok = buf_get_u8(answer) == M_W_ANSWER;
		rv = buf_get_u64(answer);
	}
	if (ok && buf_ok(answer))
		return rv;
	if (!atomic_load(&w->pool.ended))
		log_error("the store does not answer: %s",
		    errno == EAGAIN ? "it hangs" : strerror(errno));
	buf_fail(answer);
	worker_end(w, 1);
	return CKR_DEVICE_REMOVED;
}

/* On CKR_OK the answer must have been read to its end. */
static CK_RV
answered(struct worker *w, struct buf *answer, CK_RV rv)
{
	if (rv == CKR_OK && !buf_end(answer)) {
		log_error("the store's answer is malformed");
		worker_end(w, 1);
		rv = CKR_DEVICE_REMOVED;
	}
	buf_free(answer);
	return rv;
}

static CK_RV
ask_only(struct worker *w, struct buf *question)
{
	struct buf a;
	CK_RV rv = ask(w, question, &a);

	return answered(w, &a, rv);
}

/* A byte string of the answer, into room for *ret_len bytes. */
static void
take_bytes(struct buf *a, uint8_t *dst, size_t *ret_len)
{
	size_t len;
	const uint8_t *p = buf_get_bytes(a, &len);

	if (p == NULL || len > *ret_len) {
		buf_fail(a);
		*ret_len = 0;
		return;
	}
	memcpy(dst, p, len);
	*ret_len = len;
}

CK_RV
store_commit(struct worker *w, const struct event *event, const struct store_token *token,
    uint64_t *ret_epoch)
{
	struct buf q, a;
	CK_RV rv;

	begin(&q, M_W_COMMIT);
	buf_put_u8(&q, event != NULL);
	if (event != NULL)
		event_put(&q, event);
	buf_put_u8(&q, token != NULL);
	if (token != NULL) {
		buf_put_str(&q, token->label);
		buf_put_str(&q, token->serial);
	}
	rv = ask(w, &q, &a);
	if (rv == CKR_OK)
		*ret_epoch = buf_get_u64(&a);
	return answered(w, &a, rv);
}

CK_RV
store_once(struct worker *w, const uint8_t once[FRAME_ONCE_LEN], struct gate_made *ret)
{
	struct buf q, a;
	const uint8_t *ids;
	CK_RV rv;

	memset(ret, 0, sizeof(*ret));
	begin(&q, M_W_ONCE);
	buf_put_raw(&q, once, FRAME_ONCE_LEN);
	rv = ask(w, &q, &a);
	if (rv == CKR_OK) {
		ret->n = buf_get_u8(&a);
		if (ret->n > 2)
			buf_fail(&a);
		else if ((ids = buf_get_raw(&a, (size_t)ret->n * MSG_ID_LEN)) != NULL)
			memcpy(ret->id, ids, (size_t)ret->n * MSG_ID_LEN);
	}
	return answered(w, &a, rv);
}

CK_RV
store_audit(struct worker *w, const struct event *event)
{
	struct buf q;

	begin(&q, M_W_AUDIT);
	event_put(&q, event);
	return ask_only(w, &q);
}

CK_RV
store_login_may(struct worker *w, uint8_t user)
{
	struct buf q;

	begin(&q, M_W_LOGIN_MAY);
	buf_put_u8(&q, user);
	return ask_only(w, &q);
}

CK_RV
store_login_done(struct worker *w, uint8_t user, bool success, const void *pin,
    size_t pin_len, const struct event *event, uint8_t *ticket, size_t *ret_len)
{
	uint8_t unwanted[WORKER_TICKET_MAX];
	size_t room = sizeof(unwanted);
	struct buf q, a;
	CK_RV rv;

	begin(&q, M_W_LOGIN_DONE);
	buf_put_u8(&q, user);
	buf_put_u8(&q, success);
	buf_put_bytes(&q, pin, success ? pin_len : 0);
	event_put(&q, event);
	rv = ask(w, &q, &a);
	if (rv == CKR_OK && success) {
		take_bytes(&a, ticket ? ticket : unwanted, ticket ? ret_len : &room);
	} else if (ticket != NULL) {
		*ret_len = 0;
	}
	return answered(w, &a, rv);
}

CK_RV
store_channel_pin(struct worker *w, uint8_t *pin, size_t *ret_len)
{
	struct buf q, a;
	CK_RV rv;

	begin(&q, M_W_CHANNEL_PIN);
	rv = ask(w, &q, &a);
	*ret_len = WORKER_PIN_MAX;
	if (rv == CKR_OK)
		take_bytes(&a, pin, ret_len);
	return answered(w, &a, rv);
}

CK_RV
store_ticket_open(struct worker *w, const void *ticket, size_t len, uint8_t *ret_user,
    uint8_t *pin, size_t *ret_len)
{
	struct buf q, a;
	CK_RV rv;

	begin(&q, M_W_TICKET_OPEN);
	buf_put_bytes(&q, ticket, len);
	rv = ask(w, &q, &a);
	*ret_len = WORKER_PIN_MAX;
	if (rv == CKR_OK) {
		*ret_user = buf_get_u8(&a);
		take_bytes(&a, pin, ret_len);
	}
	return answered(w, &a, rv);
}

CK_RV
store_pin_changed(struct worker *w, uint8_t user, const void *pin, size_t len)
{
	struct buf q;

	begin(&q, M_W_PIN_CHANGED);
	buf_put_u8(&q, user);
	buf_put_bytes(&q, pin, len);
	return ask_only(w, &q);
}

CK_RV
store_logged_out(struct worker *w, uint8_t user)
{
	struct buf q;

	begin(&q, M_W_LOGGED_OUT);
	buf_put_u8(&q, user);
	return ask_only(w, &q);
}

CK_RV
store_keep(struct worker *w, const void *pass, size_t len, uint8_t *ret_pass,
    size_t *ret_len, uint8_t key[STORE_KEEP_KEY])
{
	struct buf q, a;
	const uint8_t *p;
	CK_RV rv;

	begin(&q, M_W_KEEP);
	buf_put_bytes(&q, pass, len);
	rv = ask(w, &q, &a);
	*ret_len = KEPT_MAX_PASS;
	if (rv == CKR_OK) {
		take_bytes(&a, ret_pass, ret_len);
		if ((p = buf_get_raw(&a, STORE_KEEP_KEY)) != NULL)
			memcpy(key, p, STORE_KEEP_KEY);
	}
	return answered(w, &a, rv);
}

CK_RV
store_token_flags(struct worker *w, CK_FLAGS *ret)
{
	struct buf q, a;
	CK_RV rv;

	begin(&q, M_W_TOKEN_FLAGS);
	rv = ask(w, &q, &a);
	if (rv == CKR_OK)
		*ret = buf_get_u64(&a);
	return answered(w, &a, rv);
}
