/* counters.c - see counters.h */
#include "vsmd/metrics/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define US 1000ull
#define MS 1000000ull
#define RESERVED UINT32_MAX /* a cell whose worker's pid is not yet known */

const uint64_t counters_bounds[COUNTERS_BOUNDS] = {10 * US, 25 * US, 50 * US, 100 * US,
    250 * US, 500 * US, 1 * MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS, 100 * MS, 250 * MS,
    1000 * MS, 10000 * MS};

int
counters_make(void)
{
	int fd = memfd_create("vsmd-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING), saved;

	if (fd < 0)
		return -1;
	/* Nobody can make it shorter under who reads it. */
	if (ftruncate(fd, sizeof(struct counters)) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

struct counters *
counters_map(int fd)
{
	void *p = mmap(NULL, sizeof(struct counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p != MAP_FAILED ? p : NULL;
}

void
counters_copy(int fd, struct counters *ret)
{
	if (fd < 0 || pread(fd, ret, sizeof(*ret), 0) != (ssize_t)sizeof(*ret))
		memset(ret, 0, sizeof(*ret));
}

unsigned
counters_cell_take(struct counters *c)
{
	for (unsigned i = 0; c != NULL && i < COUNTERS_CELLS; i++) {
		uint32_t none = 0;

		if (atomic_compare_exchange_strong(&c->cells[i].pid, &none, RESERVED)) {
			atomic_store(&c->cells[i].sessions, 0);
			return i;
		}
	}
	return COUNTERS_NO_CELL;
}

void
counters_cell_is(struct counters *c, unsigned cell, pid_t pid)
{
	if (c != NULL && cell < COUNTERS_CELLS)
		atomic_store(&c->cells[cell].pid, (uint32_t)(pid > 0 ? pid : 0));
}

void
counters_cell_free(struct counters *c, pid_t pid)
{
	for (unsigned i = 0; c != NULL && i < COUNTERS_CELLS; i++) {
		uint32_t owner = (uint32_t)pid;

		if (atomic_compare_exchange_strong(&c->cells[i].pid, &owner, 0))
			return;
	}
}

void
counters_cells_clear(struct counters *c)
{
	for (unsigned i = 0; c != NULL && i < COUNTERS_CELLS; i++)
		atomic_store(&c->cells[i].pid, 0);
}

static void
add(_Atomic uint64_t *n, uint64_t more)
{
	(void)atomic_fetch_add_explicit(n, more, memory_order_relaxed);
}

static void
time_add(struct counters_time *t, uint64_t ns)
{
	unsigned i = 0;

	while (i < COUNTERS_BOUNDS && ns > counters_bounds[i])
		i++;
	add(&t->buckets[i], 1);
	add(&t->sum, ns);
}

static struct counters_shard *
shard(struct counters *c, unsigned cell)
{
	return &c->shards[cell % COUNTERS_SHARDS];
}

void
counters_request(struct counters *c, unsigned cell, enum call_class class,
    uint64_t queue_ns, uint64_t execution_ns, bool failed)
{
	if (c == NULL || (unsigned)class >= COUNTERS_CLASSES)
		return;
	time_add(&shard(c, cell)->classes[class].queue, queue_ns);
	time_add(&shard(c, cell)->classes[class].execution, execution_ns);
	if (failed)
		add(&shard(c, cell)->classes[class].failed, 1);
}

void
counters_add(struct counters *c, unsigned cell, enum counter which)
{
	if (c != NULL)
		add(&shard(c, cell)->others[which], 1);
}

void
counters_sessions(struct counters *c, unsigned cell, size_t n)
{
	if (c != NULL && cell < COUNTERS_CELLS)
		atomic_store_explicit(&c->cells[cell].sessions,
		    n < UINT32_MAX ? (uint32_t)n : UINT32_MAX, memory_order_relaxed);
}

uint64_t
counters_plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void
gather(uint64_t *sum, const _Atomic uint64_t *n)
{
	*sum = counters_plus(*sum, atomic_load_explicit(n, memory_order_relaxed));
}

void
counters_read(const struct counters *c, struct counters_sum *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned s = 0; c != NULL && s < COUNTERS_SHARDS; s++) {
		const struct counters_shard *from = &c->shards[s];

		for (unsigned k = 0; k < COUNTERS_CLASSES; k++) {
			for (unsigned i = 0; i < COUNTERS_BUCKETS; i++) {
				gather(&ret->classes[k].queue[i],
				    &from->classes[k].queue.buckets[i]);
				gather(&ret->classes[k].execution[i],
				    &from->classes[k].execution.buckets[i]);
			}
			gather(&ret->classes[k].queue_sum, &from->classes[k].queue.sum);
			gather(&ret->classes[k].execution_sum, &from->classes[k].execution.sum);
			gather(&ret->classes[k].failed, &from->classes[k].failed);
		}
		for (unsigned i = 0; i < COUNTER_COUNT; i++)
			gather(&ret->others[i], &from->others[i]);
	}
}

uint32_t
counters_sessions_of(const struct counters *c, pid_t pid, uint32_t max)
{
	for (unsigned i = 0; c != NULL && pid > 0 && i < COUNTERS_CELLS; i++)
		if (atomic_load_explicit(&c->cells[i].pid, memory_order_relaxed) ==
		    (uint32_t)pid) {
			uint32_t n = atomic_load_explicit(
			    &c->cells[i].sessions, memory_order_relaxed);

			return n < max ? n : max;
		}
	return 0;
}

static bool
is_empty(const struct counters_sum *sum, unsigned class)
{
	static const struct counters_sum nothing;

	return memcmp(&sum->classes[class], &nothing.classes[class],
		   sizeof(nothing.classes[class])) == 0;
}

void
counters_sum_write(struct buf *b, const struct counters_sum *sum)
{
	uint8_t n = 0;

	for (unsigned k = 0; k < COUNTERS_CLASSES; k++)
		n += !is_empty(sum, k);
	buf_put_u8(b, n);
	for (unsigned k = 0; k < COUNTERS_CLASSES; k++) {
		if (is_empty(sum, k))
			continue;
		buf_put_u8(b, (uint8_t)k);
		for (unsigned i = 0; i < COUNTERS_BUCKETS; i++)
			buf_put_u64(b, sum->classes[k].queue[i]);
		for (unsigned i = 0; i < COUNTERS_BUCKETS; i++)
			buf_put_u64(b, sum->classes[k].execution[i]);
		buf_put_u64(b, sum->classes[k].queue_sum);
		buf_put_u64(b, sum->classes[k].execution_sum);
		buf_put_u64(b, sum->classes[k].failed);
	}
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		buf_put_u64(b, sum->others[i]);
}

bool
counters_sum_read(struct buf *b, struct counters_sum *ret)
{
	unsigned n = buf_get_u8(b);

	memset(ret, 0, sizeof(*ret));
	for (; n > 0 && buf_ok(b); n--) {
		unsigned k = buf_get_u8(b);

		if (k >= COUNTERS_CLASSES) {
			buf_fail(b);
			break;
		}
		for (unsigned i = 0; i < COUNTERS_BUCKETS; i++)
			ret->classes[k].queue[i] = buf_get_u64(b);
		for (unsigned i = 0; i < COUNTERS_BUCKETS; i++)
			ret->classes[k].execution[i] = buf_get_u64(b);
		ret->classes[k].queue_sum = buf_get_u64(b);
		ret->classes[k].execution_sum = buf_get_u64(b);
		ret->classes[k].failed = buf_get_u64(b);
	}
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		ret->others[i] = buf_get_u64(b);
	return buf_ok(b);
}
