/* tis.c - see tis.h */
#include "tpm/tis/tis.h"

#include <string.h>

/* ms; the longer ones where TPM 1.2 and TPM 2.0 differ. */
#define TIMEOUT_A 750  /* the locality's register is valid */
#define TIMEOUT_B 2000 /* ready for a command */
#define TIMEOUT_C 750  /* the status is valid */
#define TIMEOUT_D 750  /* the FIFO takes or gives a byte */
#define TRANSFER 10000 /* all bytes of a command, or of a response */
#define COMMAND	 300000

#define TRIES	    3	/* to read a response */
#define READY_TRIES 2	/* the first may only end what was under way */
#define PAUSE_FIRST 50	/* us, doubled with each look */
#define PAUSE_LAST  5000

void
tis_init(struct tis *t, const struct tis_ops *ops, void *arg)
{
	*t = (struct tis){.ops = ops, .arg = arg};
}

static uint8_t
access_now(struct tis *t)
{
	return t->ops->read8(t->arg, TIS_ACCESS);
}

static void
command(struct tis *t, unsigned reg, uint8_t value)
{
	t->ops->write8(t->arg, reg, value);
}

/* A wait that looks once more after its time is up: this process may have slept. */
struct wait {
	int64_t until;
	unsigned us;
	bool last;
};

static struct wait
wait_for(struct tis *t, int64_t ms)
{
	return (struct wait){.until = t->ops->now(t->arg) + ms, .us = PAUSE_FIRST};
}

static void
before_look(struct tis *t, struct wait *w)
{
	w->last = t->ops->now(t->arg) >= w->until;
}

/* False when that was the last look. */
static bool
after_look(struct tis *t, struct wait *w)
{
	if (w->last)
		return false;
	t->ops->pause(t->arg, w->us);
	w->us = w->us * 2 < PAUSE_LAST ? w->us * 2 : PAUSE_LAST;
	return true;
}

static bool
access_valid(uint8_t a)
{
	return (a & TIS_VALID) != 0 && (a & TIS_NEVER_ACCESS) == 0;
}

/* Waits for a valid one, which a TPM that is there has. */
static enum tis_result
read_access(struct tis *t, uint8_t *ret)
{
	struct wait w = wait_for(t, TIMEOUT_A);

	do {
		before_look(t, &w);
		*ret = access_now(t);
		if (access_valid(*ret))
			return TIS_OK;
	} while (*ret != 0xff && after_look(t, &w));
	return TIS_ABSENT;
}

/* Something is not as it should be (r): because the locality is not ours any more? */
static enum tis_result
blame(struct tis *t, enum tis_result r)
{
	uint8_t a = access_now(t);

	if (!access_valid(a))
		return TIS_ABSENT;
	if ((a & TIS_ACTIVE) != 0)
		return r;
	t->held = false;
	return TIS_TAKEN;
}

static enum tis_result
wait_status(struct tis *t, uint8_t mask, uint8_t value, int64_t ms)
{
	struct wait w = wait_for(t, ms);
	uint32_t sts;

	do {
		before_look(t, &w);
		sts = t->ops->read32(t->arg, TIS_STS);
		/* All ones: a locality that is not active, or nobody. */
		if ((sts & TIS_NEVER_STS) != 0)
			return blame(t, TIS_BROKEN);
		if ((sts & mask) == value)
			return TIS_OK;
	} while (after_look(t, &w));
	return blame(t, TIS_TIMEOUT);
}

/* How many bytes may go through the FIFO now: one or more, at most `max`. */
static enum tis_result
burst(struct tis *t, size_t max, size_t *ret)
{
	struct wait w = wait_for(t, TIMEOUT_D);
	uint32_t sts;
	size_t n;

	do {
		before_look(t, &w);
		sts = t->ops->read32(t->arg, TIS_STS);
		if ((sts & TIS_NEVER_STS) != 0)
			return blame(t, TIS_BROKEN);
		n = sts >> 8 & 0xffff;
		if (n > 0) {
			*ret = n < max ? n : max;
			return TIS_OK;
		}
	} while (after_look(t, &w));
	return blame(t, TIS_TIMEOUT);
}

enum tis_result
tis_probe(struct tis *t)
{
	uint32_t id = t->ops->read32(t->arg, TIS_DID_VID);
	uint8_t a;

	if (id == 0 || id == UINT32_MAX)
		return TIS_ABSENT;
	return read_access(t, &a);
}

static void
leave(struct tis *t)
{
	if (t->entered && t->ops->leave != NULL)
		t->ops->leave(t->arg);
	t->entered = false;
}

/* The process's turn, then the locality's. */
static enum tis_result
take(struct tis *t, int64_t patience)
{
	struct wait w = wait_for(t, patience);
	enum tis_result r;
	uint8_t a;

	for (before_look(t, &w); t->ops->enter != NULL && !t->ops->enter(t->arg);
	     before_look(t, &w))
		if (!after_look(t, &w))
			return TIS_BUSY;
	t->entered = true;
	if ((r = read_access(t, &a)) != TIS_OK)
		return r;
	if ((a & TIS_SEIZED) != 0) /* of a time before */
		command(t, TIS_ACCESS, TIS_SEIZED);
	/* Active already: a process that held it died. */
	if ((a & TIS_ACTIVE) == 0)
		command(t, TIS_ACCESS, TIS_REQUEST);
	w.us = PAUSE_FIRST;
	do {
		before_look(t, &w);
		a = access_now(t);
		if (!access_valid(a))
			return TIS_ABSENT;
		if ((a & TIS_ACTIVE) != 0) {
			t->held = true;
			return TIS_OK;
		}
		if ((a & TIS_SEIZED) != 0) /* it was ours, for a moment */
			return TIS_TAKEN;
	} while (after_look(t, &w));
	command(t, TIS_ACCESS, TIS_ACTIVE); /* no longer asked for */
	return TIS_BUSY;
}

static enum tis_result
make_ready(struct tis *t)
{
	enum tis_result r = TIS_TIMEOUT;

	for (int i = 0; i < READY_TRIES && r == TIS_TIMEOUT; i++) {
		command(t, TIS_STS, TIS_READY);
		r = wait_status(t, TIS_READY, TIS_READY, TIMEOUT_B);
	}
	return r;
}

static enum tis_result
write_bytes(struct tis *t, const uint8_t *p, size_t len, int64_t until)
{
	enum tis_result r;
	size_t n;

	while (len > 0) {
		if ((r = burst(t, len, &n)) != TIS_OK)
			return r;
		len -= n;
		while (n-- > 0)
			command(t, TIS_FIFO, *p++);
		if (len > 0 && t->ops->now(t->arg) > until)
			return TIS_TIMEOUT;
	}
	return TIS_OK;
}

/* The status is valid, and the TPM expects more bytes, or not. */
static enum tis_result
check_status(struct tis *t, uint8_t bit, bool set)
{
	enum tis_result r = wait_status(t, TIS_STS_VALID, TIS_STS_VALID, TIMEOUT_C);

	if (r != TIS_OK)
		return r;
	if (((t->ops->read32(t->arg, TIS_STS) & bit) != 0) != set)
		return blame(t, TIS_BROKEN);
	return TIS_OK;
}

static enum tis_result
begin(struct tis *t, const uint8_t *p, size_t len)
{
	int64_t until = t->ops->now(t->arg) + TRANSFER;
	enum tis_result r = make_ready(t);

	if (r == TIS_OK)
		t->tpm2 = (t->ops->read32(t->arg, TIS_STS) >> 24 & TIS_FAMILY) == TIS_FAMILY_2;
	if (r == TIS_OK)
		r = write_bytes(t, p, len - 1, until);
	if (r == TIS_OK)
		r = check_status(t, TIS_EXPECT, true);
	if (r == TIS_OK)
		r = write_bytes(t, p + len - 1, 1, until);
	if (r == TIS_OK)
		r = check_status(t, TIS_EXPECT, false);
	if (r == TIS_OK)
		r = blame(t, TIS_OK); /* it is ours up to here */
	if (r != TIS_OK)
		return r;
	command(t, TIS_STS, TIS_GO);
	t->until = t->ops->now(t->arg) + COMMAND;
	return TIS_OK;
}

enum tis_result
tis_send(struct tis *t, const uint8_t *p, size_t len, int64_t patience)
{
	enum tis_result r;

	if (len < TIS_HEADER || len > TIS_MAX || tis_size(p) != len)
		return TIS_BAD_COMMAND;
	r = take(t, patience);
	if (r == TIS_OK)
		r = begin(t, p, len);
	if (r != TIS_OK)
		tis_end(t);
	return r;
}

enum tis_result
tis_wait(struct tis *t, int64_t timeout)
{
	int64_t left = t->until - t->ops->now(t->arg);
	bool all = timeout < 0 || timeout > left;
	struct wait w = wait_for(t, all ? left : timeout);
	enum tis_result r = TIS_OK;
	uint32_t sts;

	if (!t->held)
		return TIS_CANCELED;
	do {
		before_look(t, &w);
		sts = t->ops->read32(t->arg, TIS_STS);
		if ((sts & TIS_NEVER_STS) != 0)
			r = blame(t, TIS_BROKEN);
		else if ((sts & TIS_READY) != 0)
			r = blame(t, TIS_CANCELED);
		else if ((sts & (TIS_STS_VALID | TIS_DATA)) == (TIS_STS_VALID | TIS_DATA))
			return TIS_OK;
		else
			r = blame(t, TIS_OK);
	} while (r == TIS_OK && after_look(t, &w));
	if (r == TIS_OK && (r = blame(t, TIS_LATER)) == TIS_LATER) {
		if (!all)
			return r;
		(void)tis_cancel(t);
		r = TIS_TIMEOUT;
	}
	tis_end(t);
	return r;
}

static enum tis_result
read_bytes(struct tis *t, uint8_t *p, size_t len, int64_t until)
{
	enum tis_result r;
	size_t n;

	while (len > 0) {
		/* Without data before the end: it is shorter than it said. */
		if ((r = check_status(t, TIS_DATA, true)) != TIS_OK ||
		    (r = burst(t, len, &n)) != TIS_OK)
			return r;
		if (n == len && n > 1)
			n--; /* the last one only once it is seen to be there */
		len -= n;
		while (n-- > 0)
			*p++ = t->ops->read8(t->arg, TIS_FIFO);
		if (len > 0 && t->ops->now(t->arg) > until)
			return TIS_TIMEOUT;
	}
	return TIS_OK;
}

static enum tis_result
receive_once(struct tis *t, uint8_t *p, size_t size, size_t *ret_len)
{
	int64_t until = t->ops->now(t->arg) + TRANSFER;
	uint8_t header[TIS_HEADER];
	enum tis_result r = read_bytes(t, header, sizeof(header), until);
	size_t len;

	if (r != TIS_OK)
		return r;
	len = tis_size(header);
	if (len < sizeof(header) || len > TIS_MAX)
		return blame(t, TIS_BROKEN);
	if (len > size)
		return blame(t, TIS_TOO_BIG);
	memcpy(p, header, sizeof(header));
	r = read_bytes(t, p + sizeof(header), len - sizeof(header), until);
	if (r == TIS_OK)
		r = check_status(t, TIS_DATA, false);
	if (r == TIS_OK)
		r = blame(t, TIS_OK); /* it was ours up to here: these are its bytes */
	*ret_len = len;
	return r;
}

enum tis_result
tis_receive(struct tis *t, uint8_t *response, size_t size, size_t *ret_len)
{
	enum tis_result r;

	if (!t->held)
		return TIS_CANCELED;
	r = receive_once(t, response, size, ret_len);
	for (int i = 1; i < TRIES && (r == TIS_BROKEN || r == TIS_TIMEOUT); i++) {
		command(t, TIS_STS, TIS_RETRY); /* from its beginning */
		r = receive_once(t, response, size, ret_len);
	}
	tis_end(t);
	return r;
}

enum tis_result
tis_cancel(struct tis *t)
{
	if (!t->held)
		return TIS_CANCELED;
	if (t->tpm2)
		command(t, TIS_STS + 3, TIS_CANCEL);
	else
		command(t, TIS_STS, TIS_READY);
	return TIS_OK;
}

void
tis_end(struct tis *t)
{
	if (t->held) {
		command(t, TIS_STS, TIS_READY);
		command(t, TIS_ACCESS, TIS_ACTIVE);
	}
	t->held = false;
	leave(t);
}

enum tis_result
tis_exchange(struct tis *t, const uint8_t *p, size_t len, int64_t patience, uint8_t *response,
    size_t size, size_t *ret_len)
{
	enum tis_result r = tis_send(t, p, len, patience);

	if (r == TIS_OK)
		r = tis_wait(t, -1);
	if (r == TIS_OK)
		r = tis_receive(t, response, size, ret_len);
	return r;
}

size_t
tis_size(const uint8_t h[TIS_HEADER])
{
	return (size_t)h[2] << 24 | (size_t)h[3] << 16 | (size_t)h[4] << 8 | h[5];
}

const char *
tis_text(enum tis_result r)
{
	switch (r) {
	case TIS_OK:
		return "no error";
	case TIS_LATER:
		return "the TPM is still at it";
	case TIS_ABSENT:
		return "no TPM answers behind this page: is the address right, and the page this "
		       "domain's?";
	case TIS_BUSY:
		return "another locality or process does not give the TPM back: stop it, or try "
		       "again";
	case TIS_TAKEN:
		return "another locality seized the TPM meanwhile: see who drives it there";
	case TIS_TIMEOUT:
		return "the TPM does not answer in time: restart the machine if it stays so";
	case TIS_CANCELED:
		return "the command was given up: is the page used by two?";
	case TIS_BROKEN:
		return "the TPM breaks its protocol: restart the machine if it stays so";
	case TIS_TOO_BIG:
		return "the TPM's response is larger than there is room for";
	case TIS_BAD_COMMAND:
		break;
	}
	return "the command's length is not what it says";
}
