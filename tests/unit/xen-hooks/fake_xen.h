/*
 * fake_xen.h - a hypervisor and a XenStore for tests, in which each call may fail, or be the last
 * before the process is killed.
 */
#ifndef CAAS_TESTS_FAKE_XEN_H
#define CAAS_TESTS_FAKE_XEN_H

#include <sys/types.h>

#include "xen-hooks/domtd/operate.h"

#define FAKE_DOMAINS 16
#define FAKE_RECORDS 8
#define FAKE_LOG 4096

struct fake_domain {
	struct xen_domain d;
	bool is, paused;
	int64_t peer, domt; /* what it is told, -1: nothing */
};

struct fake_xen {
	struct xen xen;
	struct fake_domain domains[FAKE_DOMAINS];
	char names[FAKE_RECORDS][PAIR_NAME];
	char records[FAKE_RECORDS][RECORD_MAX + 1]; /* "": none */
	uint32_t next_domid;
	enum xen_xsm xsm;
	uint32_t self;

	int64_t ring_for; /* the domid that DomC's ring is for, -1: there is none */
	int serve_after;  /* pauses until DomC, when it runs and is told, has one; -1: never */
	int end_after;	  /* pauses until every DomC that runs has ended; -1: never */
	int close_after;  /* pauses until DomU, told of nobody, has no channel open; -1: never */
	bool restored;	  /* the last build was of a stream */
	int saved_fd;	  /* of the last save, -1 */

	/* The call of that number from now fails, and, when `killed', all after it do, as if
	 * the process had ended in it; 0: none. */
	int fail_at;
	bool killed;
	int calls;

	/* Where it is memory that processes share: a pause lasts as long as this is set, and who
	 * is in one. */
	volatile bool hold, hold_save; /* hold_save: so does a save */
	volatile pid_t holding;

	char log[FAKE_LOG]; /* "build domc 1\n..." of what changes the world */
	char why[64];
};

void fake_init(struct fake_xen *f);
/* How another process, that has the memory mapped, calls it. */
void fake_attach(struct fake_xen *f, struct xen *ret);
/* One more domain that runs. */
uint32_t fake_add(struct fake_xen *f, const char *name, uint8_t uuid);
struct fake_domain *fake_domain(struct fake_xen *f, const char *name);
/* The record of a pair, as JSON; NULL. */
const char *fake_record(const struct fake_xen *f, const char *pair);
/* As somebody else would: without domtd. */
void fake_destroy(struct fake_xen *f, const char *name);

#endif
