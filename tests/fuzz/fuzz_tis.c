/*
 * fuzz_tis.c - what the registers of a TPM say: u8 room in 8 bytes, then for each register that
 * is read a u8; 0 to 199: what a sound TPM would say there, else the bytes of the register follow.
 * The FIFO gives the bytes as they are.
 *
 * Every command ends in a bounded time, gives the locality back, and writes nothing beyond the
 * room that there is.
 */
#include <stdlib.h>
#include <string.h>

#include "tpm/tis/tis.h"

#define SOUND 200
#define LEN   12
#define FENCE 0xa5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	const uint8_t *p;
	size_t left;
	int64_t us;
	int written;  /* bytes of the command */
	bool active, gone, inside;
} w;

static uint8_t
next(void)
{
	if (w.left == 0)
		return 0;
	w.left--;
	return *w.p++;
}

static uint32_t
sound_status(void)
{
	uint32_t burst = 3, sts = TIS_STS_VALID;

	if (w.gone)
		sts |= w.left > 0 ? TIS_DATA : 0;
	else
		sts |= w.written == 0 ? TIS_READY : w.written < LEN ? TIS_EXPECT : 0;
	return sts | burst << 8 | (uint32_t)TIS_FAMILY_2 << 24;
}

static uint8_t
read8(void *arg, unsigned reg)
{
	(void)arg;
	w.us++;
	if (reg == TIS_FIFO || next() >= SOUND)
		return next();
	return TIS_VALID | (w.active ? TIS_ACTIVE : 0);
}

static uint32_t
read32(void *arg, unsigned reg)
{
	uint32_t v = 0;

	(void)arg;
	w.us++;
	if (next() < SOUND)
		return reg == TIS_STS ? sound_status() : 1;
	for (int i = 0; i < 4; i++)
		v = v << 8 | next();
	return v;
}

static void
write8(void *arg, unsigned reg, uint8_t value)
{
	(void)arg;
	if (reg == TIS_ACCESS)
		w.active = value == TIS_REQUEST;
	else if (reg == TIS_FIFO)
		w.written++;
	else if (reg == TIS_STS && value == TIS_READY)
		w.gone = w.written = 0;
	else if (reg == TIS_STS && value == TIS_GO)
		w.gone = true;
}

static int64_t
now(void *arg)
{
	(void)arg;
	return w.us / 1000;
}

static void
pause_(void *arg, unsigned us)
{
	(void)arg;
	w.us += 100 * (int64_t)us; /* or most of the time goes into waits */
}

static bool
enter(void *arg)
{
	(void)arg;
	return w.inside = true;
}

static void
leave(void *arg)
{
	(void)arg;
	w.inside = false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tis_ops ops = {.read8 = read8, .read32 = read32, .write8 = write8,
	    .now = now, .pause = pause_, .enter = enter, .leave = leave};
	static const uint8_t command[LEN] = {0x80, 1, 0, 0, 0, LEN, 0, 0, 1, 0x7b, 0, 8};
	uint8_t response[8 * 255 + 1];
	size_t room, len = SIZE_MAX;
	enum tis_result r;
	struct tis t;

	memset(&w, 0, sizeof(w));
	w.p = data;
	w.left = size;
	room = 8 * (size_t)next();
	memset(response, FENCE, sizeof(response));
	tis_init(&t, &ops, NULL);
	r = tis_exchange(&t, command, sizeof(command), 1000, response, room, &len);
	if (t.held || t.entered || w.inside || response[room] != FENCE ||
	    w.us > 600 * 1000000LL || (r == TIS_OK && (len < TIS_HEADER || len > room)))
		abort();
	if (tis_text(r)[0] == '\0')
		abort();
	return 0;
}
