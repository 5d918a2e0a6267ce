/* registers.c - see registers.h */
#include "registers.h"

#include <string.h>

void
registers_init(struct registers *r)
{
	memset(r, 0, sizeof(*r));
	r->burst = 64;
	r->takes = 5;
	r->seed = 1;
}

static void
put_header(uint8_t *p, size_t len)
{
	memset(p, 0, TIS_HEADER);
	p[0] = 0x80;
	p[1] = 0x01;
	p[2] = (uint8_t)(len >> 24);
	p[3] = (uint8_t)(len >> 16);
	p[4] = (uint8_t)(len >> 8);
	p[5] = (uint8_t)len;
}

void
registers_command(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 7);
	put_header(p, len);
}

static int64_t
now(void *arg)
{
	struct registers *r = arg;

	return r->us / 1000;
}

static void
pause_(void *arg, unsigned us)
{
	struct registers *r = arg;

	assert_int_not_equal(us, 0); /* or a wait would take for ever */
	r->us += us;
}

static bool
enter(void *arg)
{
	struct registers *r = arg;

	r->entered += !r->others_inside;
	return !r->others_inside;
}

static void
leave(void *arg)
{
	struct registers *r = arg;

	r->left++;
}

static uint32_t
noise(struct registers *r)
{
	r->seed = r->seed * 1664525 + 1013904223;
	return r->seed >> 8 ^ r->seed << 16;
}

/* The response: what was sent, behind a header; and the fault. */
static void
answer(struct registers *r)
{
	size_t len = r->command_len;

	memcpy(r->response, r->command, len);
	put_header(r->response, len);
	for (int i = 0; i < 4; i++)
		r->response[6 + i] = (uint8_t)(r->code >> (24 - 8 * i));
	if (r->canceled)
		memcpy(r->response + 6, "\0\0\x09\x09", 4); /* TPM_RC_CANCELED */
	if (r->fault == TINY)
		put_header(r->response, TIS_HEADER - 1);
	if (r->fault == HUGE_)
		put_header(r->response, UINT32_MAX);
	r->response_len = len;
	if (r->fault == LONGER)
		r->response_len++;
	if (r->fault == SHORTER || r->fault == SHORT_ONCE)
		r->response_len--;
	r->at = 0;
	r->phase = PHASE_COMPLETION;
}

/* What happened since the last look. */
static void
look(struct registers *r)
{
	r->us++;
	r->looks++;
	if (r->requested && now(r) >= r->others_until) {
		r->requested = false;
		r->active = true;
	}
	if (r->seize_after != 0 && r->looks == r->seize_after && r->active) {
		r->active = false;
		r->seized = true;
		r->phase = PHASE_IDLE;
	}
	if (r->phase == PHASE_EXECUTION && r->fault != NEVER_ANSWERS &&
	    (now(r) >= r->done_at || r->canceled))
		answer(r);
}

static uint32_t
status(const struct registers *r)
{
	bool data = r->phase == PHASE_COMPLETION && r->at < r->response_len;
	uint32_t sts = r->fault == NEVER_VALID ? 0 : TIS_STS_VALID, n = 0;

	if (!r->active)
		return r->plausible ? TIS_STS_VALID | r->burst << 8 : UINT32_MAX;
	if (r->phase == PHASE_READY)
		sts |= TIS_READY;
	if (data)
		sts |= TIS_DATA;
	if (r->phase == PHASE_RECEPTION &&
	    (r->fault == WANTS_MORE || r->command_len < TIS_HEADER ||
	        r->command_len < tis_size(r->command) - (r->fault == WANTS_LESS)))
		sts |= TIS_EXPECT;
	if (data)
		n = r->fault == NO_BYTES ? 0 : r->burst;
	else if (r->phase == PHASE_READY || r->phase == PHASE_RECEPTION)
		n = r->fault == NO_ROOM ? 0 : r->burst;
	return sts | n << 8 | (r->tpm12 ? 0 : (uint32_t)TIS_FAMILY_2 << 24);
}

static uint8_t
fifo(struct registers *r)
{
	if (!r->active || r->phase != PHASE_COMPLETION || r->at == r->response_len)
		return 0xff;
	return r->response[r->at++];
}

static uint32_t
read32(void *arg, unsigned reg)
{
	struct registers *r = arg;

	look(r);
	if (r->fault == NOBODY || r->fault == ZEROS)
		return r->fault == NOBODY ? UINT32_MAX : 0;
	if (r->fault == NOISE)
		return noise(r);
	assert_true(reg == TIS_STS || reg == TIS_DID_VID);
	return reg == TIS_STS ? status(r) : 0x00011014;
}

static uint8_t
read8(void *arg, unsigned reg)
{
	struct registers *r = arg;

	look(r);
	if (r->fault == NOBODY || r->fault == ZEROS)
		return r->fault == NOBODY ? 0xff : 0;
	if (r->fault == NOISE)
		return (uint8_t)noise(r);
	assert_true(reg == TIS_ACCESS || reg == TIS_FIFO);
	if (reg == TIS_FIFO)
		return fifo(r);
	return (uint8_t)(TIS_VALID | (r->active ? TIS_ACTIVE : 0) |
	    (r->seized ? TIS_SEIZED : 0) | (r->requested ? TIS_REQUEST : 0));
}

static void
write_access(struct registers *r, uint8_t value)
{
	/* One bit at a time, and never to seize. */
	assert_true(value == TIS_ACTIVE || value == TIS_SEIZED || value == TIS_REQUEST);
	if (value == TIS_SEIZED)
		r->seized = false;
	if (value == TIS_REQUEST)
		r->requested = true;
	if (value == TIS_ACTIVE)
		r->active = r->requested = false;
}

static void
write_status(struct registers *r, uint8_t value)
{
	if (!r->active)
		return;
	switch (value) {
	case TIS_READY:
		/* The first only ends what was under way. */
		if (r->fault != NEVER_READY)
			r->phase = r->phase == PHASE_IDLE || r->phase == PHASE_COMPLETION
			    ? PHASE_READY : PHASE_IDLE;
		r->command_len = 0;
		r->canceled = false;
		return;
	case TIS_GO:
		assert_int_equal(r->phase, PHASE_RECEPTION);
		assert_int_equal(r->command_len, tis_size(r->command));
		r->phase = PHASE_EXECUTION;
		r->done_at = now(r) + r->takes;
		r->commands++;
		return;
	case TIS_RETRY:
		assert_int_equal(r->phase, PHASE_COMPLETION);
		r->retries++;
		r->at = 0;
		if (r->fault == SHORT_ONCE)
			r->response_len++;
		return;
	default:
		fail_msg("0x%02x written to the status", value);
	}
}

static void
write8(void *arg, unsigned reg, uint8_t value)
{
	struct registers *r = arg;

	if (r->fault == NOBODY || r->fault == ZEROS || r->fault == NOISE)
		return;
	switch (reg) {
	case TIS_ACCESS:
		write_access(r, value);
		return;
	case TIS_STS:
		write_status(r, value);
		return;
	case TIS_STS + 3:
		assert_int_equal(value, TIS_CANCEL);
		assert_false(r->tpm12);
		r->canceled = r->active && r->phase == PHASE_EXECUTION;
		return;
	case TIS_FIFO:
		if (!r->active)
			return;
		assert_true(r->phase == PHASE_READY || r->phase == PHASE_RECEPTION);
		assert_true(r->command_len < sizeof(r->command));
		r->phase = PHASE_RECEPTION;
		r->command[r->command_len++] = value;
		return;
	default:
		fail_msg("0x%02x written to 0x%x", value, reg);
	}
}

const struct tis_ops registers_ops = {
    .read8 = read8,
    .read32 = read32,
    .write8 = write8,
    .now = now,
    .pause = pause_,
    .enter = enter,
    .leave = leave,
};
