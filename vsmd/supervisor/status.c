/* status.c - the supervisor's part of `caas status`. */
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vsmd/supervisor/super.h"
#include "vsmd/worker/gate.h"

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

static unsigned
most_of_a_principal(const struct super *s)
{
	unsigned most = 0;

	for (size_t i = 0; i < s->limits.n; i++)
		most = s->limits.counts[i].n > most ? s->limits.counts[i].n : most;
	return most;
}

/* Objects of the token that has the most, as its workers count them (gate.h). */
static json_int_t
most_objects(const struct super *s)
{
	json_int_t most = -1;

	for (size_t i = 0; i < s->nslots; i++) {
		uint32_t objects;
		char path[1100];
		int fd;

		snprintf(path, sizeof(path), "%s/gates/%u", s->memory.path, s->slots[i]->id);
		if ((fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) < 0)
			continue;
		if (pread(fd, &objects, sizeof(objects),
			offsetof(struct gate_shared, objects)) == sizeof(objects) &&
		    objects > most)
			most = objects;
		close(fd);
	}
	return most;
}

#define OURS 5 /* vsmd, vsmd-store, vsmd-tpm, vsmd-swtpm, vsmd-metrics */

static json_int_t
processes(const struct super *s)
{
	json_int_t n = OURS - !s->tpm.wanted - (s->metrics.pid == 0) + (json_int_t)s->nadmins;

	for (const struct nursery *o = s->nurseries; o != NULL; o = o->next)
		n += 1 + (json_int_t)o->workers.n;
	return n;
}

/* What one of our processes may have, and what this one has. */
static json_int_t
descriptors(json_int_t *ret_used)
{
	struct rlimit files = {0, 0};
	DIR *d = opendir("/proc/self/fd");

	(void)getrlimit(RLIMIT_NOFILE, &files);
	*ret_used = d != NULL ? -3 : -1; /* itself, . and .. */
	while (d != NULL && readdir(d) != NULL)
		++*ret_used;
	if (d != NULL)
		closedir(d);
	return (json_int_t)files.rlim_cur;
}

/* used < 0: not known. */
static void
limit(json_t *o, const char *name, json_int_t most, json_int_t used)
{
	(void)json_object_set_new(o, name,
	    json_pack("{s:I, s:o}", "limit", most, "used",
		used < 0 ? json_null() : json_integer(used)));
}

/* What can be exhausted, and how much of it is in use: of what is counted for each
 * application, principal or identity, by the one that uses the most. */
static json_t *
limits(const struct super *s)
{
	const struct config_settings *c = config_settings(s->config);
	int64_t kib = workers_most_memory(s);
	json_int_t files, used;
	json_t *o = json_object();

	limit(o, "applications", limits_applications(s), s->limits.total);
	limit(o, "applications-per-principal", c->max_per_principal, most_of_a_principal(s));
	limit(o, "sessions-per-application", c->max_sessions, workers_most_sessions(s));
	limit(o, "memory-per-application-mib", c->max_memory, kib < 0 ? -1 : (kib + 1023) / 1024);
	/* One more waits beside those that serve. */
	limit(o, "threads-per-application", (json_int_t)c->threads + 1, workers_most_threads(s));
	limit(o, "objects-per-token", c->max_objects, most_objects(s));
	limit(o, "connections-waiting", GREETS_MAX, greet_count(s));
	limit(o, "connections-waiting-per-identity", GREETS_MAX_EACH, greet_most(s));
	limit(o, "administrators", ADMINS_MAX, (json_int_t)s->nadmins);
	limit(o, "processes", limits_applications(s) + (json_int_t)s->nslots + ADMINS_MAX + OURS,
	    processes(s));
	files = descriptors(&used);
	limit(o, "descriptors-per-process", files, used);
	return o;
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
	    "{s:i, s:s, s:I, s:o, s:s, s:s, s:b, s:i, s:i, s:i, s:i, s:i, s:o, s:o, s:o}",
	    "pid", (int)getpid(), "instance", instance, "uptime",
	    (json_int_t)((now_ms() - s->started) / 1000), "listen", listeners(s), "state",
	    boot->state, "tpm", boot->tpm, "sandbox", boot->sandbox, "slots",
	    (int)s->nslots, "applications", (int)s->limits.total, "max-applications",
	    (int)c->max_applications, "store-pid", (int)s->store.pid, "administrators",
	    (int)s->nadmins, "principals", principals(s), "nurseries", nurseries(s),
	    "limits", limits(s));
	text = o != NULL ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return text;
}
