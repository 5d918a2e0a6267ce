/*
 * loop.h - domt-tpmd's one loop: the builder, the crypto domains it tells of, and rounds of their
 * questions.
 *
 * The builder's newest connection is the only one.  Each pair of the world has an address of its
 * own, so that who comes in there is its crypto domain, and no other; the hypervisor, or the mode
 * of the socket, sees to that.  A pair has LOOP_PER_PAIR channels; one more takes the place of
 * the one that was silent for longest.
 *
 * A round takes one question of each channel that has one; so nobody waits for more than one
 * question of each other channel.  What changes the state costs its pair a token of a bucket: a
 * pair without one waits, and no other.  And each extension of the TPM's NV memory, which wears, is
 * taken from a budget (wear.h): while that is spent, all changes wait for the next one, and share it.
 *
 * Threads: none but this.
 */
#ifndef CAAS_TPMD_LOOP_H
#define CAAS_TPMD_LOOP_H

#include "xen-hooks/tpmd/serve.h"

#define LOOP_PER_PAIR 4
#define LOOP_CLIENTS  1024 /* channels in all */
#define LOOP_BURST    64   /* changes of one pair at once */

struct loop_config {
	const char *sockets; /* directory, or NULL: vchan */
	uint32_t builder;    /* domid */
	unsigned writes;     /* a second, of one pair; 0: no limit */
	unsigned extensions; /* of the TPM, a day; 0: no limit */
	const char *note;    /* what the builder is told with each answer, or "" */
	int signals;	     /* readable: the end */
};

struct loop;

/* Listens for the builder.  NULL with a line on the log. */
struct loop *loop_new(const struct loop_config *c, struct service *s, struct root *r);
/* Until `signals` is readable.  False: it cannot go on, after a line on the log. */
bool loop_run(struct loop *l);
void loop_free(struct loop *l);

#endif
