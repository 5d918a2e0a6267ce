/* guest.c - one hostile guest with its channels: see hostile.h */
#include "hostile.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/fetch.h"
#include "protocol/resume.h"

#define CHANNELS 6
#define BATCH 48
#define LIFE 60          /* batches, about */
#define OBJECTS_KEPT 40  /* on the token; more are destroyed */
#define OBJECTS_LEAST 10 /* with fewer, one is made */
#define NO_ID 0xffffffffu

struct line {
	struct channel_ends e;
	struct known known;
	struct buf out;
	bool open;
	unsigned batches; /* left */
	uint32_t ids;
};

static uint32_t
next_id(struct line *l, struct chance *c)
{
	return FRAME_ID(l->ids++, below(c, 256), below(c, 64));
}

static void
hang_up(struct line *l)
{
	ends_close(&l->e);
	l->open = false;
}

/* The frame in l->out, which is sound, and its reply in l->e.body.  false: it has ended. */
static bool
ask(struct line *l, uint32_t call)
{
	uint32_t id;

	frame_end(&l->out);
	memcpy(&id, l->out.data + 4, sizeof(id));
	ends_note(&l->e, id, call);
	return ends_write(&l->e, l->out.data, l->out.len) && ends_await(&l->e) &&
	    l->e.frame.call == call;
}

static void
begin(struct line *l, struct chance *c, uint32_t call)
{
	buf_reset(&l->out);
	frame_begin(&l->out, next_id(l, c), call);
}

static bool
take_sessions(struct line *l, const struct resume *r, struct arena *arena, CK_RV *ret)
{
	struct resumed d;

	if (!resume_answer_read(&l->e.body, r, &d, arena))
		fail("the answer to a resume makes no sense");
	*ret = d.rv;
	l->known.nsessions = 0;
	for (uint32_t i = 0; i < d.nsessions && i < MOST_KNOWN; i++)
		if (d.sessions[i] != 0)
			l->known.sessions[l->known.nsessions++] = d.sessions[i];
	return l->known.nsessions > 0;
}

/* Sessions, and the login that there was. */
static bool
resume(struct line *l, struct target *t, struct chance *c, CK_RV *ret)
{
	CK_FLAGS flags[3];
	uint8_t ticket[sizeof(t->ticket)];
	struct resume r = {.session_flags = flags, .nsessions = 3, .ticket = ticket};
	struct arena arena;
	bool ok;

	for (size_t i = 0; i < 3; i++)
		flags[i] = CKF_SERIAL_SESSION | CKF_RW_SESSION;
	pthread_mutex_lock(&t->lock);
	memcpy(ticket, t->ticket, t->ticket_len);
	r.ticket_len = t->ticket_len;
	pthread_mutex_unlock(&t->lock);
	r.user = r.ticket_len > 0 ? 1 + CKU_USER : 0;
	begin(l, c, FRAME_RESUME);
	resume_ask_write(&l->out, &r);
	arena_init(&arena, 1 << 20);
	ok = ask(l, FRAME_RESUME) && take_sessions(l, &r, &arena, ret);
	arena_free(&arena);
	if (ok && r.ticket_len == 0)
		*ret = CKR_USER_NOT_LOGGED_IN;
	return ok;
}

/* A call on the first session with a PIN; its code. false: it has ended. */
static bool
with_pin(struct line *l, struct chance *c, uint32_t call, CK_USER_TYPE user, const char *pin,
    CK_RV *ret)
{
	begin(l, c, call);
	buf_put_u64(&l->out, l->known.sessions[0]);
	if (call == CALL_C_Login)
		buf_put_u64(&l->out, user);
	if (pin != NULL) {
		buf_put_u8(&l->out, 1);
		buf_put_str(&l->out, pin);
	}
	if (!ask(l, call))
		return false;
	*ret = buf_get_u64(&l->e.body);
	return true;
}

static bool
login(struct line *l, struct target *t, struct chance *c)
{
	const uint8_t *ticket;
	size_t len = 0;
	CK_RV rv;

	if (!with_pin(l, c, CALL_C_Login, CKU_USER, t->pin, &rv))
		return false;
	if (rv != CKR_OK && t->so_pin != NULL) {
		/* The token was made anew, or a PIN: so that there is a user again. */
		if (!with_pin(l, c, CALL_C_Login, CKU_SO, t->so_pin, &rv) ||
		    !with_pin(l, c, CALL_C_InitPIN, 0, t->pin, &rv) ||
		    !with_pin(l, c, CALL_C_Logout, 0, NULL, &rv) ||
		    !with_pin(l, c, CALL_C_Login, CKU_USER, t->pin, &rv))
			return false;
	}
	if (rv != CKR_OK)
		return true;
	(void)buf_get_u64(&l->e.body);
	ticket = buf_get_bytes(&l->e.body, &len);
	if (!buf_end(&l->e.body) || len > sizeof(t->ticket))
		fail("the answer to a login makes no sense");
	pthread_mutex_lock(&t->lock);
	memcpy(t->ticket, ticket, len);
	t->ticket_len = len;
	pthread_mutex_unlock(&t->lock);
	return true;
}

static bool
destroy(struct line *l, struct chance *c, uint64_t object)
{
	begin(l, c, CALL_C_DestroyObject);
	buf_put_u64(&l->out, l->known.sessions[0]);
	buf_put_u64(&l->out, object);
	return ask(l, CALL_C_DestroyObject);
}

/* So that there is something to sign and encrypt with: what there was may be destroyed. */
static bool
make_key(struct line *l, struct chance *c)
{
	static CK_BBOOL yes = CK_TRUE;
	static CK_ULONG bits = 1024, size = 32;
	static CK_BYTE p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
	CK_ATTRIBUTE aes[] = {{CKA_TOKEN, &yes, 1}, {CKA_VALUE_LEN, &size, sizeof(size)},
	    {CKA_ENCRYPT, &yes, 1}, {CKA_DECRYPT, &yes, 1}, {CKA_WRAP, &yes, 1},
	    {CKA_UNWRAP, &yes, 1}, {CKA_SIGN, &yes, 1}, {CKA_VERIFY, &yes, 1}};
	CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, 1}, {CKA_EC_PARAMS, p256, sizeof(p256)},
	    {CKA_MODULUS_BITS, &bits, sizeof(bits)}, {CKA_VERIFY, &yes, 1},
	    {CKA_ENCRYPT, &yes, 1}};
	CK_ATTRIBUTE private[] = {
	    {CKA_TOKEN, &yes, 1}, {CKA_SIGN, &yes, 1}, {CKA_DERIVE, &yes, 1}};
	CK_MECHANISM m = {CKM_AES_KEY_GEN, NULL, 0};
	uint32_t call = CALL_C_GenerateKey;
	struct arg args[ARGS_MAX] = {{.len = l->known.sessions[0]}, {.ptr = &m},
	    {.ptr = aes, .len = 8}, {.ptr = &yes}};

	if (!one_in(c, 3)) {
		bool rsa = one_in(c, 2);

		call = CALL_C_GenerateKeyPair;
		m.mechanism = rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN;
		if (rsa)
			private[2].type = CKA_DECRYPT;
		args[2] = (struct arg){.ptr = public, .len = 5};
		args[3] = (struct arg){.ptr = private, .len = 3};
		args[4].ptr = args[5].ptr = &yes;
	}
	begin(l, c, call);
	return ask_write(&l->out, call_by_number(call), args) == CKR_OK && ask(l, call);
}

/* What there is on the token, and what will be. */
static bool
look_around(struct line *l, struct chance *c)
{
	struct known *k = &l->known;
	struct fetched found;
	struct arena arena;
	uint64_t last = 0;
	bool ok = true;

	begin(l, c, FRAME_FETCH);
	buf_put_u64(&l->out, k->sessions[0]);
	buf_put_u8(&l->out, 1);
	buf_put_u64(&l->out, 0);
	if (!ask(l, FRAME_FETCH))
		return false;
	arena_init(&arena, 4 << 20);
	if (!fetched_read(&l->e.body, &found, &arena))
		fail("the answer to a fetch makes no sense");
	k->nobjects = 0;
	for (uint32_t i = 0; i < found.count && ok; i++) {
		if (i >= OBJECTS_KEPT)
			ok = destroy(l, c, found.objects[i].ref.handle);
		else
			last = k->objects[k->nobjects++] = found.objects[i].ref.handle;
	}
	arena_free(&arena);
	if (ok && k->nobjects < OBJECTS_LEAST)
		ok = make_key(l, c);
	for (unsigned i = 1; i <= 3 && k->nobjects < MOST_KNOWN; i++)
		k->objects[k->nobjects++] = last + i;
	return ok;
}

/* The first frame is a resume that is none. */
static bool
bad_resume(struct line *l, struct chance *c)
{
	struct forged f = {.chance = c, .known = &l->known};
	uint32_t words[3] = {below(c, 5), (uint32_t)chance_next(c) >> below(c, 32), below(c, 100)};

	buf_init(&f.b, MAX_FRAME);
	frame_begin(&f.b, f.id = next_id(l, c), f.call = FRAME_RESUME);
	buf_put_u8(&f.b, (uint8_t)below(c, 5));
	buf_put_u64(&f.b, one_in(c, 2) ? 16 : chance_next(c) >> below(c, 64));
	forge_content(&f, NULL, 16);
	buf_put_raw(&f.b, words, sizeof(words));
	forge_content(&f, NULL, forge_length(c));
	frame_end(&f.b);
	atomic_fetch_add(&count.frames, 1);
	atomic_fetch_add(&count.mutated, 1);
	ends_note(&l->e, f.id, FRAME_RESUME);
	(void)(ends_write(&l->e, f.b.data, f.b.len) && ends_await(&l->e));
	buf_free(&f.b);
	return false;
}

static bool
set_up(struct line *l, struct target *t, struct chance *c)
{
	CK_RV rv;

	if (one_in(c, 40))
		return bad_resume(l, c);
	if (!resume(l, t, c, &rv))
		return false;
	if (rv != CKR_OK && !login(l, t, c))
		return false;
	return look_around(l, c);
}

static void
open_line(struct line *l, struct guest *g)
{
	struct chance *c = &g->chance;
	struct target *t = &g->targets[below(c, (uint32_t)g->ntargets)];
	enum opening how = one_in(c, 20) ? OPEN_MUTATED : OPEN_SOUND;

	memset(&l->known, 0, sizeof(l->known));
	l->known.target = t;
	l->ids = 1;
	l->batches = 1 + below(c, LIFE);
	l->open = true;
	if (how == OPEN_MUTATED)
		atomic_fetch_add(&count.hellos, 1);
	if (!ends_open(&l->e, t, c, how)) {
		hang_up(l);
		if (how == OPEN_SOUND) /* busy */
			poll(NULL, 0, 5);
		return;
	}
	atomic_fetch_add(&count.channels, 1);
	if (how == OPEN_MUTATED || !set_up(l, t, c))
		hang_up(l);
}

static void
put_frame(struct line *l, struct forged *f, uint32_t *last, bool *breach)
{
	struct chance *c = f->chance;
	uint32_t id = next_id(l, c);

	forge(f, id);
	mutate(f);
	/* One that is outstanding, perhaps. */
	if (*last != NO_ID && !f->torn && one_in(c, 2000)) {
		buf_set_u32(&f->b, 4, id = *last);
		f->mutated = f->breach = true;
	}
	if (!buf_ok(&f->b))
		fail("a frame grew too large");
	*last = id;
	*breach |= f->breach;
	ends_note(&l->e, id, f->call);
	if (f->call < CALL_COUNT_)
		atomic_fetch_add_explicit(&count.sent[f->call], 1, memory_order_relaxed);
	buf_put_raw(&l->out, f->b.data, f->b.len);
	atomic_fetch_add_explicit(&count.frames, 1, memory_order_relaxed);
	if (f->mutated)
		atomic_fetch_add_explicit(&count.mutated, 1, memory_order_relaxed);
}

/* In one piece, or in many. */
static bool
send_all(struct line *l, struct chance *c)
{
	size_t piece = one_in(c, 10) ? 1 + below(c, 200) : l->out.len;

	for (size_t at = 0; at < l->out.len; at += piece) {
		size_t n = l->out.len - at < piece ? l->out.len - at : piece;

		if (!ends_write(&l->e, l->out.data + at, n))
			return false;
	}
	return true;
}

/* Nothing that was sent should have ended it.  CAAS_HOSTILE_DUMP is a file that gets the
 * batch. */
static void
tell_unasked(struct line *l)
{
	const char *path = getenv("CAAS_HOSTILE_DUMP");
	FILE *f = path != NULL ? fopen(path, "a") : NULL;

	atomic_fetch_add(&count.unasked, 1);
	if (f == NULL)
		return;
	for (size_t at = 0; at + FRAME_HEADER <= l->out.len;) {
		uint32_t head[4];

		memcpy(head, l->out.data + at, sizeof(head));
		fprintf(f, "call %u flags %u:", head[2], head[3]);
		for (size_t i = 0; i < head[0] && i < 512; i++)
			fprintf(f, " %02x", l->out.data[at + FRAME_HEADER + i]);
		fputc('\n', f);
		at += FRAME_HEADER + head[0];
	}
	fputs("--\n", f);
	fclose(f);
}

static void
batch(struct line *l, struct chance *c, struct forged *f)
{
	uint32_t last = NO_ID;
	bool breach = false, attacks = one_in(c, 60);

	f->known = &l->known;
	buf_reset(&l->out);
	f->torn = false;
	for (unsigned n = 1 + below(c, BATCH); n > 0 && !f->torn; n--)
		put_frame(l, f, &last, &breach);
	if (attacks && one_in(c, 2))
		attack(&l->e, c);
	if (send_all(l, c) && attacks)
		attack(&l->e, c);
	/* Who goes while there is much to read and to write. */
	if (f->torn || attacks || --l->batches == 0) {
		hang_up(l);
	} else if (!ends_await(&l->e)) {
		atomic_fetch_add(&count.ended, 1);
		if (!breach && !l->e.again)
			tell_unasked(l);
		hang_up(l);
	}
}

void *
guest_main(void *arg)
{
	struct guest *g = arg;
	struct forged f = {.chance = &g->chance};
	static _Thread_local struct line lines[CHANNELS];

	buf_init(&f.b, MAX_FRAME);
	for (size_t i = 0; i < CHANNELS; i++)
		buf_init(&lines[i].out, 64 * (size_t)MAX_FRAME);
	while (atomic_load(&count.mutated) < g->goal) {
		struct line *l = &lines[below(&g->chance, CHANNELS)];

		if (!l->open)
			open_line(l, g);
		else
			batch(l, &g->chance, &f);
	}
	for (size_t i = 0; i < CHANNELS; i++) {
		if (lines[i].open)
			hang_up(&lines[i]);
		buf_free(&lines[i].out);
	}
	buf_free(&f.b);
	return NULL;
}
