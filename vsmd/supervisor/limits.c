/* limits.c - how much a peer may have of what all peers share. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "vsmd/supervisor/super.h"

#define GREETS_MAX 256	   /* peers that have not said hello */
#define GREETS_MAX_EACH 32 /* of one identity */
#define LOG_WINDOW 10000   /* ms */
#define LOG_LINES 20	   /* in a window, of those that peers can cause */

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

	if (s->limits.total >= c->max_applications ||
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
limits_log(struct super *s)
{
	int64_t now = now_ms();

	if (now >= s->limits.log_window) {
		if (s->limits.dropped > 0)
			log_warn("%u more lines of this kind were left out",
			    s->limits.dropped);
		s->limits.log_window = now + LOG_WINDOW;
		s->limits.logged = s->limits.dropped = 0;
	}
	if (s->limits.logged < LOG_LINES) {
		s->limits.logged++;
		return true;
	}
	s->limits.dropped++;
	return false;
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
