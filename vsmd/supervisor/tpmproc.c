/* tpmproc.c - the embedded TPM: started before the store, watched, stopped after it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/log.h"
#include "vsmd/supervisor/super.h"

#define BACKOFF 500 /* ms before the first restart, doubled each time */
#define DOUBLINGS 7
#define STABLE 60000

static int
start(struct super *s)
{
	const struct config_settings *c = config_settings(s->boot);
	char *dir;
	int rc;

	if (asprintf(&dir, "%s/tpm", c->state) < 0)
		return -1;
	rc = embedded_start(&s->tpm.tpm, dir, c->runtime);
	free(dir);
	s->tpm.since = now_ms();
	s->tpm.retry_at = NEVER;
	if (rc < 0)
		s->tpm.tpm.pid = 0;
	return rc;
}

int
tpm_start(struct super *s)
{
	const struct config_settings *c = config_settings(s->boot);

	s->tpm.retry_at = NEVER;
	s->tpm.wanted = strcmp(c->tpm, "embedded") == 0;
	if (!s->tpm.wanted)
		return 0;
	return start(s); /* which says what a local TPM is worth */
}

bool
tpm_exited(struct super *s, pid_t pid, int status)
{
	unsigned doublings;

	if (s->tpm.tpm.pid == 0 || pid != s->tpm.tpm.pid)
		return false;
	/* Collected: embedded_stop() sees that, and only tidies up. */
	if (s->phase >= PHASE_DRAIN)
		return true;
	if (WIFSIGNALED(status))
		log_error("the embedded TPM was killed by signal %d", WTERMSIG(status));
	else
		log_error("the embedded TPM ended with status %d", WEXITSTATUS(status));
	embedded_stop(&s->tpm.tpm);
	s->tally[NUMBER_SUPERVISOR_TPM_FAILURES]++;
	if (now_ms() - s->tpm.since > STABLE)
		s->tpm.failures = 0;
	doublings = s->tpm.failures < DOUBLINGS ? s->tpm.failures : DOUBLINGS;
	s->tpm.failures++;
	s->tpm.retry_at = now_ms() + ((int64_t)BACKOFF << doublings);
	return true;
}

void
tpm_kill(struct super *s)
{
	if (s->tpm.tpm.pid <= 0)
		return;
	log_error("the embedded TPM is in failure mode: starting it anew");
	(void)kill(s->tpm.tpm.pid, SIGKILL);
}

int64_t
tpm_tick(struct super *s, int64_t now)
{
	if (s->phase >= PHASE_DRAIN || s->tpm.retry_at == NEVER)
		return NEVER;
	if (now < s->tpm.retry_at)
		return s->tpm.retry_at;
	if (start(s) < 0) {
		unsigned n = s->tpm.failures < DOUBLINGS ? s->tpm.failures : DOUBLINGS;

		s->tpm.failures++;
		s->tpm.retry_at = now + ((int64_t)BACKOFF << n);
	} else
		log_info("the embedded TPM is up again");
	return s->tpm.retry_at;
}

void
tpm_end(struct super *s)
{
	if (s->tpm.tpm.pid > 0)
		embedded_stop(&s->tpm.tpm);
}
