/* stop.c - see stop.h */
#include "common/stop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

#include "common/log.h"

int
stop_signals(void)
{
	sigset_t stop;
	int fd;

	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTERM);
	(void)sigaddset(&stop, SIGINT);
	if (sigprocmask(SIG_BLOCK, &stop, NULL) < 0 ||
	    (fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		log_fatal("signalfd: %s", strerror(errno));
	(void)signal(SIGPIPE, SIG_IGN);
	return fd;
}
