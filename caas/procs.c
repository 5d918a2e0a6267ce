/* procs.c - see procs.h */
#include "caas/procs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool
proc_parse(const char *stat, struct proc *ret)
{
	const char *open = strchr(stat, '('), *close = strrchr(stat, ')');
	unsigned long long start;
	int pid, session;
	size_t len;

	*ret = (struct proc){0};
	if (open == NULL || close == NULL || close < open)
		return false;
	/* Fields 3 to 22: state, ppid, pgrp, session, 15 that we pass over, starttime. */
	if (sscanf(stat, "%d", &pid) != 1 ||
	    sscanf(close + 1,
		" %c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
		"%*d %llu",
		&ret->state, &session, &start) != 3)
		return false;
	ret->pid = pid;
	ret->session = session;
	ret->start = start;
	len = (size_t)(close - open - 1);
	if (len >= sizeof(ret->name))
		len = sizeof(ret->name) - 1;
	memcpy(ret->name, open + 1, len);
	return true;
}

bool
proc_read(pid_t pid, struct proc *ret)
{
	char path[64], text[1024];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return proc_parse(text, ret);
}

struct proc *
procs_of_session(pid_t session, size_t *ret_count)
{
	DIR *d = opendir("/proc");
	struct proc *all = NULL, *grown, one;
	struct dirent *e;
	size_t n = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		char *end;
		long pid = strtol(e->d_name, &end, 10);

		if (pid <= 0 || *end != '\0' || !proc_read((pid_t)pid, &one) ||
		    one.session != session || one.state == 'Z')
			continue;
		grown = realloc(all, (n + 1) * sizeof(*all));
		if (grown == NULL)
			break;
		all = grown;
		all[n++] = one;
	}
	if (d != NULL)
		closedir(d);
	*ret_count = n;
	return all;
}

bool
proc_listed(const struct proc *p)
{
	struct proc now;

	return proc_read(p->pid, &now) && now.start == p->start;
}

bool
proc_alive(const struct proc *p)
{
	struct proc now;

	return proc_read(p->pid, &now) && now.start == p->start && now.state != 'Z';
}

/* The descriptor pins the process between the check and the signal. */
void
proc_signal(const struct proc *p, int sig)
{
	int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);

	if (fd < 0)
		return;
	if (proc_alive(p))
		syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
	close(fd);
}
