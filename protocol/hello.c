/* hello.c - see hello.h */
#include "protocol/hello.h"

#include <string.h>

/* Where things lie in both directions. */
enum {
	AT_MAGIC = 0,
	AT_VERSION = 4,
	AT_PURPOSE = 8,
	AT_STATUS = 8,
	AT_SLOT = 12,
	AT_COUNT = 12,
	AT_MAX_FRAME = 16,
	AT_SILENCE = 20,
	AT_FLAGS = 24,
	AT_EPOCH = 24,
	AT_ASK_ZERO = 28,
	AT_APP = 32,
	AT_INSTANCE = 32,
	AT_HINT_UID = 48,
	AT_HINT_GID = 52,
	AT_HINT_GIVEN = 56,
	AT_ASK_END = 60,
	AT_ANSWER_FLAGS = 48,
	AT_ANSWER_ZERO = 52
};

static const uint8_t magic[4] = {'C', 'a', 'a', 'S'};

static void
set32(uint8_t *p, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t
get32(const uint8_t *p)
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++)
		v |= (uint32_t)p[i] << (8 * i);
	return v;
}

static bool
zero(const uint8_t *p, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= p[i];
	return any == 0;
}

static void
put_hint(uint8_t *out, uint32_t uid, uint32_t gid)
{
	set32(out + AT_HINT_UID, uid);
	set32(out + AT_HINT_GID, gid);
	set32(out + AT_HINT_GIVEN, 1);
}

/* False when it is none and not nothing. */
static bool
get_hint(const uint8_t *in, struct hello_hint *ret)
{
	uint32_t given = get32(in + AT_HINT_GIVEN);

	ret->given = given == 1;
	ret->uid = get32(in + AT_HINT_UID);
	ret->gid = get32(in + AT_HINT_GID);
	return given == 1 || (given == 0 && ret->uid == 0 && ret->gid == 0);
}

void
hello_ask_write(uint8_t out[HELLO_LEN], const struct hello_ask *ask)
{
	memset(out, 0, HELLO_LEN);
	memcpy(out + AT_MAGIC, magic, sizeof(magic));
	set32(out + AT_VERSION, ask->version);
	set32(out + AT_PURPOSE, ask->purpose);
	set32(out + AT_SLOT, ask->slot);
	set32(out + AT_MAX_FRAME, ask->max_frame);
	set32(out + AT_SILENCE, ask->silence);
	set32(out + AT_FLAGS, ask->flags);
	memcpy(out + AT_APP, ask->app, HELLO_APP_LEN);
	if (ask->hint.given)
		put_hint(out, ask->hint.uid, ask->hint.gid);
}

bool
hello_ask_hint(uint8_t *hello, size_t len, uint32_t uid, uint32_t gid)
{
	uint8_t begins[AT_PURPOSE];

	memcpy(begins + AT_MAGIC, magic, sizeof(magic));
	set32(begins + AT_VERSION, HELLO_VERSION);
	if (memcmp(hello, begins, len < sizeof(begins) ? len : sizeof(begins)) != 0)
		return true;
	if (len < HELLO_LEN)
		return false;
	put_hint(hello, uid, gid);
	return true;
}

bool
hello_ask_read(const uint8_t in[HELLO_LEN], struct hello_ask *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (memcmp(in + AT_MAGIC, magic, sizeof(magic)) != 0)
		return false;
	ret->version = get32(in + AT_VERSION);
	/* Of another version nothing else is known, but it deserves an answer. */
	if (ret->version != HELLO_VERSION)
		return true;
	ret->purpose = get32(in + AT_PURPOSE);
	ret->slot = get32(in + AT_SLOT);
	ret->max_frame = get32(in + AT_MAX_FRAME);
	ret->silence = get32(in + AT_SILENCE);
	ret->flags = get32(in + AT_FLAGS) & HELLO_FLAGS;
	memcpy(ret->app, in + AT_APP, HELLO_APP_LEN);
	return ret->purpose >= HELLO_SLOTS && ret->purpose <= HELLO_ADMIN &&
	       zero(in + AT_ASK_ZERO, AT_APP - AT_ASK_ZERO) &&
	       get_hint(in, &ret->hint) && zero(in + AT_ASK_END, HELLO_LEN - AT_ASK_END);
}

void
hello_answer_write(uint8_t out[HELLO_LEN], const struct hello_answer *answer)
{
	memset(out, 0, HELLO_LEN);
	memcpy(out + AT_MAGIC, magic, sizeof(magic));
	set32(out + AT_VERSION, answer->version);
	set32(out + AT_STATUS, answer->status);
	set32(out + AT_COUNT, answer->count);
	set32(out + AT_MAX_FRAME, answer->max_frame);
	set32(out + AT_SILENCE, answer->silence);
	set32(out + AT_EPOCH, (uint32_t)answer->epoch);
	set32(out + AT_EPOCH + 4, (uint32_t)(answer->epoch >> 32));
	memcpy(out + AT_INSTANCE, answer->instance, HELLO_APP_LEN);
	set32(out + AT_ANSWER_FLAGS, answer->flags);
}

bool
hello_answer_read(const uint8_t in[HELLO_LEN], struct hello_answer *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (memcmp(in + AT_MAGIC, magic, sizeof(magic)) != 0)
		return false;
	ret->version = get32(in + AT_VERSION);
	ret->status = get32(in + AT_STATUS);
	/* The status lies where it does in every version. */
	if (ret->version != HELLO_VERSION)
		return true;
	ret->count = get32(in + AT_COUNT);
	ret->max_frame = get32(in + AT_MAX_FRAME);
	ret->silence = get32(in + AT_SILENCE);
	ret->epoch = get32(in + AT_EPOCH) | (uint64_t)get32(in + AT_EPOCH + 4) << 32;
	memcpy(ret->instance, in + AT_INSTANCE, HELLO_APP_LEN);
	ret->flags = get32(in + AT_ANSWER_FLAGS);
	return ret->status <= HELLO_FAILED && ret->count <= HELLO_MAX_SLOTS &&
	       (ret->flags & ~(uint32_t)HELLO_FLAGS) == 0 &&
	       zero(in + AT_ANSWER_ZERO, HELLO_LEN - AT_ANSWER_ZERO);
}

void
hello_slot_write(uint8_t out[HELLO_SLOT_LEN], const struct hello_slot *slot)
{
	set32(out, slot->slot);
	set32(out + 4, slot->flags);
}

bool
hello_slot_read(const uint8_t in[HELLO_SLOT_LEN], struct hello_slot *ret)
{
	ret->slot = get32(in);
	ret->flags = get32(in + 4);
	return (ret->flags & ~(uint32_t)HELLO_SLOT_INITIALIZED) == 0;
}
