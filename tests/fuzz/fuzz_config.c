/*
 * fuzz_config.c - vsmd.conf(5) from anybody: refused with a reason, or a policy whose
 * grants survive the way to a worker.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/ipc.h"
#include "vsmd/policy/config.h"

static unsigned complaints;

static void
report(void *arg, const char *line)
{
	(void)arg;
	if (line[0] == '\0')
		abort();
	complaints++;
}

static void
round_trip(const struct grant *g)
{
	static struct grant back;
	struct buf b, again;

	buf_init(&b, IPC_MAX);
	buf_init(&again, IPC_MAX);
	grant_write(&b, g);
	if (!grant_read(&b, &back) || !buf_end(&b))
		abort();
	grant_write(&again, &back);
	if (!buf_ok(&again) || again.len != b.len || memcmp(again.data, b.data, b.len) != 0)
		abort();
	buf_free(&again);
	buf_free(&b);
}

/* With a hint of an agent nobody may what he may not without one. */
static void
judge(const struct config *c, enum peer_kind kind, uint32_t id)
{
	static const char *const labels[] = {"t", "web-1", "a token", NULL};
	static struct grant g, hinted;
	const struct hello_hint none = {.given = false}, user = {true, id, id};
	const struct peer p = {.kind = kind, .id = id};
	const char *name = config_principal(c, &p, &none);
	const char *by_agent = config_principal(c, &p, &user);

	if (by_agent != NULL && by_agent != name)
		abort();
	for (size_t i = 0; name != NULL && i < 4; i++) {
		bool may = config_grant(c, name, labels[i], &none, &g);

		if (may)
			round_trip(&g);
		if (!config_grant(c, name, labels[i], &user, &hinted))
			continue;
		if (!may || hinted.classes != g.classes || hinted.nrules != g.nrules)
			abort();
	}
	if (name != NULL && config_is_admin(c, name, &user) && !config_is_admin(c, name, &none))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config *c;

	complaints = 0;
	c = config_parse("f", (const char *)data, len, report, NULL);
	/* Refused and told why, or neither. */
	if ((c == NULL) != (complaints > 0))
		abort();
	if (c == NULL)
		return 0;
	for (uint32_t id = 0; id < 8; id++)
		for (int kind = PEER_UID; kind <= PEER_DOMID; kind++)
			judge(c, (enum peer_kind)kind, id);
	config_free(c);
	return 0;
}
