/* confine.h - what caas-agent gives up once it has what it needs. */
#ifndef CAAS_AGENT_CONFINE_H
#define CAAS_AGENT_CONFINE_H

/* Sanitizers need system calls that a relay does not; gcc and clang say in ways of their own
 * that there is one. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CONFINE_UNFILTERED 1
#elif defined(__has_feature)
#define CONFINE_UNFILTERED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define CONFINE_UNFILTERED 0
#endif

/* No core dumps, no new privileges, and only the system calls of a relay, for all
 * threads.  Ends the process with a message when it fails. */
void confine_calls(void);

#endif
