/* daemon.c - see daemon.h */
#include "caas/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "caas/client.h"
#include "caas/cmd.h"
#include "caas/procs.h"

#define STEP 20	       /* ms between looks */
#define REPORT 5000    /* ms between lines while waiting */
#define REAP_MOST 1000 /* ms for others to reap a zombie */
#define LOG_TAIL 2048

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
pause_ms(int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};

	nanosleep(&t, NULL);
}

/* The pid file holds pid and start time; the process need not live. */
static bool
pid_file_read(const struct place *p, struct proc *ret)
{
	unsigned long long start;
	FILE *f = fopen(p->pid, "re");
	int pid, n;

	*ret = (struct proc){0};
	if (f == NULL)
		return false;
	n = fscanf(f, "%d %llu", &pid, &start);
	fclose(f);
	if (n != 2 || pid <= 1)
		return false;
	ret->pid = pid;
	ret->start = start;
	return true;
}

static int
pid_file_write(const struct place *p, pid_t pid)
{
	struct proc self;
	FILE *f;
	int rc;

	if (!proc_read(pid, &self))
		return -1;
	f = fopen(p->pid, "we");
	if (f == NULL)
		return -1;
	rc = fprintf(f, "%d %llu\n", (int)pid, (unsigned long long)self.start);
	return fclose(f) == 0 && rc > 0 ? 0 : -1;
}

pid_t
daemon_running(const struct place *p)
{
	struct proc vsmd;

	return pid_file_read(p, &vsmd) && proc_alive(&vsmd) ? vsmd.pid : 0;
}

static void
become_daemon(const struct place *p, const char *program, int log)
{
	int null = open("/dev/null", O_RDONLY);

	if (setsid() < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		_exit(127);
	close_range(3, ~0u, 0);
	signal(SIGPIPE, SIG_DFL);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("JOURNAL_STREAM");
	if (chdir("/") == 0)
		execl(program, "vsmd", "-c", p->conf, (char *)NULL);
	dprintf(
	    STDERR_FILENO, "error caas: cannot run %s: %s\n", program, strerror(errno));
	_exit(127);
}

/* What vsmd said since it was started, so that nobody has to look for the log. */
static void
show_log(const struct place *p, off_t from)
{
	char text[LOG_TAIL + 1];
	int fd = open(p->log, O_RDONLY | O_CLOEXEC);
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	ssize_t n = 0;

	if (end - from > LOG_TAIL)
		from = end - LOG_TAIL;
	if (fd >= 0)
		n = pread(fd, text, LOG_TAIL, from);
	if (n > 0)
		fprintf(stderr, "%.*s", (int)n, text);
	if (fd >= 0)
		close(fd);
}

/* 1 it serves, 0 not in time, -1 it has ended. */
static int
wait_serving(const struct place *p, pid_t pid, int timeout)
{
	int64_t begin = now_ms(), told = begin, now;

	for (;;) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return -1;
		if (client_probe(p->address, 1000) != 0)
			return 1;
		now = now_ms();
		if (now - begin >= timeout)
			return 0;
		if (now - told >= REPORT) {
			told = now;
			cmd_note("waiting for vsmd to serve at %s (%d s)", p->address,
			    (int)((now - begin) / 1000));
		}
		pause_ms(STEP);
	}
}

int
daemon_start(const struct place *p, const char *program, int timeout)
{
	int log = open(p->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), up;
	off_t from = log < 0 ? 0 : lseek(log, 0, SEEK_END);
	pid_t pid;

	if (log < 0)
		return cmd_fail("cannot write %s: %s", p->log, strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become_daemon(p, program, log);
	close(log);
	if (pid < 0)
		return cmd_fail("cannot start a process: %s", strerror(errno));
	if (pid_file_write(p, pid) < 0) {
		kill(pid, SIGTERM);
		return cmd_fail("cannot write %s: %s", p->pid, strerror(errno));
	}
	up = wait_serving(p, pid, timeout);
	if (up == 1)
		return CMD_OK;
	show_log(p, from);
	if (up == 0)
		daemon_stop(p, 2000);
	else
		unlink(p->pid);
	return cmd_fail("vsmd %s: see above and %s",
	    up == 0 ? "does not serve yet, so it was stopped" : "ended at its start",
	    p->log);
}

static bool
all_gone(const struct proc *procs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (proc_alive(&procs[i]))
			return false;
	return true;
}

static bool
wait_gone(const struct proc *procs, size_t n, int timeout)
{
	int64_t begin = now_ms(), told = begin, now;

	while (!all_gone(procs, n)) {
		/* One that we started ourselves is a zombie until it is waited for. */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		now = now_ms();
		if (now - begin >= timeout)
			return false;
		if (now - told >= REPORT) {
			told = now;
			cmd_note("waiting for vsmd to end (%d s)",
			    (int)((now - begin) / 1000));
		}
		pause_ms(STEP);
	}
	return true;
}

/* Whoever looks at ps after us should find nothing; but a first process that does not
 * reap, as in some containers, is not waited for long. */
static void
wait_reaped(const struct proc *p)
{
	int64_t begin = now_ms();

	while (proc_listed(p) && now_ms() - begin < REAP_MOST) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		pause_ms(STEP);
	}
}

int
daemon_stop(const struct place *p, int timeout)
{
	struct proc vsmd, *procs;
	bool led, gone;
	size_t n;

	if (!pid_file_read(p, &vsmd))
		return CMD_OK;
	led = proc_alive(&vsmd);
	procs = procs_of_session(vsmd.pid, &n);
	if (led)
		proc_signal(&vsmd, SIGTERM);
	else
		/* Its leader is dead: only what is surely ours. */
		for (size_t i = 0; i < n; i++)
			if (strncmp(procs[i].name, "vsmd", 4) == 0 &&
			    procs[i].start > vsmd.start)
				proc_signal(&procs[i], SIGTERM);
			else
				procs[i].start = 0;
	gone = wait_gone(procs, n, timeout);
	if (!gone) {
		free(procs);
		procs = procs_of_session(vsmd.pid, &n);
		for (size_t i = 0; i < n && led; i++)
			proc_signal(&procs[i], SIGKILL);
		gone = wait_gone(procs, n, 5000);
		cmd_note("vsmd did not end in time: it was killed");
	}
	for (size_t i = 0; i < n && gone; i++)
		wait_reaped(&procs[i]);
	free(procs);
	return gone ? CMD_OK
		    : cmd_fail(
			  "processes of session %d do not end: see ps", (int)vsmd.pid);
}
