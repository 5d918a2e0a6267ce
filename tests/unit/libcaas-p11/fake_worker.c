/* fake_worker.c - see fake_worker.h */
#include "fake_worker.h"

#include <assert.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "protocol/fetch.h"
#include "protocol/frame.h"
#include "protocol/info.h"
#include "protocol/invoke.h"
#include "protocol/kept.h"
#include "protocol/message.h"
#include "protocol/resume.h"
#include "vchan-transport/transport.h"

#define THREADS 4
#define ARENA_MAX ((size_t)256 << 20)

struct worker {
	struct fake *fake;
	struct channel *channel;
	CK_FUNCTION_LIST *hsm;
	CK_SLOT_ID slot; /* SoftHSM2's */
	uint32_t max_frame;
	pthread_mutex_t reading, writing;
};

static CK_FUNCTION_LIST *
load_softhsm(void)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_C_GetFunctionList get;
	CK_FUNCTION_LIST *fl;
	void *lib = dlopen(CAAS_SOFTHSM2, RTLD_NOW | RTLD_LOCAL);

	assert(lib != NULL);
	*(void **)&get = dlsym(lib, "C_GetFunctionList");
	assert(get != NULL && get(&fl) == CKR_OK);
	assert(fl->C_Initialize(&args) == CKR_OK);
	return fl;
}

bool
worker_make_token(void)
{
	CK_FUNCTION_LIST *fl = load_softhsm();
	CK_UTF8CHAR label[32];
	CK_SLOT_ID slots[4];
	CK_SESSION_HANDLE s;
	CK_ULONG n = 4;

	memset(label, ' ', sizeof(label));
	memcpy(label, "fake", 4);
	return fl->C_GetSlotList(CK_TRUE, slots, &n) == CKR_OK && n == 1 &&
	       fl->C_InitToken(slots[0], (CK_UTF8CHAR_PTR)FAKE_SO_PIN, 4, label) ==
		   CKR_OK &&
	       fl->C_GetSlotList(CK_TRUE, NULL, &n) == CKR_OK && n == 2 &&
	       fl->C_GetSlotList(CK_TRUE, slots, &n) == CKR_OK &&
	       fl->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
		   NULL, &s) == CKR_OK &&
	       fl->C_Login(s, CKU_SO, (CK_UTF8CHAR_PTR)FAKE_SO_PIN, 4) == CKR_OK &&
	       fl->C_InitPIN(s, (CK_UTF8CHAR_PTR)FAKE_PIN, 4) == CKR_OK &&
	       fl->C_Finalize(NULL) == CKR_OK;
}

/* The file that SoftHSM2, or who else means libc, opened last in this thread. */
static _Thread_local char opened[64];

__attribute__((visibility("default"))) int
open(const char *path, int flags, ...)
{
	const char *name = strrchr(path, '/');
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & (O_CREAT | __O_TMPFILE))
		mode = va_arg(ap, mode_t);
	va_end(ap);
	snprintf(opened, sizeof(opened), "%s", name != NULL ? name + 1 : path);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* As vsmd/worker/objects.h does: an object of a token is its file. */
static void
identify(
    struct worker *w, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, uint8_t id[MSG_ID_LEN])
{
	CK_BBOOL private = CK_FALSE, token = CK_TRUE;
	CK_ATTRIBUTE flags[] = {{CKA_PRIVATE, &private, 1}, {CKA_TOKEN, &token, 1}};
	uint64_t h[2] = {0xcbf29ce484222325u, 0x84222325cbf29ce4u};

	opened[0] = '\0';
	(void)w->hsm->C_GetAttributeValue(s, o, flags, 2);
	for (const char *c = opened; *c != '\0'; c++) {
		h[0] = (h[0] ^ (uint8_t)*c) * 0x100000001b3u;
		h[1] = (h[1] + (uint8_t)*c) * 0x100000001b3u;
	}
	memset(id, 0, MSG_ID_LEN);
	if (token && opened[0] != '\0')
		memcpy(id, h, MSG_ID_FLAGS);
	id[MSG_ID_FLAGS] = (uint8_t)((private ? MSG_ID_PRIVATE : 0) |
	    (token ? 0 : MSG_ID_SESSION));
}

static CK_OBJECT_HANDLE
find_by_id(struct worker *w, CK_SESSION_HANDLE s, const uint8_t want[MSG_ID_LEN])
{
	CK_OBJECT_HANDLE found = 0, o;
	uint8_t id[MSG_ID_LEN];
	unsigned alike = 0;
	CK_ULONG n;

	if (w->hsm->C_FindObjectsInit(s, NULL, 0) != CKR_OK)
		return 0;
	while (w->hsm->C_FindObjects(s, &o, 1, &n) == CKR_OK && n == 1) {
		identify(w, s, o, id);
		if (memcmp(id, want, sizeof(id)) == 0) {
			found = o;
			alike++;
		}
	}
	(void)w->hsm->C_FindObjectsFinal(s);
	return alike == 1 ? found : 0;
}

/* What was sealed is the label of a data object: this is a test. */
static CK_OBJECT_HANDLE
restore(struct worker *w, CK_SESSION_HANDLE s, const struct resume *r, uint32_t i)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_BBOOL no = CK_FALSE;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_TOKEN, &no, 1},
	    {CKA_LABEL, (void *)(uintptr_t)r->kept[i].object, r->kept[i].len}};
	CK_OBJECT_HANDLE o = 0;

	assert(r->pass_len == 4 && memcmp(r->pass, "pass", 4) == 0);
	w->fake->restored++;
	return w->hsm->C_CreateObject(s, t, 3, &o) == CKR_OK ? o : 0;
}

static bool
resume(struct worker *w, struct buf *in, struct buf *out)
{
	struct resume r;
	struct resumed answer = {.rv = CKR_OK};
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	w->fake->resumes++;
	if (!resume_ask_read(in, &r, &arena))
		return false;
	answer.nsessions = r.nsessions;
	answer.nobjects = r.nids;
	answer.sessions = arena_array(&arena, r.nsessions, sizeof(CK_ULONG));
	answer.objects = arena_array(&arena, r.nids, sizeof(CK_ULONG));
	for (uint32_t i = 0; i < r.nsessions; i++)
		(void)w->hsm->C_OpenSession(w->slot, r.session_flags[i], NULL, NULL,
		    &answer.sessions[i]);
	/* The ticket is "T" and the PIN: this is a test. */
	if (r.user > 0 && r.nsessions > 0)
		answer.rv = w->hsm->C_Login(answer.sessions[0], r.user - 1u,
		    (CK_UTF8CHAR_PTR)(uintptr_t)r.ticket + 1, r.ticket_len - 1);
	for (uint32_t i = 0; i < r.nids && r.nsessions > 0; i++)
		answer.objects[i] = find_by_id(w, answer.sessions[0], r.ids[i]);
	answer.nkept = r.nkept;
	answer.kept = arena_array(&arena, r.nkept, sizeof(CK_ULONG));
	for (uint32_t i = 0; i < r.nkept; i++)
		answer.kept[i] = restore(w, answer.sessions[r.kept[i].session], &r, i);
	resume_answer_write(out, &answer);
	arena_free(&arena);
	return true;
}

static void
late(const struct worker *w, int which, uint32_t call)
{
	if ((uint32_t)which == call)
		(void)usleep((useconds_t)w->fake->late_ms * 1000);
}

/* As FRAME_FETCH asks for; with class, label and id of each object. */
static bool
fetch(struct worker *w, struct buf *in, struct buf *out)
{
	static const CK_ATTRIBUTE_TYPE types[] = {CKA_CLASS, CKA_LABEL, CKA_ID};
	const struct call *call = call_by_number(CALL_C_FindObjectsInit);
	CK_OBJECT_HANDLE found[FETCH_MAX];
	struct arg args[ARGS_MAX];
	struct arena arena;
	CK_ULONG n = 0;
	CK_RV rv;

	arena_init(&arena, ARENA_MAX);
	w->fake->fetches++;
	if (!ask_read(in, call, args, &arena))
		return false;
	late(w, w->fake->late_before, CALL_C_FindObjectsInit);
	rv = call_invoke(call, w->hsm, args);
	if (rv == CKR_OK && w->hsm->C_FindObjects(args[0].len, found, FETCH_MAX, &n) == CKR_OK &&
	    n < FETCH_MAX)
		(void)w->hsm->C_FindObjectsFinal(args[0].len);
	buf_put_u64(out, rv);
	buf_put_u64(out, w->fake->epoch);
	if (rv == CKR_OK) {
		buf_put_u8(out, n == FETCH_MAX);
		buf_put_u32(out, (uint32_t)n);
	}
	for (CK_ULONG i = 0; i < n; i++) {
		uint8_t id[MSG_ID_LEN], value[256];
		struct buf attrs;

		identify(w, args[0].len, found[i], id);
		buf_put_u64(out, found[i]);
		buf_put_raw(out, id, sizeof(id));
		buf_init(&attrs, 4096);
		for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
			CK_ATTRIBUTE a = {types[k], value, sizeof(value)};

			if (w->hsm->C_GetAttributeValue(args[0].len, found[i], &a, 1) != CKR_OK)
				continue;
			buf_put_u64(&attrs, a.type);
			buf_put_bytes(&attrs, a.pValue, a.ulValueLen);
		}
		buf_put_bytes(out, attrs.data, attrs.len);
		buf_free(&attrs);
	}
	arena_free(&arena);
	late(w, w->fake->late_after, CALL_C_FindObjectsInit);
	return true;
}

/* As FRAME_INFO asks for. */
static bool
info(struct worker *w, struct buf *in, struct buf *out)
{
	struct info info = {.epoch = (uint64_t)w->fake->epoch};
	struct info_mech mechs[128];
	CK_MECHANISM_TYPE types[128];
	CK_ULONG n = 128;
	CK_SLOT_ID slot;

	w->fake->infos++;
	if (!info_ask_read(in, &slot))
		return false;
	late(w, w->fake->late_before, FRAME_INFO);
	if (w->fake->mode == FAKE_INFO_NONE) {
		info.rv = CKR_FUNCTION_NOT_SUPPORTED;
		info_write(out, &info);
		return true;
	}
	assert(w->hsm->C_GetSlotInfo(w->slot, &info.slot) == CKR_OK);
	assert(w->hsm->C_GetTokenInfo(w->slot, &info.token) == CKR_OK);
	assert(w->hsm->C_GetMechanismList(w->slot, types, &n) == CKR_OK);
	memset(mechs, 0, sizeof(mechs));
	for (CK_ULONG i = 0; i < n; i++) {
		mechs[i].type = types[i];
		assert(w->hsm->C_GetMechanismInfo(w->slot, types[i], &mechs[i].info) == CKR_OK);
	}
	info.count = (uint32_t)n;
	info.mechs = mechs;
	info_write(out, &info);
	late(w, w->fake->late_after, FRAME_INFO);
	return true;
}

/* A request with that name was served before: what it made, as handles where the reply has
 * them. */
static bool
made_before(struct worker *w, const uint8_t *once, const struct call *call, struct arg *args)
{
	struct fake *f = w->fake;
	unsigned used = 0;

	for (int i = 0; i < f->nmade; i++) {
		if (memcmp(f->made[i].once, once, 16) != 0)
			continue;
		for (size_t k = 0; k < call_nargs(call); k++)
			if (call->args[k] == ARG_OUT_OBJECT)
				*(CK_OBJECT_HANDLE *)args[k].ptr =
				    find_by_id(w, args[0].len, f->made[i].id[used++]);
		f->repeated++;
		return true;
	}
	return false;
}

static void
note_made(struct worker *w, const uint8_t *once, const struct object_ref *refs, size_t n)
{
	struct fake_made *made = &w->fake->made[w->fake->nmade];

	assert(w->fake->nmade < FAKE_MADE && n <= 2);
	memcpy(made->once, once, 16);
	for (size_t i = 0; i < n; i++)
		memcpy(made->id[i], refs[i].id, MSG_ID_LEN);
	made->n = (unsigned)n;
	w->fake->nmade++;
}

static bool
serve_call(struct worker *w, const struct frame *f, struct buf *in, struct buf *out,
    CK_SESSION_HANDLE *ret_session, CK_OBJECT_HANDLE *ret_made)
{
	const uint8_t *once = NULL;

	const struct call *call = call_by_number(f->call), *begin = NULL;
	uint32_t number = f->call;
	struct arg begin_args[ARGS_MAX];
	struct object_ref refs[1024] = {{0}};
	struct reply reply = {.epoch = (uint64_t)w->fake->epoch, .refs = refs};
	struct arg args[ARGS_MAX];
	struct arena arena;
	uint8_t ticket[64] = "T";

	if (call == NULL)
		return false;
	arena_init(&arena, ARENA_MAX);
	if (f->flags & (FRAME_ONCE | FRAME_REPEATED)) {
		w->fake->onces++;
		if (!w->fake->knows_once || (once = buf_get_raw(in, 16)) == NULL)
			return false;
	}
	if (f->flags & FRAME_FUSED) {
		w->fake->fused++;
		begin = call_beginning(call);
		if (begin == NULL ||
		    !ask_read_fused(in, begin, begin_args, call, args, &arena))
			return false;
	} else if (!ask_read(in, call, args, &arena)) {
		return false;
	}
	if (call->where == WHERE_SLOT)
		args[0].len = w->slot;
	late(w, w->fake->late_before, number);
	if (begin != NULL) {
		reply.rv = call_invoke(begin, w->hsm, begin_args);
		buf_put_u64(out, reply.rv);
	}
	if (f->flags & FRAME_REPEATED && made_before(w, once, call, args))
		once = NULL;
	else if (reply.rv == CKR_OK)
		reply.rv = call_invoke(call, w->hsm, args);
	for (size_t i = 0; reply.rv == CKR_OK && i < call_nargs(call); i++) {
		CK_OBJECT_HANDLE *o = args[i].ptr;
		CK_ULONG n = call->args[i] == ARG_OUT_OBJECT && o ? 1 :
		    call->args[i] == ARG_OUT_OBJECTS && o ? *args[i].plen : 0;

		for (CK_ULONG k = 0; k < n; k++) {
			assert(reply.nrefs < 1024);
			refs[reply.nrefs].handle = o[k];
			identify(w, args[0].len, o[k], refs[reply.nrefs++].id);
		}
	}
	if (reply.rv == CKR_OK && reply.nrefs == 1 && call->where == WHERE_SESSION &&
	    call->number != CALL_C_FindObjects && refs[0].id[MSG_ID_FLAGS] & MSG_ID_SESSION) {
		*ret_session = args[0].len;
		*ret_made = refs[0].handle;
	}
	if (once != NULL && reply.rv == CKR_OK)
		note_made(w, once, refs, reply.nrefs > 0 ? reply.nrefs : 1);
	if (number == CALL_C_Login && args[2].ptr != NULL && args[2].len < 60) {
		memcpy(ticket + 1, args[2].ptr, args[2].len);
		reply.ticket = ticket;
		reply.ticket_len = args[2].len + 1;
	}
	if (w->fake->mode == FAKE_OVERFLOW && number == CALL_C_GenerateRandom)
		args[1].len++;
	late(w, w->fake->late_after, number);
	answer_write(out, call, args, &reply);
	arena_free(&arena);
	return true;
}

static void
send_all(struct worker *w, const void *p, size_t len)
{
	struct iovec v = {(void *)(uintptr_t)p, len};

	pthread_mutex_lock(&w->writing);
	(void)channel_writev(w->channel, &v, 1, -1);
	pthread_mutex_unlock(&w->writing);
}

/* Give a session object to be kept. */
static void
keep(struct worker *w, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
	uint8_t label[256];
	CK_ATTRIBUTE a = {CKA_LABEL, label, sizeof(label)};
	struct kept k = {.handle = o, .pass = (const uint8_t *)"pass", .object = label,
	    .pass_len = w->fake->kept == 0 ? 4 : 0};
	struct buf b;

	if (w->hsm->C_GetAttributeValue(s, o, &a, 1) != CKR_OK || a.ulValueLen == 0)
		return;
	k.object_len = a.ulValueLen;
	buf_init(&b, 4096);
	frame_begin(&b, 0, FRAME_KEPT);
	kept_write(&b, &k);
	frame_end(&b);
	if (w->fake->mode == FAKE_KEPT_TORN)
		buf_set_u32(&b, FRAME_HEADER + 8, 4000);
	send_all(w, b.data, b.len);
	buf_free(&b);
	w->fake->kept++;
}

static void
beat(struct worker *w)
{
	struct buf b;

	buf_init(&b, FRAME_HEADER);
	frame_begin(&b, 0, FRAME_BEAT);
	frame_end(&b);
	for (int i = 0; i < 8; i++) {
		struct timespec t = {.tv_nsec = w->fake->beat_ms * 1000000L};

		send_all(w, b.data, b.len);
		(void)nanosleep(&t, NULL);
	}
	buf_free(&b);
}

#define FETCH_MORE (FRAME_HEADER + 16)
#define FETCH_FIRST (FETCH_MORE + 5)

/* The same of a search, with what the fake modes want of it. */
static void
spoil_search(int mode, struct buf *out)
{
	uint32_t n;
	uint64_t len;

	if (out->len < FETCH_FIRST)
		return;
	memcpy(&n, out->data + FETCH_MORE + 1, sizeof(n));
	if (mode == FAKE_FETCH_COUNT)
		buf_set_u32(out, FETCH_MORE + 1, n + 1);
	else if (mode == FAKE_FETCH_MORE)
		out->data[FETCH_MORE] = 2;
	else if (mode == FAKE_FETCH_LONG && n > 0)
		buf_set_u32(out, FETCH_FIRST + 8 + MSG_ID_LEN + 8 + 8, 0x7fffffff);
	else if (mode == FAKE_FETCH_ZERO && n > 0)
		memset(out->data + FETCH_FIRST, 0, 8);
	else if (mode == FAKE_FETCH_LENGTH && n > 0)
		buf_set_u32(out, FETCH_FIRST + 8 + MSG_ID_LEN + 4, 1);
	else if (mode == FAKE_FETCH_TWICE && n > 1) {
		memcpy(&len, out->data + FETCH_FIRST + 8 + MSG_ID_LEN, sizeof(len));
		memcpy(out->data + FETCH_FIRST + 8 + MSG_ID_LEN + 8 + len,
		    out->data + FETCH_FIRST, 8);
	}
}

/* Whoever attached, and was served nothing yet, goes on to the call. */
static bool
dies(struct worker *w, uint32_t call)
{
	if (w->fake->mode != FAKE_DIES || call == FRAME_RESUME)
		return false;
	if (w->fake->forgets_once)
		w->fake->knows_once = 0;
	if (atomic_fetch_sub(&w->fake->dying, 1) == 1)
		atomic_store(&w->fake->mode, FAKE_HONEST);
	return true;
}

#define INFO_COUNT (FRAME_HEADER + 16 + 108 + 204)

/* And of FRAME_INFO. */
static void
spoil_info(int mode, struct buf *out)
{
	uint32_t n;

	if (out->len < INFO_COUNT + sizeof(n))
		return;
	memcpy(&n, out->data + INFO_COUNT, sizeof(n));
	if (mode == FAKE_INFO_COUNT)
		buf_set_u32(out, INFO_COUNT, n + 1);
	else if (mode == FAKE_INFO_MANY) {
		for (; n <= INFO_MECHS; n++)
			for (int i = 0; i < 4; i++)
				buf_put_u64(out, 1);
		buf_set_u32(out, INFO_COUNT, n);
		buf_set_u32(out, 0, (uint32_t)(out->len - FRAME_HEADER));
	}
}

/* Send the reply, or what a hostile vsmd makes of it. */
static bool
answer(struct worker *w, struct buf *out, bool fused)
{
	switch (atomic_load(&w->fake->mode)) {
	case FAKE_MUTE:
		return true;
	case FAKE_BEATS:
		beat(w);
		break;
	case FAKE_WRONG_ID:
		buf_set_u32(out, 4, 0x7fffffff);
		break;
	case FAKE_WRONG_CALL:
		buf_set_u32(out, 8, CALL_C_GetInfo);
		break;
	case FAKE_LEFTOVER:
		buf_set_u32(out, 0, (uint32_t)(out->len - FRAME_HEADER + 1));
		buf_put_u8(out, 0);
		break;
	case FAKE_SHORT:
		buf_set_u32(out, 0, (uint32_t)(out->len - FRAME_HEADER - 1));
		buf_truncate(out, out->len - 1);
		break;
	case FAKE_HUGE:
		buf_set_u32(out, 0, w->max_frame + 1);
		break;
	case FAKE_FLAGS:
		buf_set_u32(out, 12, 1);
		break;
	case FAKE_AGAIN:
		atomic_store(&w->fake->mode, FAKE_HONEST);
		buf_truncate(out, FRAME_HEADER);
		buf_set_u32(out, 0, 0);
		buf_set_u32(out, 8, FRAME_AGAIN);
		send_all(w, out->data, out->len);
		return false;
	case FAKE_FUSED_LIE:
		if (fused)
			buf_set_u32(out, FRAME_HEADER, CKR_KEY_HANDLE_INVALID);
		break;
	case FAKE_HALF:
		send_all(w, out->data, out->len / 2);
		return false;
	case FAKE_TRICKLE:
		for (size_t i = 0; i < out->len; i++)
			send_all(w, out->data + i, 1);
		return true;
	default:
		break;
	}
	send_all(w, out->data, out->len);
	return true;
}

static bool
serve_one(struct worker *w)
{
	uint8_t header[FRAME_HEADER], *body;
	struct buf in, out;
	struct frame f;
	CK_SESSION_HANDLE session = 0;
	CK_OBJECT_HANDLE made = 0;
	bool ok;

	pthread_mutex_lock(&w->reading);
	if (channel_read_all(w->channel, header, sizeof(header), -1) != 0 ||
	    !frame_parse_request(header, w->max_frame, &f)) {
		pthread_mutex_unlock(&w->reading);
		return false;
	}
	body = malloc(f.length + 1);
	ok = f.length == 0 || channel_read_all(w->channel, body, f.length, -1) == 0;
	pthread_mutex_unlock(&w->reading);
	if (!ok) {
		free(body);
		return false;
	}
	w->fake->calls++;
	buf_view(&in, body, f.length);
	buf_init(&out, FRAME_HEADER + (size_t)w->max_frame);
	frame_begin(&out, f.id, f.call);
	ok = f.call == FRAME_FETCH ? fetch(w, &in, &out) :
	    f.call == FRAME_INFO ? info(w, &in, &out) :
	    f.call == FRAME_RESUME ? resume(w, &in, &out)
				    : serve_call(w, &f, &in, &out, &session, &made);
	frame_end(&out);
	if (f.call == FRAME_FETCH)
		spoil_search(w->fake->mode, &out);
	else if (f.call == FRAME_INFO)
		spoil_info(w->fake->mode, &out);
	if (w->fake->keeps == 2 && made != 0)
		keep(w, session, made);
	ok = ok && !dies(w, f.call) && answer(w, &out, f.flags & FRAME_FUSED);
	if (w->fake->keeps == 1 && made != 0)
		keep(w, session, made);
	buf_free(&out);
	free(body);
	return ok;
}

static void *
serve_loop(void *arg)
{
	struct worker *w = arg;

	while (serve_one(w))
		;
	_exit(0);
}

void
worker_serve(struct fake *f, struct channel *c, uint32_t slot, uint32_t max_frame)
{
	struct worker w = {.fake = f, .channel = c, .max_frame = max_frame,
	    .reading = PTHREAD_MUTEX_INITIALIZER, .writing = PTHREAD_MUTEX_INITIALIZER};
	CK_SLOT_ID slots[8];
	CK_TOKEN_INFO info;
	CK_ULONG n = 8;
	pthread_t t;

	w.hsm = load_softhsm();
	assert(w.hsm->C_GetSlotList(CK_TRUE, slots, &n) == CKR_OK);
	for (CK_ULONG i = 0; i < n; i++) {
		bool ours, made;

		assert(w.hsm->C_GetTokenInfo(slots[i], &info) == CKR_OK);
		ours = memcmp(info.label, "fake  ", 6) == 0;
		made = (info.flags & CKF_TOKEN_INITIALIZED) != 0;
		/* The other slot has a token once C_InitToken made it. */
		if (ours == (slot == FAKE_SLOT) && (ours || made || w.slot == 0))
			w.slot = slots[i];
	}
	for (int i = 1; i < THREADS; i++)
		assert(pthread_create(&t, NULL, serve_loop, &w) == 0);
	(void)serve_loop(&w);
}
