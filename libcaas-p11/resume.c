/* resume.c - what is held on a slot moves to a fresh channel, see slots.h */
#include "protocol/resume.h"

#include <string.h>

#include "common/log.h"
#include "libcaas-p11/module.h"
#include "protocol/frame.h"
#include "protocol/hello.h"

/* The body of a resumed slot needs room for what came of each handle. */
#define ARENA_MAX                                                                        \
	((size_t)(RESUME_MAX_SESSIONS + RESUME_MAX_OBJECTS) * sizeof(CK_ULONG) + 4096 +        \
	    RESUME_MAX_OBJECTS * (sizeof(CK_ULONG) + sizeof(struct resume_kept)))

static void
write_ask(struct slot *slot, uint64_t generation, struct buf *b, const struct resume *r)
{
	struct resume ask = *r;

	frame_begin(b, 0, FRAME_RESUME);
	lock_take(&slot->lock);
	slot->told_generation = generation;
	if (slot->ticket.len > 0) {
		ask.user = slot->ticket.user;
		ask.ticket = slot->ticket.page;
		ask.ticket_len = slot->ticket.len;
	}
	if (ask.nkept > 0) {
		ask.pass = slot->pass.page;
		ask.pass_len = slot->pass.len;
	}
	resume_ask_write(b, &ask);
	lock_give(&slot->lock);
	frame_end(b);
}

static bool
exchange(struct slot *slot, struct link *link, uint64_t generation, struct buf *ask,
    const struct resume *asked, struct resumed *ret, struct arena *arena)
{
	struct waiter w;
	struct buf body;
	bool ok;

	write_ask(slot, generation, ask, asked);
	if (!buf_ok(ask))
		return false;
	if (link_call(link, ask, FRAME_RESUME, &w) != CKR_OK)
		return false;
	buf_view(&body, w.body, w.len);
	ok = resume_answer_read(&body, asked, ret, arena);
	waiter_free(&w);
	if (!ok)
		link_break(link, CKR_DEVICE_ERROR);
	return ok;
}

/* What is kept of session objects, for the frame.  false: out of memory. */
static bool
list_kept(const struct handles_held *held, struct resume *ask, struct arena *arena)
{
	ask->kept = arena_array(arena, held->nkept, sizeof(*ask->kept));
	if (ask->kept == NULL)
		return false;
	for (uint32_t i = 0; i < held->nkept; i++)
		ask->kept[i] = (struct resume_kept){.object = held->kept[i].blob->bytes,
		    .len = held->kept[i].blob->len, .session = held->kept[i].session};
	ask->nkept = held->nkept;
	return true;
}

static bool
resume_held(struct slot *slot, struct link *link, uint64_t generation,
    const struct handles_held *held)
{
	struct resume asked = {.session_flags = held->flags, .nsessions = held->nsessions,
	    .ids = held->ids, .nids = held->nobjects};
	struct resumed got;
	struct arena arena;
	struct buf ask;
	bool ok;

	arena_init(&arena, ARENA_MAX);
	buf_init(&ask, FRAME_HEADER + (size_t)link_max_frame(link));
	ok = list_kept(held, &asked, &arena) &&
	    exchange(slot, link, generation, &ask, &asked, &got, &arena);
	if (ok && got.rv != CKR_OK) {
		if (slot->module->config.debug)
			log_warn("libcaas-p11: slot %lu: the login could not be resumed "
				 "(0x%lx): log in again", slot->id, got.rv);
		slot_logged_out(slot);
	}
	if (ok)
		ok = handles_moved(&slot->module->handles, slot, generation, held,
		    got.sessions, got.objects, got.kept) == CKR_OK;
	buf_free(&ask);
	arena_free(&arena);
	return ok;
}

bool
resume_slot(struct slot *slot, struct link *link, uint64_t generation)
{
	struct handles *handles = &slot->module->handles;
	size_t most = link_max_frame(link) / 4;
	struct handles_held held;
	bool ok;

	if (most > KEPT_MAX_ALL)
		most = KEPT_MAX_ALL;
	if ((link_flags(link) & HELLO_KEEP) == 0)
		most = 0;
	if (handles_held(handles, slot, most, &held) != CKR_OK)
		return false;
	if (held.nsessions > 0) {
		ok = resume_held(slot, link, generation, &held);
	} else {
		/* Without a session there is no login and no object. */
		slot_logged_out(slot);
		held.nobjects = 0;
		ok = handles_moved(handles, slot, generation, &held, NULL, NULL, NULL) ==
		    CKR_OK;
	}
	handles_held_free(&held);
	return ok;
}
