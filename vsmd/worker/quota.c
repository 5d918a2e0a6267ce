/* quota.c - see quota.h */
#include "vsmd/worker/quota.h"

#include <stdatomic.h>
#include <time.h>

#include "vsmd/worker/gate.h"

#define SECOND 1000000000ull
#define WINDOW 16 /* places where a bucket may lie */

struct bucket {
	_Atomic uint64_t key;  /* 0: free */
	_Atomic uint64_t full; /* ns of CLOCK_MONOTONIC when it is full again */
	_Atomic uint64_t told; /* the same, of the last refusal that was told of */
	_Atomic uint32_t refused; /* since then */
};

#define BUCKETS ((GATE_SIZE - GATE_QUOTA) / sizeof(struct bucket))

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

/* The bucket of `key`; a full one may be taken over, since a new one is full as well. */
static struct bucket *
find(struct gate_file *f, uint64_t key, uint64_t now)
{
	struct bucket *table = (struct bucket *)((uint8_t *)f->shared + GATE_QUOTA), *b;

	for (size_t i = 0; i < WINDOW; i++) {
		b = &table[(key + i) % BUCKETS];
		if (atomic_load(&b->key) == key)
			return b;
	}
	for (size_t i = 0; i < WINDOW; i++) {
		uint64_t old;

		b = &table[(key + i) % BUCKETS];
		old = atomic_load(&b->key);
		if ((old == 0 || atomic_load(&b->full) <= now) &&
		    atomic_compare_exchange_strong(&b->key, &old, key)) {
			atomic_store(&b->told, 0);
			atomic_store(&b->refused, 0);
			return b;
		}
	}
	return &table[key % BUCKETS]; /* crowded: two share one, which is the stricter */
}

bool
quota_take_at(struct gate_file *f, uint64_t key, uint32_t rate, uint32_t burst, uint64_t now)
{
	uint64_t step, full, next;
	struct bucket *b;

	if (rate == 0)
		return true;
	step = SECOND / rate;
	b = find(f, key, now);
	full = atomic_load(&b->full);
	do {
		next = (full > now ? full : now) + step;
		if (next - now > step * (burst ? burst : 1))
			return false;
	} while (!atomic_compare_exchange_weak(&b->full, &full, next));
	return true;
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

bool
quota_take(struct gate_file *f, uint64_t key, uint32_t rate, uint32_t burst)
{
	return quota_take_at(f, key, rate, burst, now_ns());
}

void
quota_give(struct gate_file *f, uint64_t key, uint32_t rate)
{
	if (rate > 0)
		atomic_fetch_sub(&find(f, key, now_ns())->full, SECOND / rate);
}

uint32_t
quota_refused_at(struct gate_file *f, uint64_t key, uint64_t now)
{
	struct bucket *b = find(f, key, now);
	uint64_t told = atomic_load(&b->told);

	atomic_fetch_add(&b->refused, 1);
	/* A time to come is nobody's of us. */
	if (told != 0 && told <= now && now - told < SECOND)
		return 0;
	if (!atomic_compare_exchange_strong(&b->told, &told, now))
		return 0;
	return atomic_exchange(&b->refused, 0);
}

uint32_t
quota_refused(struct gate_file *f, uint64_t key)
{
	return quota_refused_at(f, key, now_ns());
}
