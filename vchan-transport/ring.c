/* ring.c - see ring.h */
#include "vchan-transport/ring.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert((RING_SIZE & (RING_SIZE - 1)) == 0, "an index wraps where the ring does");

/* Sequentially consistent, as all that is done to indices and sleeping words here: who
 * drowses and then looks, and who moves an index and then looks who sleeps, must not both
 * see what was before. */
static uint32_t
theirs(const struct ring_side *side)
{
	return atomic_load(&side->index);
}

static uint32_t
own(const struct ring_end *end)
{
	return atomic_load_explicit(&end->mine, memory_order_relaxed);
}

static void
move(struct ring_end *end, struct ring_side *side, size_t n)
{
	uint32_t index = own(end) + (uint32_t)n;

	atomic_store_explicit(&end->mine, index, memory_order_relaxed);
	atomic_store(&side->index, index);
}

ssize_t
ring_used(const struct ring_end *consumer)
{
	uint32_t used = theirs(&consumer->ring->produced) - own(consumer);

	return used <= RING_SIZE ? (ssize_t)used : -1;
}

ssize_t
ring_room(const struct ring_end *producer)
{
	uint32_t used = own(producer) - theirs(&producer->ring->consumed);

	return used <= RING_SIZE ? (ssize_t)(RING_SIZE - used) : -1;
}

/* Of n bytes from index `at` on, those before the end of the memory. */
static size_t
straight(uint32_t at, size_t n)
{
	size_t left = RING_SIZE - at % RING_SIZE;

	return n < left ? n : left;
}

/* 0: not known. */
static uint32_t
cpu(void)
{
	return (uint32_t)(sched_getcpu() + 1);
}

bool
ring_apart(const struct ring_end *consumer)
{
	uint32_t there =
	    atomic_load_explicit(&consumer->ring->produced.cpu, memory_order_relaxed);

	return there != 0 && there != cpu();
}

ssize_t
ring_put(struct ring_end *producer, const void *p, size_t len)
{
	uint8_t *data = producer->ring->data;
	uint32_t at = own(producer);
	ssize_t room = ring_room(producer);
	size_t n, first;

	if (room <= 0)
		return room;
	n = len < (size_t)room ? len : (size_t)room;
	first = straight(at, n);
	memcpy(data + at % RING_SIZE, p, first);
	memcpy(data, (const uint8_t *)p + first, n - first);
	atomic_store_explicit(&producer->ring->produced.cpu, cpu(), memory_order_relaxed);
	move(producer, &producer->ring->produced, n);
	return (ssize_t)n;
}

ssize_t
ring_get(struct ring_end *consumer, void *p, size_t len)
{
	uint8_t *data = consumer->ring->data;
	uint32_t at = own(consumer);
	ssize_t used = ring_used(consumer);
	size_t n, first;

	if (used <= 0)
		return used;
	n = len < (size_t)used ? len : (size_t)used;
	first = straight(at, n);
	memcpy(p, data + at % RING_SIZE, first);
	memcpy((uint8_t *)p + first, data, n - first);
	explicit_bzero(data + at % RING_SIZE, first);
	explicit_bzero(data, n - first);
	move(consumer, &consumer->ring->consumed, n);
	return (ssize_t)n;
}

void
ring_drowse(_Atomic uint32_t *sleep, enum ring_sleep how)
{
	atomic_store(sleep, how);
}

void
ring_awake(_Atomic uint32_t *sleep)
{
	atomic_store(sleep, RING_AWAKE);
}

bool
ring_sleep(_Atomic uint32_t *sleep, int ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};
	long rc = syscall(SYS_futex, sleep, FUTEX_WAIT, RING_FUTEX, &ts, NULL, 0);

	return rc == 0 || errno == EAGAIN;
}

bool
ring_sleeps_for_bell(_Atomic uint32_t *sleep)
{
	return atomic_load(sleep) == RING_BELL;
}

enum ring_sleep
ring_wake(_Atomic uint32_t *sleep)
{
	uint32_t how = atomic_load(sleep);

	if (how == RING_AWAKE)
		return RING_AWAKE;
	/* One of those who look wakes it; it may have woken by itself. */
	how = atomic_exchange(sleep, RING_AWAKE);
	if (how == RING_FUTEX)
		(void)syscall(SYS_futex, sleep, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	return how == RING_FUTEX || how == RING_BELL ? how : RING_AWAKE;
}
