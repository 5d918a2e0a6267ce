/* child.c - how every process of ours begins. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/log.h"
#include "common/proctitle.h"
#include "vsmd/confine/confine.h"
#include "vsmd/supervisor/super.h"

pid_t
child_fork(struct super *s, const char *name, const int *keep, size_t nkeep)
{
	pid_t parent = getpid(), pid;
	sigset_t all, before;

	(void)s;
	/* No signal may meet the parent's handlers in the child. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid != 0) {
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
		if (pid < 0)
			log_error("cannot fork %s: %s", name, strerror(errno));
		else
			(void)setpgid(pid, pid); /* whoever of the two comes first */
		return pid;
	}
	signals_child();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	/* Its own group: the terminal's ^C is for the supervisor alone, and whoever this
	 * process forks can be ended with it. */
	(void)setpgid(0, 0);
	log_name(name);
	proctitle_set(name, NULL);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (confine_keep_fds(keep, nkeep) < 0)
		log_fatal(
		    "cannot close the supervisor's descriptors: %s", strerror(errno));
	return 0;
}
