/* What DomT and its service are told of pairs, and what becomes of a pair when they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/hex.h"
#include "common/log.h"
#include "fake_service.h"
#include "fake_xen.h"
#include "xen-hooks/domtd/service.h"

static struct fake_xen f;
static struct fake_service domt;
static struct service service;
static struct operation o;
static char said[4096];
static char image[64]; /* a file that is DomC's kernel */

static void
on_progress(void *arg, const char *text)
{
	size_t len = strlen(said);

	(void)arg;
	snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

static void
on_report(void *arg, const char *line)
{
	(void)arg;
	fail_msg("%s", line);
}

static struct description *
describe(const char *name, const char *pair)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
	    "[pair]\n%s\n[domc]\nkernel=%s\nmemory=64\n[domu]\nkernel=/u\nmemory=128\n", pair,
	    image);
	struct description *d = description_parse("f", name, text, (size_t)n, on_report, NULL);

	assert_non_null(d);
	return d;
}

/* DomT is domain 1. */
static void
begin(void)
{
	fake_init(&f);
	o = (struct operation){.xen = &f.xen, .progress = on_progress, .service = &service};
	said[0] = '\0';
	(void)fake_add(&f, "domt", 0xd0);
}

static int
setup(void **state)
{
	(void)state;
	fake_service_start(&domt);
	service = (struct service){.name = "domt", .at = domt.address};
	begin();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fake_service_stop(&domt);
	return 0;
}

static void
create(const char *name, const char *pair)
{
	struct description *d = describe(name, pair);

	if (operate_create(&o, d) < 0)
		fail_msg("%s", o.error);
	description_free(d);
	f.log[0] = said[0] = '\0';
	f.calls = 0;
}

static int
create_fails(const char *why)
{
	struct description *d = describe("web", "");
	int rc = operate_create(&o, d);

	description_free(d);
	if (rc == 0 || strstr(o.error, why) == NULL)
		fail_msg("not `%s': %s", why, rc == 0 ? "it is made" : o.error);
	assert_null(fake_domain(&f, "web-domc"));
	assert_null(fake_domain(&f, "web-domu"));
	assert_null(fake_record(&f, "web"));
	return rc;
}

static void
before_it_runs(void **state)
{
	struct description *d = describe("web", "");
	uint8_t digest[CONTROL_DIGEST];
	struct world w;

	(void)state;
	assert_int_equal(operate_create(&o, d), 0);
	assert_string_equal(f.log,
	    "build web-domc 2\nbuild web-domu 3\ntell web-domc\ntell web-domu\n"
	    "tell web-domc of DomT\nunpause web-domc\nunpause web-domu\n");
	assert_non_null(strstr(said, "DomT is told of DomC\nDomC runs\n"));
	assert_int_equal(fake_domain(&f, "web-domc")->domt, 1);
	assert_int_equal(fake_domain(&f, "web-domu")->domt, -1);
	assert_int_equal(domt.times, 1);
	assert_int_equal(domt.heard.n, 1);
	assert_string_equal(domt.heard.pairs[0].pair, "web");
	assert_int_equal(domt.heard.pairs[0].domid, 2);
	assert_int_equal(world_look(&f.xen, &w), 0);
	assert_memory_equal(
	    domt.heard.pairs[0].uuid, fake_domain(&f, "web-domc")->d.uuid, DOMAIN_UUID);
	assert_true(hex_get(w.pairs[0].record.digest, digest, sizeof(digest)));
	assert_memory_equal(domt.heard.pairs[0].digest, digest, sizeof(digest));
	world_free(&w);
	assert_string_equal(o.service_text, "domt, domain 1, serves 1 crypto domain, keeps 0 of 4096 rows");
	description_free(d);
}

static void
all_of_them_each_time(void **state)
{
	(void)state;
	create("web", "");
	create("mail", "");
	assert_int_equal(domt.times, 2);
	assert_int_equal(domt.heard.n, 2);
	assert_int_equal(operate_destroy(&o, "web"), 0);
	assert_int_equal(operate_tell(&o), 0);
	assert_int_equal(domt.heard.n, 1);
	assert_string_equal(domt.heard.pairs[0].pair, "mail");
	assert_int_equal(operate_destroy(&o, "mail"), 0);
	assert_int_equal(operate_tell(&o), 0);
	assert_int_equal(domt.heard.n, 0);
}

/* Nobody has to be told of a guest. */
static void
a_domc_that_was_kept(void **state)
{
	struct description *d = describe("web", "on-domu-gone=keep");

	(void)state;
	create("web", "on-domu-gone=keep");
	fake_destroy(&f, "web-domu");
	assert_int_equal(operate_settle(&o, NULL), 0);
	f.serve_after = 2;
	/* Nor has DomT to be there. */
	fake_destroy(&f, "domt");
	assert_int_equal(operate_create(&o, d), 0);
	assert_int_equal(domt.times, 1);
	description_free(d);
}

static void
without_domt(void **state)
{
	(void)state;
	fake_destroy(&f, "domt");
	create_fails("there is no domain domt, which is to be DomT");
	assert_string_equal(f.log, "");
	(void)fake_add(&f, "domt", 0xd1);
	fake_domain(&f, "domt")->d.ended = true;
	create_fails("there is no domain domt");
	/* Where nobody has said that there is one. */
	o.service = NULL;
	create("web", "");
	assert_int_equal(fake_domain(&f, "web-domc")->domt, -1);
	assert_int_equal(operate_tell(&o), 0);
	assert_int_equal(domt.times, 0);
}

static void
a_service_that_does_not_hear(void **state)
{
	static const struct {
		enum fake_manner manner;
		const char *why;
	} rows[] = {{FAKE_REFUSES, "refuses: the root was rolled back"},
	    {FAKE_BABBLES, "malformed answer"}, {FAKE_LONG, "malformed answer"},
	    {FAKE_LEAVES, "does not answer"}};

	(void)state;
	snprintf(domt.text, sizeof(domt.text), "the root was rolled back");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		domt.manner = rows[i].manner;
		create_fails(rows[i].why);
		assert_null(strstr(f.log, "unpause"));
		assert_non_null(strstr(o.service_text, "not to be had"));
	}
	service.at = "unix:/tmp/test-domt.none/builder";
	create_fails("cannot be reached");
}

static void
what_it_has_to_say(void **state)
{
	(void)state;
	snprintf(domt.text, sizeof(domt.text), "its disk is nearly full");
	assert_int_equal(operate_tell(&o), 0);
	assert_string_equal(o.service_text,
	    "domt, domain 1, serves 0 crypto domains, keeps 0 of 4096 rows: its disk is nearly full");
}

/* A pair that is there, or may come back, is not forgotten; one that is not is, and the others are
 * told as always. */
static void
forgets(void **state)
{
	(void)state;
	create("web", "");
	create("mail", "");
	domt.kept = 3;
	assert_int_equal(operate_forget(&o, "web"), -1);
	assert_non_null(strstr(o.error, "caas pair destroy comes first"));
	assert_int_equal(domt.times, 2);
	assert_int_equal(operate_destroy(&o, "web"), 0);
	assert_int_equal(operate_forget(&o, "web"), 0);
	assert_non_null(strstr(said, "DomT has forgotten web: 3 rows\n"));
	assert_string_equal(domt.heard.forget, "web");
	assert_int_equal(domt.heard.n, 1);
	assert_string_equal(domt.heard.pairs[0].pair, "mail");
	domt.kept = 0;
	assert_int_equal(operate_forget(&o, "web"), 0);
	assert_non_null(strstr(said, "DomT kept nothing of web\n"));
	assert_int_equal(operate_tell(&o), 0);
	assert_string_equal(domt.heard.forget, "");
}

static void
does_not_forget(void **state)
{
	(void)state;
	snprintf(domt.text, sizeof(domt.text), "web is not forgotten: the disk is full");
	domt.manner = FAKE_REFUSES;
	assert_int_equal(operate_forget(&o, "web"), -1);
	assert_non_null(strstr(o.error, "refuses: web is not forgotten: the disk is full"));
	assert_non_null(strstr(o.service_text, "not to be had"));
	fake_destroy(&f, "domt");
	assert_int_equal(operate_forget(&o, "web"), -1);
	assert_non_null(strstr(o.error, "there is no domain domt"));
	o.service = NULL;
	assert_int_equal(operate_forget(&o, "web"), -1);
	assert_non_null(strstr(o.error, "there is no DomT"));
	assert_string_equal(said, "");
}

static void
domt_comes_anew(void **state)
{
	(void)state;
	create("web", "");
	fake_destroy(&f, "domt");
	assert_int_equal(operate_tell(&o), -1);
	assert_string_equal(f.log, "untell web-domc of DomT\n");
	assert_int_equal(fake_domain(&f, "web-domc")->domt, -1);
	(void)fake_add(&f, "domt", 0xd1);
	assert_int_equal(operate_tell(&o), 0);
	assert_int_equal(fake_domain(&f, "web-domc")->domt, 4);
	assert_int_equal(domt.times, 2);
	/* Once told is told. */
	f.log[0] = '\0';
	assert_int_equal(operate_tell(&o), 0);
	assert_string_equal(f.log, "");
}

/* One that cannot be told keeps nothing from the service. */
static void
told_in_any_case(void **state)
{
	int n;

	(void)state;
	create("web", "");
	create("mail", "");
	fake_domain(&f, "web-domc")->domt = 77;
	/* The one call that changes something. */
	for (n = 1; domt.times == 2; n++) {
		f.calls = 0;
		f.fail_at = n;
		assert_int_equal(operate_tell(&o), -1);
	}
	assert_non_null(strstr(o.error, "cannot be told where DomT is"));
	assert_int_equal(fake_domain(&f, "web-domc")->domt, 77);
	assert_int_equal(domt.heard.n, 2);
}

static void
marked(uint8_t ret[SERVICE_MARK])
{
	struct world w;

	assert_int_equal(world_look(&f.xen, &w), 0);
	assert_true(service_mark(&service, &w, ret));
	world_free(&w);
}

static void
changed(uint8_t mark[SERVICE_MARK], bool want)
{
	uint8_t now[SERVICE_MARK];

	marked(now);
	assert_int_equal(memcmp(mark, now, sizeof(now)) != 0, want);
	memcpy(mark, now, sizeof(now));
}

static void
when_there_is_something_to_tell(void **state)
{
	uint8_t mark[SERVICE_MARK];

	(void)state;
	marked(mark);
	create("web", "on-domu-gone=keep");
	changed(mark, true);
	changed(mark, false);
	fake_destroy(&f, "web-domu");
	(void)fake_add(&f, "somebody", 0x55);
	changed(mark, false);
	fake_domain(&f, "web-domc")->domt = 9;
	changed(mark, true);
	fake_destroy(&f, "domt");
	changed(mark, true);
	(void)fake_add(&f, "domt", 0xd0);
	changed(mark, true);
	fake_domain(&f, "web-domc")->d.ended = true;
	changed(mark, true);
}

/* Whatever call fails or is the last: afterwards the service knows who is there. */
static void
create_at_each_call(void **state)
{
	struct description *d = describe("web", "");

	(void)state;
	for (int killed = 0; killed < 2; killed++)
		for (int n = 1;; n++) {
			bool there;
			int rc;

			begin();
			f.fail_at = n;
			f.killed = killed;
			rc = operate_create(&o, d);
			if (f.calls < n) {
				assert_int_equal(rc, 0);
				break;
			}
			f.fail_at = 0;
			f.killed = false;
			for (int i = 0; i < 3; i++)
				assert_int_equal(operate_settle(&o, NULL), 0);
			assert_int_equal(operate_tell(&o), 0);
			there = fake_domain(&f, "web-domc") != NULL;
			assert_int_equal(domt.heard.n, there ? 1 : 0);
			if (there)
				assert_int_equal(fake_domain(&f, "web-domc")->domt, 1);
		}
	description_free(d);
}

static int
make_image(void **state)
{
	int fd;

	(void)state;
	log_level(LOG_ERR_);
	snprintf(image, sizeof(image), "/tmp/test-domtd.XXXXXX");
	fd = mkstemp(image);
	return fd < 0 || write(fd, "kernel", 6) != 6 || close(fd) < 0;
}

static int
remove_image(void **state)
{
	(void)state;
	return unlink(image);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {T(before_it_runs), T(all_of_them_each_time),
	    T(a_domc_that_was_kept), T(without_domt), T(a_service_that_does_not_hear),
	    T(what_it_has_to_say), T(forgets), T(does_not_forget), T(domt_comes_anew), T(told_in_any_case),
	    T(when_there_is_something_to_tell), T(create_at_each_call)};

	return cmocka_run_group_tests(tests, make_image, remove_image);
}
