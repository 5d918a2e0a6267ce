/* ask.c - see ask.h */
#include "vsmd/metrics/ask.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "common/log.h"
#include "vsmd/msg.h"

#define PATIENCE 10000 /* ms that one answer may take: a commit comes first */

static bool
ask(int fd, const struct buf *request, struct buf *answer, const char *whom)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int n;

	if (ipc_send(fd, request, NULL, 0) != 0) {
		log_error("%s is gone: %s", whom, strerror(errno));
		return false;
	}
	do
		n = poll(&p, 1, PATIENCE);
	while (n < 0 && errno == EINTR);
	if (n == 1 && ipc_recv(fd, answer, NULL, NULL) == 0)
		return true;
	log_error("%s does not answer%s%s", whom, n < 0 ? ": " : "",
	    n < 0 ? strerror(errno) : "");
	return false;
}

static struct page_slot *
more(struct page *p)
{
	struct page_slot *bigger;

	if (p->nslots == PAGE_SLOTS ||
	    (bigger = reallocarray(p->slots, p->nslots + 1, sizeof(*bigger))) == NULL)
		return NULL;
	p->slots = bigger;
	return memset(&bigger[p->nslots++], 0, sizeof(*bigger));
}

bool
ask_read_answer(struct buf *b, struct page *p, bool *ret_found)
{
	uint8_t n = buf_get_u8(b), found;
	struct page_slot *s;

	*ret_found = false;
	if (n != NUMBERS_SUPERVISOR)
		return false;
	for (unsigned i = 0; i < n; i++) {
		p->value[i] = buf_get_u64(b);
		p->has[i] = true;
	}
	found = buf_get_u8(b);
	if (!buf_ok(b) || found > 1)
		return false;
	*ret_found = found;
	if (!found)
		return buf_end(b);
	if ((s = more(p)) == NULL)
		return false;
	s->slot = buf_get_u32(b);
	buf_get_str(b, s->label, sizeof(s->label));
	s->applications = buf_get_u32(b);
	s->sessions = buf_get_u64(b);
	return counters_sum_read(b, &s->sum) && buf_end(b);
}

/* One slot after the other, so that no answer is long. */
static bool
ask_supervisor(int fd, struct page *p, struct buf *request, struct buf *answer)
{
	uint64_t from = 0;
	bool found = true;

	while (found && from <= UINT32_MAX) {
		buf_reset(request);
		buf_put_u8(request, M_P_ASK);
		buf_put_u32(request, (uint32_t)from);
		if (!ask(fd, request, answer, "the supervisor"))
			return false;
		if (buf_get_u8(answer) != M_P_ANSWER || !ask_read_answer(answer, p, &found) ||
		    (found && p->slots[p->nslots - 1].slot < from)) {
			log_error("the supervisor's answer is malformed");
			return false;
		}
		if (found)
			from = (uint64_t)p->slots[p->nslots - 1].slot + 1;
	}
	return true;
}

static bool
ask_store(int fd, struct page *p, struct buf *request, struct buf *answer)
{
	const uint8_t *text;
	size_t len, blob;

	buf_reset(request);
	buf_put_u8(request, M_A_ASK);
	buf_put_str(request, "status");
	buf_put_str(request, "{}");
	buf_put_bytes(request, NULL, 0);
	buf_put_bytes(request, NULL, 0);
	if (!ask(fd, request, answer, "the store"))
		return false;
	if (buf_get_u8(answer) == M_A_ANSWER && buf_get_u8(answer) == 1) {
		text = buf_get_bytes(answer, &len);
		(void)buf_get_bytes(answer, &blob);
		if (buf_end(answer) && page_status(p, (const char *)text, len))
			return true;
	}
	log_error("the store's answer is malformed");
	return false;
}

bool
ask_all(int supervisor, int store, struct page *ret)
{
	struct buf request, answer;
	bool ok;

	memset(ret, 0, sizeof(*ret));
	buf_init(&request, IPC_MAX);
	buf_init(&answer, IPC_MAX);
	ok = ask_supervisor(supervisor, ret, &request, &answer) &&
	    ask_store(store, ret, &request, &answer);
	buf_free(&request);
	buf_free(&answer);
	return ok;
}

void
ask_free(struct page *p)
{
	free(p->slots);
	memset(p, 0, sizeof(*p));
}
