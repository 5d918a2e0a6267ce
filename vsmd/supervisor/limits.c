/* limits.c - how much a peer may have of what all peers share. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/log.h"
#include "vsmd/supervisor/super.h"

#define FILES_OTHER 1024   /* descriptors of a process for all but applications */
#define FILES_WANTED 65536

void
limits_init(struct super *s)
{
	const struct config_settings *c = config_settings(s->config);
	rlim_t wanted = FILES_WANTED;
	struct rlimit files;

	s->limits.by_files = UINT_MAX;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	/* The store has one for each application. */
	if (c->max_applications + FILES_OTHER > wanted)
		wanted = c->max_applications + FILES_OTHER;
	if (files.rlim_cur < wanted) {
		rlim_t before = files.rlim_cur;

		files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
		if (setrlimit(RLIMIT_NOFILE, &files) < 0)
			files.rlim_cur = before;
	}
	if (files.rlim_cur >= UINT_MAX)
		return;
	/* Half of few stay for the rest, so that a small limit leaves something. */
	s->limits.by_files = (unsigned)(files.rlim_cur > 2 * FILES_OTHER
					    ? files.rlim_cur - FILES_OTHER
					    : files.rlim_cur / 2);
	if (s->limits.by_files < c->max_applications)
		log_warn("max-applications is %u, but with %llu descriptors a process it is "
			 "%u (LimitNOFILE= raises it)", c->max_applications,
		    (unsigned long long)files.rlim_cur, s->limits.by_files);
}

unsigned
limits_applications(const struct super *s)
{
	unsigned most = config_settings(s->config)->max_applications;

	return s->limits.by_files > 0 && s->limits.by_files < most ? s->limits.by_files : most;
}

static struct count *
find(struct super *s, const char *principal)
{
	for (size_t i = 0; i < s->limits.n; i++)
		if (strcmp(s->limits.counts[i].principal, principal) == 0)
			return &s->limits.counts[i];
	return NULL;
}

bool
limits_take(struct super *s, const char *principal)
{
	const struct config_settings *c = config_settings(s->config);
	struct count *count = find(s, principal), *bigger;

	if (s->limits.total >= limits_applications(s) ||
	    (count != NULL && count->n >= c->max_per_principal))
		return false;
	if (count == NULL) {
		bigger = reallocarray(s->limits.counts, s->limits.n + 1, sizeof(*bigger));
		if (bigger == NULL)
			return false;
		s->limits.counts = bigger;
		count = &bigger[s->limits.n++];
		memset(count, 0, sizeof(*count));
		memcpy(count->principal, principal, strnlen(principal, GRANT_NAME - 1));
	}
	count->n++;
	s->limits.total++;
	return true;
}

void
limits_drop(struct super *s, const char *principal)
{
	struct count *count = find(s, principal);

	if (count == NULL || count->n == 0)
		return;
	count->n--;
	s->limits.total--;
	if (count->n == 0)
		*count = s->limits.counts[--s->limits.n];
}

bool
limits_greet(const struct super *s, const struct peer *peer)
{
	unsigned all = 0, same = 0;

	for (const struct greet *g = s->greets; g != NULL; g = g->next) {
		all++;
		same += g->peer.kind == peer->kind && g->peer.id == peer->id;
	}
	return all < GREETS_MAX && same < GREETS_MAX_EACH;
}

void
limits_free(struct super *s)
{
	free(s->limits.counts);
	memset(&s->limits, 0, sizeof(s->limits));
}
