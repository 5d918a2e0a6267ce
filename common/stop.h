/* stop.h - how a daemon with a poll loop is asked to stop. */
#ifndef CAAS_COMMON_STOP_H
#define CAAS_COMMON_STOP_H

/*
 * A descriptor, close-on-exec, that is readable once SIGTERM or SIGINT came; both are blocked
 * from then on, in threads and children that are made later too, and SIGPIPE is ignored.  Ends
 * the process with a message when it fails.  Once, before there are threads.
 */
int stop_signals(void);

#endif
