/*
 * accepted.h - beginnings of operations that the worker has accepted on a slot.
 *
 * A beginning is known by a number, made of its call, key and mechanism: accepted_key().
 * There is a fixed number of places; one that falls on another's takes it.  All of them are
 * forgotten with the channel, and when the token's store has changed.
 *
 * Threads: those that take a const slot under any lock of the handles, the others under all.
 */
#ifndef CAAS_P11_ACCEPTED_H
#define CAAS_P11_ACCEPTED_H

#include "libcaas-p11/slots.h"
#include "protocol/message.h"

struct accepted; /* in a slot */

/* The number of this beginning.  0: it is none, or one that cannot be held. */
uint64_t accepted_key(const struct call *call, const struct arg *args);
/* It was accepted on the slot's present channel. */
bool accepted_has(const struct slot *slot, uint64_t key);
/* It was, when the store had this epoch.  Without memory it is not remembered. */
void accepted_add(struct slot *slot, uint64_t key, uint64_t epoch);
/* The length of the signature that it leads to; 0: unknown. */
CK_ULONG accepted_length(const struct slot *slot, uint64_t key);
void accepted_set_length(struct slot *slot, uint64_t key, CK_ULONG length);
/* An epoch that would end what is accepted; and: a reply says so. */
bool accepted_older(const struct slot *slot, uint64_t epoch);
void accepted_epoch(struct slot *slot, uint64_t epoch);
void accepted_forget(struct slot *slot);
void accepted_free(struct accepted *a);

#endif
