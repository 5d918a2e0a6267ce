/*
 * fake_xen.h - libxenvchan inside one process, for machines without Xen.
 *
 * The rings have Xen's layout and rules (asynchronous events, notification bits, one
 * client per ring, XenStore entries that a close removes), so that vchan.c runs as it
 * would.  A test can also do what a hostile or dying peer does.
 */
#ifndef TESTS_FAKE_XEN_H
#define TESTS_FAKE_XEN_H

#include <stdbool.h>

#include "vchan-transport/vchan.h"

/* The ring most recently connected, as its server and its client hold it. */
struct libxenvchan *fake_server(void);
struct libxenvchan *fake_client(void);
/* libxenvchan_server_init() fails until told otherwise. */
void fake_no_grants(bool yes);
/* How many clients found a ring that was another's already. */
int fake_refused(void);
/* What XenStore tells of this domain and the one it is coupled with: 5 and 5 at first.
 * COUPLE_NONE: nothing.  One watch at a time is told. */
void fake_couple(uint32_t self, uint32_t peer);
/* What this domain has said last of whom it has channels to. */
const char *fake_told(void);
/* XenStore does not answer us, or libxenvchan's client, until told otherwise. */
void fake_silent(bool us, bool client);
/* Signal the other side of `ring`. */
void fake_notify(struct libxenvchan *ring);

#endif
