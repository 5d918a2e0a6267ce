/* loop.h - caas-agent's one loop: accept, connect, relay, stop. */
#ifndef CAAS_AGENT_LOOP_H
#define CAAS_AGENT_LOOP_H

#include "vchan-transport/agent/connector.h"
#include "vchan-transport/agent/options.h"

/* Until `signals` (a signalfd) is readable.  Then the listener is closed, what is held is
 * given a second to get through, and all connections end; as they do at once whenever `watch`
 * (transport_watch(), may be NULL) says so. */
void loop_run(const struct options *o, struct listener *l, struct connector *c,
    struct couple_watch *watch, int signals);

#endif
