/* status.c - the supervisor's part of `caas status`. */
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "vsmd/supervisor/super.h"

static json_t *
listeners(const struct super *s)
{
	const struct config_settings *c = config_settings(s->boot);
	json_t *list = json_array();

	for (size_t i = 0; i < c->nlisten; i++)
		json_array_append_new(list, json_string(c->listen[i]));
	return list;
}

static json_t *
nurseries(const struct super *s)
{
	json_t *list = json_array();

	for (const struct nursery *n = s->nurseries; n != NULL; n = n->next)
		json_array_append_new(
		    list, json_pack("{s:i, s:i, s:b, s:b, s:i}", "slot", (int)n->slot,
			      "pid", (int)n->pid, "ready", n->ready, "retired",
			      n->retired, "workers", (int)n->workers.n));
	return list;
}

static json_t *
principals(const struct super *s)
{
	json_t *object = json_object();

	for (size_t i = 0; i < s->limits.n; i++)
		json_object_set_new(object, s->limits.counts[i].principal,
		    json_integer(s->limits.counts[i].n));
	return object;
}

char *
status_json(const struct super *s)
{
	const struct config_settings *boot = config_settings(s->boot);
	const struct config_settings *c = config_settings(s->config);
	char instance[2 * HELLO_APP_LEN + 1], *text;
	json_t *o;

	for (size_t i = 0; i < HELLO_APP_LEN; i++)
		snprintf(instance + 2 * i, 3, "%02x", s->instance[i]);
	o = json_pack(
	    "{s:i, s:s, s:I, s:o, s:s, s:s, s:b, s:i, s:i, s:i, s:i, s:i, s:o, s:o}",
	    "pid", (int)getpid(), "instance", instance, "uptime",
	    (json_int_t)((now_ms() - s->started) / 1000), "listen", listeners(s), "state",
	    boot->state, "tpm", boot->tpm, "sandbox", boot->sandbox, "slots",
	    (int)s->nslots, "applications", (int)s->limits.total, "max-applications",
	    (int)c->max_applications, "store-pid", (int)s->store.pid, "administrators",
	    (int)s->nadmins, "principals", principals(s), "nurseries", nurseries(s));
	text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return text;
}
