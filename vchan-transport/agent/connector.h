/*
 * connector.h - opens channels upstream, one after the other, beside the loop.
 *
 * Connecting may take as long as its deadline, and the connections that are there must
 * not wait for it; so a thread does it.  Who left before its turn came is passed over.  The loop hands in an application's connection
 * and gets it back joined with a channel.
 *
 * Threads: connector_submit() and connector_result() are the loop's.
 */
#ifndef CAAS_AGENT_CONNECTOR_H
#define CAAS_AGENT_CONNECTOR_H

#include "vchan-transport/transport.h"

struct connector;

/* The thread blocks all signals.  address stays the caller's and must stay; timeout in
 * milliseconds for each channel, at most `max` requests are outstanding.  NULL with errno
 * on failure. */
struct connector *connector_new(const char *address, int timeout, size_t max);
/* Readable while there are results. */
int connector_fd(const struct connector *c);
/* Takes the connection.  False: there are `max` already, it stays the caller's. */
bool connector_submit(struct connector *c, struct channel *local,
    const struct peer *peer);
/* False when no request is done.  *ret_upstream NULL: there was no channel (*ret_err,
 * ECANCELED when the application left); *ret_local is the caller's again in any case. */
bool connector_result(struct connector *c, struct channel **ret_local,
    struct channel **ret_upstream, struct peer *ret_peer, int *ret_err);

#endif
