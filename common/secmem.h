/*
 * secmem.h - the one allocator for secrets: PINs, master keys, tickets.
 *
 * Memory from here is locked (never swapped), left out of core dumps, empty in
 * a forked child (MADV_WIPEONFORK), guarded by inaccessible pages, and wiped
 * before it is given back.  Where the lock limit does not allow locking, the
 * memory is handed out all the same and sec_locked() says so: a daemon logs it
 * once at start.
 *
 * Threads: all functions may be called by any thread.
 */
#ifndef CAAS_COMMON_SECMEM_H
#define CAAS_COMMON_SECMEM_H

#include <stdbool.h>
#include <stddef.h>

/* `size` zeroed bytes (size > 0), or NULL with errno set. */
void *sec_alloc(size_t size);
/* Wipe and release; NULL is allowed. */
void sec_free(void *p);
/* False once an allocation could not be locked. */
bool sec_locked(void);

/* Overwrite with zeroes in a way that the compiler keeps.  Any memory. */
void sec_wipe(void *p, size_t len);
/* Compare in time that depends on `len` alone.  Any memory. */
bool sec_equal(const void *a, const void *b, size_t len);

#endif
