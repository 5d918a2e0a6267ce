/* ledger.c - see ledger.h */
#include "xen-hooks/tpmd/ledger.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vchan-transport/deadline.h"
#include "vsmd/store/crypt.h"
#include "vsmd/store/file.h"

#define PAUSE_MS     50 /* between two tries, doubled each time */
#define PAUSE_MAX_MS 400

static const uint8_t origin[TPM_ANCHOR_LEN] = "caas domt state";
static const char *const names[2] = {"state.0", "state.1"};

static int __attribute__((format(printf, 2, 3)))
fail(struct ledger *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why, sizeof(l->why), fmt, ap);
	va_end(ap);
	return -1;
}

/* What the TPM holds before the first commit. */
static void
of_origin(uint8_t value[TPM_ANCHOR_LEN])
{
	memset(value, 0, TPM_ANCHOR_LEN);
	tpm_anchor_after(value, origin);
}

static int
read_tpm(struct ledger *l, uint8_t value[TPM_ANCHOR_LEN])
{
	struct tpm_anchor_value now;

	if (l->tpm->read(l->tpm_arg, &now, l->why) != TPM_OK)
		return -1;
	memcpy(value, now.value, TPM_ANCHOR_LEN);
	return 0;
}

static void
be_empty(struct ledger *l)
{
	rows_free(&l->now);
	l->sequence = 0;
	l->turn = 1; /* the first commit takes the other */
}

int
ledger_make(struct ledger *l)
{
	uint8_t want[TPM_ANCHOR_LEN];

	of_origin(want);
	be_empty(l);
	if (l->tpm->define(l->tpm_arg, origin, l->why) != TPM_OK || read_tpm(l, l->value) < 0)
		return -1;
	if (memcmp(want, l->value, TPM_ANCHOR_LEN) != 0)
		return fail(l, "the TPM gives a new anchor another value than it must have: it "
			       "cannot be used");
	return 0;
}

static void
value_after(
    uint8_t ret[TPM_ANCHOR_LEN], const uint8_t before[TPM_ANCHOR_LEN], const uint8_t digest[32])
{
	memcpy(ret, before, TPM_ANCHOR_LEN);
	tpm_anchor_after(ret, digest);
}

/* The file of that turn is what the TPM says: l->now is then what it holds. */
static bool
is_state(struct ledger *l, unsigned turn, uint8_t *room)
{
	uint8_t before[TPM_ANCHOR_LEN], digest[CRYPT_HASH], after[TPM_ANCHOR_LEN];
	ssize_t len = file_load(l->dir, names[turn], room, LEDGER_FILE);
	struct part all = {room, len > 0 ? (size_t)len : 0};
	struct rows found;
	uint64_t sequence;

	if (len <= 0 || !crypt_hash(&all, 1, digest) ||
	    !ledger_parse(l->key, room, all.len, before, &sequence, &found))
		return false;
	value_after(after, before, digest);
	if (memcmp(after, l->value, TPM_ANCHOR_LEN) != 0) {
		rows_free(&found);
		return false;
	}
	rows_free(&l->now);
	l->now = found;
	l->sequence = sequence;
	l->turn = turn;
	return true;
}

int
ledger_open(struct ledger *l)
{
	uint8_t first[TPM_ANCHOR_LEN], *room;
	bool found;

	be_empty(l);
	if (read_tpm(l, l->value) < 0)
		return -1;
	of_origin(first);
	if (memcmp(first, l->value, TPM_ANCHOR_LEN) == 0)
		return 0;
	if ((room = malloc(LEDGER_FILE)) == NULL)
		return fail(l, "no memory for the state");
	found = is_state(l, 0, room) || is_state(l, 1, room);
	free(room);
	if (found)
		return 0;
	return fail(l, "neither state.0 nor state.1 is what the TPM says was the last state: an "
		       "older copy of the disk, or another's; bring back the right one");
}

void
ledger_close(struct ledger *l)
{
	rows_free(&l->now);
	rows_free(&l->next);
	l->changed = false;
}

const struct rows *
ledger_rows(const struct ledger *l)
{
	return l->changed ? &l->next : &l->now;
}

struct rows *
ledger_change(struct ledger *l)
{
	if (!l->changed && !rows_copy(&l->next, &l->now))
		return NULL;
	l->changed = true;
	return &l->next;
}

void
ledger_discard(struct ledger *l)
{
	l->changed = false;
}

/* Durable, in the place of the file that is not the state.  Its digest. */
static int
write_next(struct ledger *l, uint8_t digest[CRYPT_HASH])
{
	const char *name = names[!l->turn];
	int fd = -1, r = -1;
	struct part all;
	struct buf b;

	buf_init(&b, LEDGER_FILE);
	if (!ledger_format(l->key, l->value, l->sequence + 1, &l->next, &b)) {
		buf_free(&b);
		return fail(l, "the new state cannot be made: no memory, or it is too big");
	}
	all = (struct part){b.data, b.len};
	if (!crypt_hash(&all, 1, digest))
		(void)fail(l, "the new state cannot be hashed");
	else if ((fd = file_create(l->dir, name)) < 0 ||
		 file_write_at(fd, b.data, b.len, 0) < 0 || fsync(fd) < 0 || fsync(l->dir) < 0)
		(void)fail(l, "%s cannot be written: %s", name, strerror(errno));
	else
		r = 0;
	if (fd >= 0)
		(void)close(fd);
	buf_free(&b);
	return r;
}

static void
reached(struct ledger *l)
{
	struct rows before = l->now;

	memcpy(l->value, l->after, TPM_ANCHOR_LEN);
	l->now = l->next;
	l->next = before; /* its memory is used again */
	l->changed = l->doubt = false;
	l->turn = !l->turn;
	l->sequence++;
	l->commits++;
}

/* What the TPM holds is one of two values.  1: the new one; 0: the old one. */
static int
which(struct ledger *l)
{
	uint8_t value[TPM_ANCHOR_LEN];

	if (read_tpm(l, value) < 0)
		return -1;
	if (memcmp(value, l->after, TPM_ANCHOR_LEN) == 0)
		return 1;
	if (memcmp(value, l->value, TPM_ANCHOR_LEN) == 0)
		return 0;
	l->strayed = true;
	return fail(l, "somebody else has extended the TPM's anchor: does another DomT run with a "
		       "copy of this one's disk?");
}

static void
pause_a_while(struct timespec *pause)
{
	(void)nanosleep(pause, NULL);
	if (pause->tv_nsec < PAUSE_MAX_MS * 1000000L)
		pause->tv_nsec *= 2;
}

/* l->doubt is set.  Never a second extension while it is not known that the first was not done. */
static int
extend(struct ledger *l, const uint8_t digest[CRYPT_HASH])
{
	struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	int64_t until = deadline_at(l->patience);
	int found;

	while (l->tpm->extend(l->tpm_arg, digest, l->why) != TPM_OK) {
		while ((found = which(l)) < 0) {
			if (l->strayed || deadline_left(until) == 0)
				return -1;
			pause_a_while(&pause);
		}
		if (found == 1)
			break;
		if (deadline_left(until) == 0)
			return -1;
		pause_a_while(&pause);
	}
	reached(l);
	return 0;
}

int
ledger_commit(struct ledger *l)
{
	uint8_t digest[CRYPT_HASH];

	if (!l->changed)
		return 0;
	if (l->doubt || l->strayed)
		return fail(l, "what became of the last state is not known");
	if (write_next(l, digest) < 0) {
		ledger_discard(l);
		return -1;
	}
	value_after(l->after, l->value, digest);
	l->doubt = true;
	return extend(l, digest);
}

int
ledger_check(struct ledger *l)
{
	uint8_t value[TPM_ANCHOR_LEN];

	if (read_tpm(l, value) < 0)
		return -1;
	if (memcmp(value, l->value, TPM_ANCHOR_LEN) == 0)
		return 0;
	l->strayed = true;
	return fail(l, "somebody else has extended the TPM's anchor: does another DomT run with a "
		       "copy of this one's disk?");
}

int
ledger_settle(struct ledger *l)
{
	int found;

	if (l->strayed)
		return -1;
	if (!l->doubt)
		return 0;
	if ((found = which(l)) < 0)
		return -1;
	if (found == 1) {
		reached(l);
	} else {
		l->doubt = false;
		ledger_discard(l);
	}
	return 0;
}
