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

static bool wiped; /* the kernel empties the page in a child */
static pid_t owner;

void
fork_watch(void)
{
	owner = getpid();
	wiped = sysconf(_SC_PAGESIZE) == PAGE &&
	    madvise(&watched, sizeof(watched), MADV_WIPEONFORK) == 0;
	atomic_store(&watched.ours, true);
}

void
fork_unwatch(void)
{
	atomic_store(&watched.ours, false);
	if (wiped)
		(void)madvise(&watched, sizeof(watched), MADV_KEEPONFORK);
	wiped = false;
}

bool
fork_happened(void)
{
	if (wiped)
		return !atomic_load_explicit(&watched.ours, memory_order_acquire);
	return getpid() != owner;
}
