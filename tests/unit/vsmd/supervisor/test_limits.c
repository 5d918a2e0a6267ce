/* Counts of applications, and of peers that have not said hello. */
#include "harness.h"

#include <string.h>
#include <sys/resource.h>

#include "vsmd/supervisor/super.h"

static void
ignore(void *arg, const char *line)
{
	(void)arg;
	fail_msg("%s", line);
}

static void
begin(struct super *s)
{
	static const char text[] =
	    "[vsmd]\nmax-applications = 3\nmax-per-principal = 2\n";

	memset(s, 0, sizeof(*s));
	s->config = config_parse("f", text, strlen(text), ignore, NULL);
	assert_non_null(s->config);
}

static void
end(struct super *s)
{
	limits_free(s);
	config_free(s->config);
}

static void
applications(void **state)
{
	struct super s;

	(void)state;
	begin(&s);
	assert_true(limits_take(&s, "a"));
	assert_true(limits_take(&s, "a"));
	assert_false(limits_take(&s, "a"));
	assert_true(limits_take(&s, "b"));
	assert_false(limits_take(&s, "c"));
	limits_drop(&s, "c"); /* had none */
	assert_int_equal(s.limits.total, 3);
	limits_drop(&s, "a");
	assert_true(limits_take(&s, "c"));
	limits_drop(&s, "a");
	limits_drop(&s, "a");
	limits_drop(&s, "b");
	limits_drop(&s, "c");
	assert_int_equal(s.limits.total, 0);
	assert_int_equal(s.limits.n, 0);
	end(&s);
}

static void
half_open(void **state)
{
	struct super s;
	struct greet g[300];
	struct peer me = {.kind = PEER_UID, .id = 5}, cid = {.kind = PEER_CID, .id = 5};

	(void)state;
	begin(&s);
	memset(g, 0, sizeof(g));
	for (int i = 0; i < 300; i++) {
		g[i].peer = me;
		if (!limits_greet(&s, &me)) {
			assert_int_equal(i, 32);
			break;
		}
		g[i].next = s.greets;
		s.greets = &g[i];
	}
	/* The same number of another kind is another peer. */
	assert_true(limits_greet(&s, &cid));
	for (int i = 32; i < 256; i++) {
		g[i].peer.kind = PEER_DOMID;
		g[i].peer.id = (uint32_t)i;
		g[i].next = s.greets;
		s.greets = &g[i];
	}
	assert_false(limits_greet(&s, &cid));
	end(&s);
}

/* No more than there are descriptors for, whatever is configured. */
static void
descriptors(void **state)
{
	struct rlimit before, few;
	struct super s;

	(void)state;
	begin(&s);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){.rlim_cur = 64, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	limits_init(&s);
	/* As many as are wanted were asked for. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &few), 0);
	assert_true(few.rlim_cur > 64 || before.rlim_max <= 64);
	assert_int_equal(limits_applications(&s), 3);
	s.limits.by_files = 1;
	assert_int_equal(limits_applications(&s), 1);
	assert_true(limits_take(&s, "a"));
	assert_false(limits_take(&s, "b"));
	limits_drop(&s, "a");
	assert_true(limits_take(&s, "b"));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	end(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(applications),
	    cmocka_unit_test(descriptors),
	    cmocka_unit_test(half_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
