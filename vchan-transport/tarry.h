/*
 * tarry.h - before who waits for the other side sleeps, he looks for what he waits for.
 *
 * To sleep and to be woken takes longer than a short answer does, and where a processor that has
 * nothing to do halts, on a virtual machine, many times as long.  So he looks for it for about as
 * long as sleeping costs, and yields between two looks.  He stops when somebody else was on the
 * processor meanwhile.  After it was in vain it is left out, four times as often after each further
 * time: who waits for what takes long, or on a machine that is busy, sleeps nearly as if this were
 * not here.
 *
 * Threads: any; one looks, and those who come meanwhile are told false.  Fork: where one looks in
 * the parent, nobody does in the child any more.
 */
#ifndef CAAS_TRANSPORT_TARRY_H
#define CAAS_TRANSPORT_TARRY_H

#include <stdatomic.h>
#include <stdbool.h>

#define TARRY_LEFT_OUT 255 /* times in a row, at most */

struct tarry {
	atomic_bool taken;
	atomic_uint left_out; /* so many times from now on */
	atomic_uint vain;     /* by two more for each time in vain, by one less for each other */
};

/* True: there(arg) is.  False: at once, after 50 us, or when somebody else has had the processor,
 * however long that was. */
bool tarry(struct tarry *t, bool (*there)(void *arg), void *arg);

#endif
