/* confine.h - what caas-agent gives up once it has what it needs. */
#ifndef CAAS_AGENT_CONFINE_H
#define CAAS_AGENT_CONFINE_H

/* Each ends the process with a message when it fails.  confine_user() before threads. */
void confine_user(const char *user);
/* No core dumps, no new privileges, and only the system calls of a relay, for all
 * threads. */
void confine_calls(void);

#endif
