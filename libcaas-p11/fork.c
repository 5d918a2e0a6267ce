/* fork.c - see fork.h */
#include "libcaas-p11/fork.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#define PAGE 4096

/* A page of the module's own zero data: nothing to allocate, gone with dlclose(). */
static union {
	atomic_bool ours;
	uint8_t page[PAGE];
} watched __attribute__((aligned(PAGE)));

/* A child's threads may ask while one of them says that it is "we" now. */
static atomic_bool wiped; /* the kernel empties the page in a child */
static _Atomic pid_t owner;

void
fork_watch(void)
{
	atomic_store(&wiped, sysconf(_SC_PAGESIZE) == PAGE &&
	    madvise(&watched, sizeof(watched), MADV_WIPEONFORK) == 0);
	atomic_store(&watched.ours, true);
	atomic_store(&owner, getpid());
}

void
fork_unwatch(void)
{
	atomic_store(&watched.ours, false);
	if (atomic_exchange(&wiped, false))
		(void)madvise(&watched, sizeof(watched), MADV_KEEPONFORK);
}

bool
fork_happened(void)
{
	if (atomic_load_explicit(&wiped, memory_order_acquire))
		return !atomic_load_explicit(&watched.ours, memory_order_acquire);
	return getpid() != atomic_load_explicit(&owner, memory_order_acquire);
}
