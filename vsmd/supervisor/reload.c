/* reload.c - SIGHUP: the policy, the limits and the log level, for new channels. */
#include <string.h>

#include "common/log.h"
#include "vsmd/supervisor/super.h"

static void
report(void *arg, const char *line)
{
	(void)arg;
	log_error("%s", line);
}

static bool
same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void
needs_restart(bool unchanged, const char *key)
{
	if (!unchanged)
		log_warn(
		    "`%s' has changed: that takes effect when vsmd is restarted", key);
}

static bool
same_listen(const struct config_settings *a, const struct config_settings *b)
{
	if (a->nlisten != b->nlisten)
		return false;
	for (size_t i = 0; i < a->nlisten; i++)
		if (!same(a->listen[i], b->listen[i]))
			return false;
	return true;
}

static void
compare(const struct config_settings *a, const struct config_settings *b)
{
	const struct tpm_policy *p = &a->tpm_policy, *q = &b->tpm_policy;

	needs_restart(same_listen(a, b), "listen");
	needs_restart(a->socket_mode == b->socket_mode, "socket-mode");
	needs_restart(same(a->state, b->state), "state");
	needs_restart(same(a->runtime, b->runtime), "runtime");
	needs_restart(same(a->softhsm, b->softhsm), "softhsm");
	needs_restart(same(a->tpm, b->tpm), "tpm");
	needs_restart(
	    p->npcrs == q->npcrs && memcmp(p->pcrs, q->pcrs, p->npcrs) == 0, "pcrs");
	needs_restart(p->locality == q->locality, "locality");
	needs_restart(same(p->authority, q->authority), "authority");
	needs_restart(same(a->approvals, b->approvals), "approvals");
	needs_restart(a->anchor == b->anchor, "anchor");
	needs_restart(a->anchor_budget == b->anchor_budget, "anchor-budget");
	needs_restart(a->audit_rotate == b->audit_rotate, "audit-rotate");
	needs_restart(a->audit_keep == b->audit_keep, "audit-keep");
	needs_restart(a->pin_tries == b->pin_tries, "pin-tries");
	needs_restart(same(a->user, b->user), "user");
	needs_restart(a->sandbox == b->sandbox, "sandbox");
}

void
reload(struct super *s)
{
	const struct config_settings *before = config_settings(s->config), *after;
	struct config *config;
	bool refork, metrics;

	notify_reloading();
	if ((config = config_load(s->file, report, NULL)) == NULL) {
		log_error(
		    "%s has errors: going on with the configuration as it was", s->file);
		notify_ready(s);
		return;
	}
	after = config_settings(config);
	compare(config_settings(s->boot), after);
	refork = before->threads != after->threads ||
		 before->max_sessions != after->max_sessions ||
		 before->max_objects != after->max_objects ||
		 before->max_memory != after->max_memory ||
		 before->shared_memory != after->shared_memory;
	log_level((enum log_level)after->log_level);
	metrics = !same(before->metrics, after->metrics);
	if (s->config != s->boot)
		config_free(s->config);
	s->config = config;
	if (metrics)
		metrics_restart(s);
	/* Nurseries were told these at their start. */
	if (refork)
		for (size_t i = 0; i < s->nslots; i++)
			nursery_retire(s, s->slots[i]);
	log_info("reloaded %s", s->file);
	notify_ready(s);
}
