/* workers.c - which applications a nursery has, by what it says of them. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/msg.h"
#include "vsmd/supervisor/super.h"

bool
workers_handed_over(struct nursery *n, const char *principal)
{
	char(*bigger)[GRANT_NAME];

	bigger = reallocarray(n->starting.principals, n->starting.n + 1, GRANT_NAME);
	if (bigger == NULL)
		return false;
	n->starting.principals = bigger;
	memset(bigger[n->starting.n], 0, GRANT_NAME);
	memcpy(bigger[n->starting.n++], principal, strnlen(principal, GRANT_NAME - 1));
	return true;
}

/* Nurseries answer in the order of what they were handed. */
static bool
next_starting(struct nursery *n, char principal[GRANT_NAME])
{
	if (n->starting.n == 0)
		return false;
	memcpy(principal, n->starting.principals[0], GRANT_NAME);
	memmove(n->starting.principals, n->starting.principals + 1,
	    --n->starting.n * GRANT_NAME);
	return true;
}

bool
workers_started(struct super *s, struct nursery *n, pid_t pid)
{
	struct worker *bigger;
	char principal[GRANT_NAME];

	if (pid <= 0 || !next_starting(n, principal))
		return false;
	bigger = reallocarray(n->workers.list, n->workers.n + 1, sizeof(*bigger));
	if (bigger == NULL) {
		limits_drop(s, principal);
		return false;
	}
	n->workers.list = bigger;
	bigger[n->workers.n].pid = pid;
	memcpy(bigger[n->workers.n++].principal, principal, GRANT_NAME);
	log_debug(
	    "worker started pid=%d slot=%u principal=%s", (int)pid, n->slot, principal);
	return true;
}

bool
workers_failed(struct super *s, struct nursery *n, const char *why)
{
	char principal[GRANT_NAME], quoted[512];

	if (!next_starting(n, principal))
		return false;
	if (log_may(principal))
		log_error("no worker could be made: %s slot=%u principal=%s",
		    log_quote(quoted, sizeof(quoted), why, strlen(why)), n->slot, principal);
	limits_drop(s, principal);
	return true;
}

static struct worker *
find(const struct nursery *n, pid_t pid)
{
	for (size_t i = 0; i < n->workers.n; i++)
		if (n->workers.list[i].pid == pid)
			return &n->workers.list[i];
	return NULL;
}

bool
workers_of_slot(const struct super *s, uint32_t slot)
{
	for (const struct nursery *n = s->nurseries; n != NULL; n = n->next)
		if (n->slot == slot && n->workers.n + n->starting.n > 0)
			return true;
	return false;
}

bool
workers_of(const struct nursery *n, pid_t pid)
{
	return find(n, pid) != NULL;
}

/* All are counted, also those of which the log does not tell. */
static void
tally(struct super *s, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;

	s->tally[NUMBER_SUPERVISOR_WORKER_FAILURES] +=
	    WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL;
	s->tally[NUMBER_SUPERVISOR_WORKER_BREACHES] += code == M_WORKER_BREACH;
	s->tally[NUMBER_SUPERVISOR_WORKERS_GAVE_UP] += code == M_WORKER_GAVE_UP;
}

bool
workers_exited(struct super *s, struct nursery *n, pid_t pid, int status)
{
	struct worker *w = find(n, pid);

	if (w == NULL)
		return false;
	/* SIGKILL is how workers end with their nursery. */
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
		if (log_may(w->principal))
			log_error("a worker was killed by signal %d (%s)%s pid=%d slot=%u "
				  "principal=%s",
			    WTERMSIG(status), strsignal(WTERMSIG(status)),
			    WTERMSIG(status) == SIGSYS
				? ": a system call outside its confinement" : "",
			    (int)pid, n->slot, w->principal);
	} else
		log_debug("worker ended pid=%d slot=%u principal=%s status=%d", (int)pid,
		    n->slot, w->principal, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	tally(s, status);
	limits_drop(s, w->principal);
	*w = n->workers.list[--n->workers.n];
	return true;
}

void
workers_forget_all(struct super *s, struct nursery *n)
{
	for (size_t i = 0; i < n->starting.n; i++)
		limits_drop(s, n->starting.principals[i]);
	for (size_t i = 0; i < n->workers.n; i++)
		limits_drop(s, n->workers.list[i].principal);
	free(n->starting.principals);
	free(n->workers.list);
	memset(&n->starting, 0, sizeof(n->starting));
	memset(&n->workers, 0, sizeof(n->workers));
}

uint32_t
workers_count(const struct super *s, uint32_t slot)
{
	uint32_t count = 0;

	for (const struct nursery *n = s->nurseries; n != NULL; n = n->next)
		if (n->slot == slot)
			count += (uint32_t)n->workers.n;
	return count;
}

static uint32_t
sessions_of(const struct super *s, const struct counters *counters, const struct worker *w)
{
	return counters_sessions_of(
	    counters, w->pid, config_settings(s->config)->max_sessions);
}

uint64_t
workers_sessions(
    const struct super *s, const struct slot *slot, const struct counters *counters)
{
	uint64_t sessions = 0;

	for (const struct nursery *n = s->nurseries; n != NULL; n = n->next)
		for (size_t i = 0; n->slot == slot->id && i < n->workers.n; i++)
			sessions += sessions_of(s, counters, &n->workers.list[i]);
	return sessions;
}

uint32_t
workers_most_sessions(const struct super *s)
{
	static struct counters counters; /* large */
	uint32_t most = 0;

	for (const struct nursery *n = s->nurseries; n != NULL; n = n->next) {
		const struct slot *slot = slot_find(s, n->slot);

		if (slot == NULL || n->workers.n == 0)
			continue;
		counters_copy(slot->counters, &counters);
		for (size_t i = 0; i < n->workers.n; i++) {
			uint32_t sessions = sessions_of(s, &counters, &n->workers.list[i]);

			most = sessions > most ? sessions : most;
		}
	}
	return most;
}

/* The number behind so many blanks in /proc/PID/`file` (behind the last parenthesis, if there is
 * one: a name may hold anything); -1: the kernel does not say. */
static int64_t
number_of(pid_t pid, const char *file, unsigned blanks)
{
	char path[64], text[1024], *at;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return -1;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	if ((at = strrchr(text, ')')) == NULL)
		at = text;
	for (; blanks > 0 && at != NULL; blanks--)
		if ((at = strchr(at, ' ')) != NULL)
			at++;
	return at != NULL && *at >= '0' && *at <= '9' ? strtoll(at, NULL, 10) : -1;
}

static int64_t
most_of(const struct super *s, const char *file, unsigned blanks)
{
	int64_t most = -1;

	for (const struct nursery *n = s->nurseries; n != NULL; n = n->next)
		for (size_t i = 0; i < n->workers.n; i++) {
			int64_t number = number_of(n->workers.list[i].pid, file, blanks);

			most = number > most ? number : most;
		}
	return most;
}

int64_t
workers_most_memory(const struct super *s)
{
	int64_t pages = most_of(s, "statm", 5); /* of data and stack */

	return pages < 0 ? -1 : pages * (sysconf(_SC_PAGESIZE) / 1024);
}

int64_t
workers_most_threads(const struct super *s)
{
	return most_of(s, "stat", 18);
}
