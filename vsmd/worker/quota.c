/* quota.c - see quota.h */
#include "vsmd/worker/quota.h"

#include <stdatomic.h>
#include <time.h>

#include "vsmd/worker/gate.h"

#define SECOND 1000000000ull
#define WINDOW 128 /* places where a bucket may lie */

struct bucket {
	_Atomic uint64_t key;  /* 0: never used */
	_Atomic uint64_t full; /* ns of CLOCK_MONOTONIC when it is full again */
	_Atomic uint64_t told; /* the same, of the last refusal that was told of */
	_Atomic uint32_t refused; /* since then */
};

/* What one principal has. */
struct region {
	struct bucket crowded; /* of refusals for want of a bucket */
	struct bucket all[QUOTA_BUCKETS];
};

struct table {
	_Atomic uint64_t principals[QUOTA_PRINCIPALS]; /* 0: nobody's yet */
	uint8_t reserved[4096 - 8 * QUOTA_PRINCIPALS];
	struct region regions[QUOTA_PRINCIPALS];
};

_Static_assert(sizeof(struct table) == GATE_QUOTA_SIZE, "the place in the gate file");
_Static_assert(GATE_QUOTA >= GATE_MADE_FIRST + GATE_MADE_MAX * sizeof(struct gate_made),
    "nothing lies in it twice");

uint64_t
quota_key(uint64_t key, const void *p, size_t len)
{
	const uint8_t *b = p;

	/* FNV-1a */
	key ^= 0xcbf29ce484222325u;
	for (size_t i = 0; i < len; i++)
		key = (key ^ b[i]) * 0x100000001b3u;
	return key ? key : 1;
}

/*
 * The principal's region, which it keeps as long as the file is there.  Only where there are
 * more principals than regions do some have one together.
 */
static struct region *
region(struct gate_file *f, uint64_t principal)
{
	struct table *t = (struct table *)(void *)((uint8_t *)f->shared + GATE_QUOTA);

	for (size_t i = 0; i < QUOTA_PRINCIPALS; i++) {
		uint64_t old = atomic_load(&t->principals[i]);

		if (old == principal || (old == 0 && (atomic_compare_exchange_strong(
							  &t->principals[i], &old, principal) ||
							 old == principal)))
			return &t->regions[i];
	}
	return &t->regions[principal % QUOTA_PRINCIPALS];
}

/* One that is full again tells nothing that a new one would not tell. */
static bool
take_over(struct bucket *b, uint64_t key, uint64_t now)
{
	uint64_t old = atomic_load(&b->key);

	if (old != 0 && atomic_load(&b->full) > now)
		return false;
	if (!atomic_compare_exchange_strong(&b->key, &old, key))
		return old == key;
	atomic_store(&b->told, 0);
	atomic_store(&b->refused, 0);
	return true;
}

/* The bucket of `key`.  NULL: it has none, and where one might lie all are in use. */
static struct bucket *
find(struct region *r, uint64_t key, uint64_t now)
{
	for (size_t i = 0; i < WINDOW; i++) {
		struct bucket *b = &r->all[(key + i) % QUOTA_BUCKETS];
		uint64_t old = atomic_load(&b->key);

		if (old == key)
			return b;
		if (old == 0) /* nor does it lie behind a place that was never used */
			break;
	}
	for (size_t i = 0; i < WINDOW; i++) {
		struct bucket *b = &r->all[(key + i) % QUOTA_BUCKETS];

		if (take_over(b, key, now))
			return b;
	}
	return NULL;
}

/* False: it is empty. */
static bool
take(struct bucket *b, uint64_t step, uint32_t burst, uint64_t now)
{
	uint64_t full = atomic_load(&b->full), next;

	do {
		next = (full > now ? full : now) + step;
		if (next - now > step * (burst ? burst : 1))
			return false;
	} while (!atomic_compare_exchange_weak(&b->full, &full, next));
	return true;
}

bool
quota_take_at(struct gate_file *f, uint64_t principal, uint64_t key, uint32_t rate,
    uint32_t burst, uint64_t now)
{
	struct region *r;

	if (rate == 0)
		return true;
	r = region(f, principal);
	for (;;) {
		struct bucket *b = find(r, key, now);
		bool taken;

		if (b == NULL)
			return false;
		taken = take(b, SECOND / rate, burst, now);
		if (atomic_load(&b->key) == key)
			return taken;
		/* It was full, and another key has taken it over just then. */
		if (taken)
			atomic_fetch_sub(&b->full, SECOND / rate);
	}
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

bool
quota_take(
    struct gate_file *f, uint64_t principal, uint64_t key, uint32_t rate, uint32_t burst)
{
	return quota_take_at(f, principal, key, rate, burst, now_ns());
}

void
quota_give(struct gate_file *f, uint64_t principal, uint64_t key, uint32_t rate)
{
	struct bucket *b;

	if (rate > 0 && (b = find(region(f, principal), key, now_ns())) != NULL)
		atomic_fetch_sub(&b->full, SECOND / rate);
}

uint32_t
quota_refused_at(struct gate_file *f, uint64_t principal, uint64_t key, uint64_t now)
{
	struct region *r = region(f, principal);
	struct bucket *b = find(r, key, now);
	uint64_t told;

	if (b == NULL)
		b = &r->crowded;
	told = atomic_load(&b->told);
	atomic_fetch_add(&b->refused, 1);
	/* A time to come is nobody's of us. */
	if (told != 0 && told <= now && now - told < SECOND)
		return 0;
	if (!atomic_compare_exchange_strong(&b->told, &told, now))
		return 0;
	return atomic_exchange(&b->refused, 0);
}

uint32_t
quota_refused(struct gate_file *f, uint64_t principal, uint64_t key)
{
	return quota_refused_at(f, principal, key, now_ns());
}
