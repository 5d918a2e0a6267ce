/*
 * order.h - which mistake a call is told about first.
 *
 * A call may be wrong in several ways at once.  For all that reaches the worker, the
 * token library decides; a session or a slot that does not exist has no worker, and then
 * this says what the token library would: most of its functions look at pointers first.
 *
 * Threads: no state.
 */
#ifndef CAAS_P11_ORDER_H
#define CAAS_P11_ORDER_H

#include <stdbool.h>

#include "protocol/calls.h"

/* A pointer that the call needs is NULL, and is looked at before session and slot are. */
bool order_pointers_bad(const struct call *call, const struct arg *args);

#endif
