/* anchor.c - see anchor.h */
#include "vsmd/store/anchor.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "vsmd/store/clock.h"

#define PAUSE 100      /* ms between two tries, doubled each time */
#define TRIES_MAX 1000 /* more than the limit of wrong PINs can be (vsmd.conf) */

static const uint8_t origin_first[TPM_ANCHOR_LEN] = "caas anchor";
static const uint8_t origin_again[TPM_ANCHOR_LEN] = "caas anchor, made again";
static const uint8_t wrong_pin[TPM_ANCHOR_LEN] = "wrong SO PIN";

/* As the TPM extends. */
static void
after(uint8_t value[TPM_ANCHOR_LEN], const uint8_t digest[TPM_ANCHOR_LEN])
{
	struct part both[2] = {{value, TPM_ANCHOR_LEN}, {digest, TPM_ANCHOR_LEN}};
	uint8_t out[CRYPT_HASH];

	if (!crypt_hash(both, 2, out))
		log_fatal("store: libcrypto cannot hash: restarting");
	memcpy(value, out, TPM_ANCHOR_LEN);
}

static void
of_origin(uint8_t value[TPM_ANCHOR_LEN], const uint8_t origin[TPM_ANCHOR_LEN])
{
	memset(value, 0, TPM_ANCHOR_LEN);
	after(value, origin);
}

/* Made again, and since then extended for wrong PINs alone: how many; else false. */
static bool
made_again(const uint8_t value[TPM_ANCHOR_LEN], uint64_t *ret_tries)
{
	uint8_t v[TPM_ANCHOR_LEN];

	of_origin(v, origin_again);
	for (*ret_tries = 0; *ret_tries <= TRIES_MAX; ++*ret_tries) {
		if (memcmp(v, value, TPM_ANCHOR_LEN) == 0)
			return true;
		after(v, wrong_pin);
	}
	return false;
}

enum tpm_result
anchor_read(struct anchor *a)
{
	struct tpm_anchor_value now;
	enum tpm_result r = a->ops->read(a->arg, &now, a->why);
	uint64_t tries;

	a->gone = r == TPM_UNANCHORED;
	if (r != TPM_OK)
		return r;
	memcpy(a->value, now.value, TPM_ANCHOR_LEN);
	a->count = now.count;
	a->doubt = a->strayed = false;
	a->gone = made_again(a->value, &tries);
	return TPM_OK;
}

static int
define(struct anchor *a, const uint8_t origin[TPM_ANCHOR_LEN])
{
	uint8_t want[TPM_ANCHOR_LEN];

	if (a->ops->define(a->arg, origin, a->why) != TPM_OK || anchor_read(a) != TPM_OK)
		return -1;
	of_origin(want, origin);
	if (memcmp(a->value, want, TPM_ANCHOR_LEN) != 0) {
		snprintf(a->why, sizeof(a->why),
		    "the TPM gives a new anchor another value "
		    "than it must have: it cannot be used");
		return -1;
	}
	return 0;
}

int
anchor_define(struct anchor *a)
{
	if (define(a, origin_first) != 0)
		return -1;
	a->base = a->count;
	return 0;
}

/* A record's ANCHOR_KEY; false when the map has none. */
static bool
get(const struct map *m, uint8_t before[TPM_ANCHOR_LEN], uint64_t *ret_base)
{
	const uint8_t *p, *v;
	struct buf b;
	size_t len;

	*ret_base = 0;
	if ((p = map_get(m, ANCHOR_KEY, &len)) == NULL)
		return false;
	buf_view(&b, p, len);
	if ((v = buf_get_raw(&b, TPM_ANCHOR_LEN)) != NULL)
		memcpy(before, v, TPM_ANCHOR_LEN);
	*ret_base = buf_get_u64(&b);
	return buf_end(&b);
}

uint64_t
anchor_base(const struct map *m)
{
	uint8_t before[TPM_ANCHOR_LEN];
	uint64_t base;

	return get(m, before, &base) ? base : 0;
}

void
anchor_put(const struct anchor *a, struct txn *t)
{
	struct buf b;

	buf_init(&b, TPM_ANCHOR_LEN + 8);
	buf_put_raw(&b, a->value, TPM_ANCHOR_LEN);
	buf_put_u64(&b, a->base);
	if (buf_ok(&b))
		txn_put(t, ANCHOR_KEY, b.data, b.len);
	else
		t->failed = true;
	buf_free(&b);
}

static bool
digest_of(
    const struct store_keys *keys, const struct head *at, uint8_t digest[TPM_ANCHOR_LEN])
{
	struct part all;
	struct buf b;
	bool ok;

	buf_init(&b, STORE_ID + 16 + CRYPT_HASH);
	buf_put_raw(&b, at->store, STORE_ID);
	buf_put_u64(&b, at->generation);
	buf_put_u64(&b, at->sequence);
	buf_put_raw(&b, at->chain, CRYPT_HASH);
	all = (struct part){b.data, b.len};
	ok = buf_ok(&b) && crypt_mac(keys->anchor, &all, 1, digest);
	buf_free(&b);
	return ok;
}

bool
anchor_is_at(const struct anchor *a, const struct store_keys *keys, const struct map *m,
    const struct head *at)
{
	uint8_t value[TPM_ANCHOR_LEN], digest[TPM_ANCHOR_LEN];
	uint64_t base;
	size_t len;

	if (map_get(m, ANCHOR_KEY, &len) != NULL) {
		if (!get(m, value, &base) || !digest_of(keys, at, digest))
			return false;
		after(value, digest);
	} else {
		of_origin(value, origin_first);
	}
	return memcmp(value, a->value, TPM_ANCHOR_LEN) == 0;
}

/* What it holds is one of the two that we know of; else it has strayed. */
static bool
is_known(struct anchor *a, const uint8_t now[TPM_ANCHOR_LEN])
{
	if (memcmp(now, a->value, TPM_ANCHOR_LEN) == 0 ||
	    memcmp(now, a->next, TPM_ANCHOR_LEN) == 0)
		return true;
	a->strayed = true;
	snprintf(a->why, sizeof(a->why), "somebody else has written the TPM's anchor");
	return false;
}

static void
reached(struct anchor *a)
{
	memcpy(a->value, a->next, TPM_ANCHOR_LEN);
	a->doubt = false;
	a->writes++;
	a->last = clock_ms();
}

static void
pause_ms(unsigned ms)
{
	struct timespec ts = {
	    .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

/* Extend it until it holds `next`: a->doubt is set before. */
static int
extend(struct anchor *a, const uint8_t digest[TPM_ANCHOR_LEN])
{
	int64_t until = clock_ms() + a->patience;
	struct tpm_anchor_value now;
	unsigned ms = PAUSE;

	for (;;) {
		if (a->ops->extend(a->arg, digest, a->why) == TPM_OK) {
			reached(a);
			return 0;
		}
		/* Done or not?  Only it can say. */
		while (a->ops->read(a->arg, &now, a->why) != TPM_OK) {
			if (clock_ms() >= until)
				return -1;
			pause_ms(ms);
			ms *= 2;
		}
		a->count = now.count;
		if (!is_known(a, now.value))
			return -1;
		if (memcmp(now.value, a->next, TPM_ANCHOR_LEN) == 0) {
			reached(a);
			return 0;
		}
		if (clock_ms() >= until)
			return -1;
		pause_ms(ms);
		ms *= 2;
	}
}

int
anchor_advance(struct anchor *a, const struct store_keys *keys, const struct head *at)
{
	uint8_t digest[TPM_ANCHOR_LEN];

	if (a->doubt || a->strayed) {
		snprintf(a->why, sizeof(a->why), "the TPM is in doubt");
		return -1;
	}
	if (!digest_of(keys, at, digest)) {
		snprintf(a->why, sizeof(a->why), "no memory for a digest");
		return -1;
	}
	memcpy(a->next, a->value, TPM_ANCHOR_LEN);
	after(a->next, digest);
	a->doubt = true;
	return extend(a, digest);
}

int
anchor_settle(struct anchor *a)
{
	struct tpm_anchor_value now;

	if (!a->doubt && !a->strayed)
		return 0;
	if (a->ops->read(a->arg, &now, a->why) != TPM_OK || !is_known(a, now.value))
		return -1;
	memcpy(a->value, now.value, TPM_ANCHOR_LEN);
	a->count = now.count;
	a->doubt = a->strayed = false;
	return 0;
}

int
anchor_tries_begin(
    struct anchor *a, const struct map *m, unsigned limit, uint64_t *ret_tries)
{
	enum tpm_result r = anchor_read(a);

	if (r == TPM_UNANCHORED) {
		if (define(a, origin_again) != 0)
			return -1;
		a->gone = true;
		log_warn("the TPM's anchor was made again");
	} else if (r != TPM_OK) {
		return -1;
	}
	a->base = anchor_base(m);
	if (!made_again(a->value, ret_tries))
		*ret_tries = a->count - a->base;
	/* Without a limit they are not to go beyond what made_again() knows. */
	if (limit == 0 && *ret_tries >= TRIES_MAX)
		*ret_tries = TRIES_MAX - 1;
	return 0;
}

int
anchor_tries_count(struct anchor *a)
{
	uint64_t tries;

	if (a->gone && made_again(a->value, &tries)) {
		if (tries >= TRIES_MAX)
			return 0;
		memcpy(a->next, a->value, TPM_ANCHOR_LEN);
		after(a->next, wrong_pin);
		a->doubt = true;
		return extend(a, wrong_pin);
	}
	if (a->ops->count(a->arg, a->why) != TPM_OK)
		return -1;
	a->count++;
	return 0;
}

void
anchor_tries_forget(struct anchor *a)
{
	a->base = a->count;
	a->gone = false;
}
