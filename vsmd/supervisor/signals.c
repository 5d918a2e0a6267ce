/*
 * signals.c - signals become bytes in a pipe, and so events of the loop.
 *
 * Not a signalfd: that needs signals blocked, and swtpm would inherit the mask.  The
 * handler's pipe and pid are the only mutable globals of the supervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/supervisor/super.h"

static volatile int pipe_in = -1;
static volatile pid_t pipe_owner;

static const int caught[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
#define NCAUGHT (sizeof(caught) / sizeof(caught[0]))

static void
handler(int sig)
{
	uint8_t byte = (uint8_t)sig;
	int saved = errno;

	/* A child between fork and signals_child() must not speak for its parent. */
	if (getpid() == pipe_owner && write(pipe_in, &byte, 1) < 0) {
		/* Full: the loop wakes all the same. */
	}
	errno = saved;
}

static void
on_pipe(struct super *s, struct watch *w, uint32_t events)
{
	uint8_t bytes[64];
	ssize_t n;

	(void)events;
	while ((n = read(w->fd, bytes, sizeof(bytes))) > 0)
		for (ssize_t i = 0; i < n; i++) {
			s->signalled_stop |= bytes[i] == SIGTERM || bytes[i] == SIGINT;
			s->signalled_reload |= bytes[i] == SIGHUP;
			s->signalled_child |= bytes[i] == SIGCHLD;
		}
}

int
signals_init(struct super *s)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
	int fds[2];

	s->signals.fd = -1;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	pipe_in = fds[1];
	pipe_owner = getpid();
	s->signals.ready = on_pipe;
	if (watch_add(s, &s->signals, fds[0], EPOLLIN) < 0)
		return -1;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < NCAUGHT; i++)
		if (sigaction(caught[i], &sa, NULL) < 0)
			return -1;
	sa.sa_handler = SIG_IGN;
	return sigaction(SIGPIPE, &sa, NULL);
}

void
signals_child(void)
{
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;

	sigemptyset(&sa.sa_mask);
	sigemptyset(&none);
	for (size_t i = 0; i < NCAUGHT; i++)
		(void)sigaction(caught[i], &sa, NULL);
	(void)sigaction(SIGPIPE, &sa, NULL);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

void
signals_close(struct super *s)
{
	int fd;

	signals_child();
	if ((fd = watch_remove(s, &s->signals)) >= 0)
		close(fd);
	if (pipe_in >= 0)
		close(pipe_in);
	pipe_in = -1;
}

void
signals_reap(struct super *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!store_exited(s, pid, status) && !tpm_exited(s, pid, status) &&
		    !nurseries_exited(s, pid, status) && !admin_exited(s, pid, status) &&
		    !vchan_exited(s, pid, status) && !metrics_exited(s, pid, status))
			log_debug("an orphan ended pid=%d", (int)pid);
}
