/* secmem.c - see secmem.h */
#include "common/secmem.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * Each secret has a mapping of its own: guard page, data, guard page.  Secrets
 * are few and live long, so the cost of a mapping does not matter; what runs on
 * past its pages faults.  The size stands at the start of the data pages.
 */
struct head {
	size_t mapped; /* whole mapping, guards included */
	size_t size;
};

#define HEAD 64 /* keeps what follows aligned for any type */

static atomic_bool unlocked;

static size_t
page(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

void *
sec_alloc(size_t size)
{
	size_t pg = page(), inner, mapped;
	struct head *h;
	char *p;

	if (size == 0 || size > SIZE_MAX - HEAD - 4 * pg) {
		errno = EINVAL;
		return NULL;
	}
	inner = (size + HEAD + pg - 1) / pg * pg;
	mapped = inner + 2 * pg;
	p = mmap(NULL, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (mprotect(p + pg, inner, PROT_READ | PROT_WRITE) != 0) {
		munmap(p, mapped);
		return NULL;
	}
	if (mlock(p + pg, inner) != 0)
		atomic_store(&unlocked, true);
	(void)madvise(p + pg, inner, MADV_DONTDUMP);
	(void)madvise(p + pg, inner, MADV_WIPEONFORK);
	h = (struct head *)(void *)(p + pg);
	h->mapped = mapped;
	h->size = size;
	return p + pg + HEAD;
}

void
sec_free(void *p)
{
	struct head *h;
	size_t mapped;

	if (p == NULL)
		return;
	h = (struct head *)(void *)((char *)p - HEAD);
	mapped = h->mapped;
	if (mapped == 0) /* a forked child's empty copy: its size is gone too */
		return;
	sec_wipe(p, h->size);
	munmap((char *)h - page(), mapped);
}

bool
sec_locked(void)
{
	return !atomic_load(&unlocked);
}

void
sec_wipe(void *p, size_t len)
{
	if (len > 0)
		explicit_bzero(p, len);
}

bool
sec_equal(const void *a, const void *b, size_t len)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= x[i] ^ y[i];
	return diff == 0;
}
