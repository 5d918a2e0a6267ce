/* workers.c - which applications a nursery has, by what it says of them. */
#include <stdlib.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "common/log.h"
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

bool
workers_exited(struct super *s, struct nursery *n, pid_t pid, int status)
{
	struct worker *w = find(n, pid);

	if (w == NULL)
		return false;
	/* SIGKILL is how workers end with their nursery. */
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		log_error(
		    "a worker was killed by signal %d (%s)%s pid=%d slot=%u principal=%s",
		    WTERMSIG(status), strsignal(WTERMSIG(status)),
		    WTERMSIG(status) == SIGSYS ? ": a system call outside its confinement"
					       : "",
		    (int)pid, n->slot, w->principal);
	else
		log_debug("worker ended pid=%d slot=%u principal=%s status=%d", (int)pid,
		    n->slot, w->principal, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
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
