/* ticket.c - see ticket.h */
#include "libcaas-p11/ticket.h"

#include <string.h>
#include <sys/mman.h>

#include "common/secmem.h"
#include "protocol/resume.h"

void
ticket_set(struct ticket *t, uint8_t user, const uint8_t *bytes, size_t len)
{
	void *p;

	ticket_drop(t);
	if (len == 0 || len > RESUME_MAX_TICKET)
		return;
	p = mmap(NULL, RESUME_MAX_TICKET, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return;
	(void)mlock(p, RESUME_MAX_TICKET);
	(void)madvise(p, RESUME_MAX_TICKET, MADV_DONTDUMP);
	memcpy(p, bytes, len);
	t->page = p;
	t->mapped = RESUME_MAX_TICKET;
	t->user = user;
	atomic_store(&t->len, len);
}

void
ticket_drop(struct ticket *t)
{
	uint8_t *page = t->page;

	atomic_store(&t->len, 0);
	t->page = NULL;
	if (page != NULL) {
		sec_wipe(page, t->mapped);
		(void)munmap(page, t->mapped);
	}
}
