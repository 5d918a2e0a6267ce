/* loglimit.c - see loglimit.h */
#include "common/loglimit.h"

#include <time.h>

#define WHOLE ((int64_t)LOG_BURST * LOG_EVERY)

int64_t
loglimit_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static _Atomic int64_t *
bucket(struct log_limit *l, const char *who)
{
	uint32_t hash = 0x811c9dc5; /* FNV-1a */

	for (; *who != '\0'; who++)
		hash = (hash ^ (uint8_t)*who) * 0x01000193;
	return &l->full[(hash ^ hash >> 16) % LOG_BUCKETS];
}

/* The first since long: others will follow, and it is told of them together. */
static void
leave_out(struct log_limit *l, int64_t now)
{
	int64_t told = atomic_load(&l->told);

	if (atomic_fetch_add(&l->left_out, 1) == 0 && (told > now || told <= now - LOG_EVERY))
		(void)atomic_compare_exchange_strong(&l->told, &told, now);
}

bool
loglimit_take(struct log_limit *l, const char *who, int64_t now)
{
	_Atomic int64_t *full = bucket(l, who);
	int64_t old = atomic_load(full), next;

	do {
		/* A time that no line has made counts for nothing. */
		next = (old > now && old <= now + WHOLE ? old : now) + LOG_EVERY;
		if (next > now + WHOLE) {
			leave_out(l, now);
			return false;
		}
	} while (!atomic_compare_exchange_weak(full, &old, next));
	return true;
}

int
loglimit_wait(const struct log_limit *l, int64_t now)
{
	int64_t told = atomic_load(&l->told);

	if (atomic_load(&l->left_out) == 0)
		return -1;
	if (told > now || told <= now - LOG_EVERY)
		return 0;
	return (int)(LOG_EVERY - (now - told));
}

uint32_t
loglimit_tell(struct log_limit *l, int64_t now)
{
	int64_t told = atomic_load(&l->told);

	/* Of several that come at once one tells. */
	if (loglimit_wait(l, now) != 0 || !atomic_compare_exchange_strong(&l->told, &told, now))
		return 0;
	return atomic_exchange(&l->left_out, 0);
}
