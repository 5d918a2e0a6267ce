/* Operations on pairs, in a world in which each call may fail and each moment be the last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "fake_xen.h"
#include "xen-hooks/domtd/savefile.h"
#include "xen-hooks/domtd/show.h"

static struct fake_xen f;
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
describe(const char *name, const char *pair, const char *domu)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
	    "[pair]\n%s\n[domc]\nkernel=%s\nmemory=64\n[domu]\nkernel=/u\nmemory=128\n%s\n", pair,
	    image, domu);
	struct description *d =
	    description_parse("f", name, text, (size_t)n, on_report, NULL);

	assert_non_null(d);
	return d;
}

static int
setup(void **state)
{
	(void)state;
	fake_init(&f);
	o = (struct operation){.xen = &f.xen, .progress = on_progress};
	said[0] = '\0';
	return 0;
}

static void
create(const char *pair)
{
	struct description *d = describe("web", pair, "");

	assert_int_equal(operate_create(&o, d), 0);
	description_free(d);
	f.log[0] = said[0] = '\0';
	f.calls = 0;
}

static void
settled(void)
{
	/* As domtd does, until there is nothing to do; which is soon. */
	for (int i = 0; i < 3; i++) {
		f.log[0] = '\0';
		assert_int_equal(operate_settle(&o, NULL), 0);
	}
	assert_string_equal(f.log, "");
}

static void
in_the_right_order(void **state)
{
	struct description *d = describe("web", "", "");

	(void)state;
	assert_int_equal(operate_create(&o, d), 0);
	assert_string_equal(f.log,
	    "build web-domc 1\nbuild web-domu 2\ntell web-domc\ntell web-domu\n"
	    "unpause web-domc\nunpause web-domu\n");
	assert_string_equal(said, "DomC is made: domain 1\nDomU is made: domain 2\nDomC runs\n"
				  "DomC serves\nDomU runs\n");
	assert_int_equal(fake_domain(&f, "web-domc")->peer, 2);
	assert_int_equal(fake_domain(&f, "web-domu")->peer, 1);
	settled();
	description_free(d);
}

static void
no_second_domc(void **state)
{
	struct description *d = describe("web", "", ""),
			   *same = describe("other", "", "name=web-domu");

	(void)state;
	create("");
	assert_int_equal(operate_create(&o, d), -1);
	assert_non_null(strstr(o.error, "one DomC for a DomU"));
	assert_int_equal(operate_create(&o, same), -1);
	assert_non_null(strstr(o.error, "already"));
	assert_string_equal(f.log, "");
	/* Also where the guest does not run now. */
	fake_domain(&f, "web-domu")->is = false;
	assert_int_equal(operate_create(&o, same), -1);
	assert_non_null(strstr(o.error, "one DomC for a DomU"));
	description_free(same);
	description_free(d);
}

static void
no_domain_of_somebody_else(void **state)
{
	struct description *d = describe("web", "", "");

	(void)state;
	(void)fake_add(&f, "web-domc", 7);
	assert_int_equal(operate_create(&o, d), -1);
	assert_string_equal(f.log, "");
	assert_null(fake_record(&f, "web"));
	description_free(d);
}

static void
domc_that_never_serves(void **state)
{
	struct description *d = describe("web", "serving-timeout=2", "");

	(void)state;
	f.serve_after = -1;
	assert_int_equal(operate_create(&o, d), -1);
	assert_non_null(strstr(o.error, "serving-timeout"));
	assert_null(strstr(f.log, "unpause web-domu"));
	assert_null(fake_domain(&f, "web-domc"));
	assert_null(fake_domain(&f, "web-domu"));
	assert_null(fake_record(&f, "web"));
	description_free(d);
}

static void
domc_that_ends(void **state)
{
	struct description *d = describe("web", "", "");

	(void)state;
	f.serve_after = -1;
	f.end_after = 2;
	assert_int_equal(operate_create(&o, d), -1);
	assert_non_null(strstr(o.error, "ended before it served"));
	assert_null(fake_domain(&f, "web-domc"));
	assert_null(fake_record(&f, "web"));
	description_free(d);
}

/* Whatever call fails: there is a pair, or nothing. */
static void
create_with_each_call_failing(void **state)
{
	struct description *d = describe("web", "", "");
	int n = 1;

	for (;; n++) {
		int rc;

		setup(state);
		f.fail_at = n;
		rc = operate_create(&o, d);
		if (f.calls < n) {
			assert_int_equal(rc, 0);
			break;
		}
		f.fail_at = 0;
		settled();
		assert_int_equal(rc, -1);
		assert_null(fake_domain(&f, "web-domc"));
		assert_null(fake_domain(&f, "web-domu"));
		assert_null(fake_record(&f, "web"));
	}
	assert_true(n > 10);
	description_free(d);
}

/* Whenever its process is killed, the next look leaves a pair, or nothing. */
static void
create_killed_at_each_call(void **state)
{
	struct description *d = describe("web", "", "");
	int n = 1;

	for (;; n++) {
		bool domc, domu;

		setup(state);
		f.fail_at = n;
		f.killed = true;
		(void)operate_create(&o, d);
		if (f.calls < n)
			break;
		f.fail_at = 0;
		f.killed = false;
		settled();
		domc = fake_domain(&f, "web-domc") != NULL;
		domu = fake_domain(&f, "web-domu") != NULL;
		assert_int_equal(domc, domu);
		assert_int_equal(domc, fake_record(&f, "web") != NULL);
		if (domu)
			assert_false(fake_domain(&f, "web-domu")->paused);
	}
	assert_true(n > 10);
	description_free(d);
}

static void
gone_with_its_partner(void **state)
{
	(void)state;
	create("");
	fake_destroy(&f, "web-domu");
	settled();
	assert_null(fake_domain(&f, "web-domc"));
	assert_null(fake_record(&f, "web"));
	create("");
	fake_domain(&f, "web-domc")->d.ended = true;
	settled();
	assert_null(fake_domain(&f, "web-domc"));
	assert_null(fake_domain(&f, "web-domu"));
	assert_null(fake_record(&f, "web"));
}

static void
kept_without_its_partner(void **state)
{
	struct description *d = describe("web", "on-domu-gone=keep", "");

	(void)state;
	create("on-domu-gone=keep");
	fake_destroy(&f, "web-domu");
	settled();
	assert_int_equal(fake_domain(&f, "web-domc")->peer, -1);
	f.serve_after = 2;
	f.log[0] = '\0';
	assert_int_equal(operate_create(&o, d), 0);
	assert_string_equal(f.log, "build web-domu 3\ntell web-domc\ntell web-domu\n"
				   "unpause web-domu\n");
	assert_int_equal(fake_domain(&f, "web-domc")->peer, 3);
	description_free(d);
}

static void
domc_anew_for_a_guest_that_runs(void **state)
{
	struct description *d = describe("web", "on-domc-gone=keep", "");

	(void)state;
	create("on-domc-gone=keep");
	fake_destroy(&f, "web-domc");
	settled();
	assert_int_equal(fake_domain(&f, "web-domu")->peer, -1);
	f.serve_after = 2;
	f.log[0] = '\0';
	assert_int_equal(operate_create(&o, d), 0);
	assert_string_equal(f.log, "build web-domc 3\ntell web-domc\ntell web-domu\n"
				   "unpause web-domc\n");
	/* One that fails takes the guest with it no more than its DomC's end did. */
	fake_destroy(&f, "web-domc");
	settled();
	f.serve_after = -1;
	f.ring_for = -1;
	assert_int_equal(operate_create(&o, d), -1);
	settled();
	assert_non_null(fake_domain(&f, "web-domu"));
	assert_null(fake_domain(&f, "web-domc"));
	assert_int_equal(fake_domain(&f, "web-domu")->peer, -1);
	description_free(d);
}

static void
reboots(void)
{
	fake_domain(&f, "web-domu")->d.ended = true;
	fake_domain(&f, "web-domu")->d.rebooted = true;
	settled();
	assert_non_null(fake_domain(&f, "web-domc"));
	assert_null(fake_domain(&f, "web-domu"));
	assert_int_equal(fake_domain(&f, "web-domc")->peer, -1);
	assert_non_null(strstr(fake_record(&f, "web"), "\"rebooting\""));
}

static void
a_guest_that_reboots(void **state)
{
	struct description *d = describe("web", "", ""), *no = describe("web", "serving-timeout=1", "");
	uint8_t uuid[DOMAIN_UUID];

	(void)state;
	create("");
	memcpy(uuid, fake_domain(&f, "web-domu")->d.uuid, DOMAIN_UUID);
	reboots();
	f.serve_after = 2;
	assert_int_equal(operate_create(&o, d), 0);
	settled();
	assert_memory_equal(uuid, fake_domain(&f, "web-domu")->d.uuid, DOMAIN_UUID);
	assert_int_equal(fake_domain(&f, "web-domc")->peer, 3);
	/* Once, and then it is gone, which its DomC is too. */
	reboots();
	f.serve_after = -1;
	assert_int_equal(operate_create(&o, no), -1);
	settled();
	assert_null(fake_domain(&f, "web-domc"));
	assert_null(fake_record(&f, "web"));
	/* So if there is no description any more. */
	f.serve_after = 2;
	create("");
	reboots();
	assert_int_equal(operate_give_up(&o, "web"), 0);
	settled();
	assert_null(fake_record(&f, "web"));
	/* And without a DomC. */
	f.serve_after = 2;
	create("");
	reboots();
	fake_destroy(&f, "web-domc");
	settled();
	assert_null(fake_record(&f, "web"));
	description_free(no);
	description_free(d);
}

static void
a_guest_that_may_not_reboot(void **state)
{
	(void)state;
	create("on-domu-reboot=destroy");
	fake_domain(&f, "web-domu")->d.ended = true;
	fake_domain(&f, "web-domu")->d.rebooted = true;
	settled();
	assert_null(fake_domain(&f, "web-domc"));
	assert_null(fake_record(&f, "web"));
}

/* A domid and a name that somebody else has now are not the pair's. */
static void
domid_of_another(void **state)
{
	uint32_t domid;

	(void)state;
	create("");
	domid = fake_domain(&f, "web-domu")->d.domid;
	fake_destroy(&f, "web-domu");
	f.next_domid = domid;
	assert_int_equal(fake_add(&f, "web-domu", 9), domid);
	settled();
	assert_null(fake_domain(&f, "web-domc"));
	assert_non_null(fake_domain(&f, "web-domu"));
	assert_int_equal(fake_domain(&f, "web-domu")->peer, -1);
}

static void
told_again(void **state)
{
	(void)state;
	create("");
	fake_domain(&f, "web-domc")->peer = 77;
	settled();
	assert_int_equal(fake_domain(&f, "web-domc")->peer, 2);
}

static void
destroyed(void **state)
{
	(void)state;
	create("");
	assert_int_equal(operate_destroy(&o, "other"), -1);
	assert_int_equal(operate_destroy(&o, "web"), 0);
	assert_string_equal(f.log, "destroy web-domu\ndestroy web-domc\nforget web\n");
}

static int
file(void)
{
	int fd = memfd_create("save", 0);

	assert_true(fd >= 0);
	return fd;
}

static void
saved_and_restored(void **state)
{
	struct description *d = describe("web", "", "");
	uint8_t uuid[DOMAIN_UUID];
	int fd = file();

	(void)state;
	create("");
	memcpy(uuid, fake_domain(&f, "web-domu")->d.uuid, DOMAIN_UUID);
	assert_int_equal(operate_save(&o, "web", fd), 0);
	assert_string_equal(f.log, "untell web-domc\nuntell web-domu\nsave web-domu\ndestroy web-domu\n");
	settled();
	assert_int_equal(operate_create(&o, d), -1);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	f.serve_after = 2;
	f.log[0] = '\0';
	assert_int_equal(operate_restore(&o, d, fd), 0);
	assert_string_equal(f.log, "build web-domu 3\ntell web-domc\ntell web-domu\n"
				   "unpause web-domu\n");
	assert_true(f.restored);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), SAVEFILE_LEN);
	assert_memory_equal(uuid, fake_domain(&f, "web-domu")->d.uuid, DOMAIN_UUID);
	assert_int_equal(fake_domain(&f, "web-domc")->peer, 3);
	settled();
	/* Not twice. */
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(operate_restore(&o, d, fd), -1);
	close(fd);
	description_free(d);
}

static void
saved_without_domc(void **state)
{
	struct description *d = describe("web", "on-save=destroy", "");
	int fd = file();

	(void)state;
	create("on-save=destroy");
	assert_int_equal(operate_save(&o, "web", fd), 0);
	settled();
	assert_null(fake_domain(&f, "web-domc"));
	assert_null(fake_record(&f, "web"));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	f.serve_after = 2;
	f.log[0] = '\0';
	assert_int_equal(operate_restore(&o, d, fd), 0);
	assert_string_equal(f.log,
	    "build web-domc 3\nbuild web-domu 4\ntell web-domc\ntell web-domu\n"
	    "unpause web-domc\nunpause web-domu\n");
	close(fd);
	description_free(d);
}

/* The guest runs, or is in the file: never neither, and not both. */
static void
save_at_each_call(void **state)
{
	for (int killed = 0; killed < 2; killed++)
		for (int n = 1;; n++) {
			int fd = file(), rc;
			bool runs;

				setup(state);
			create("");
			f.fail_at = n;
			f.killed = killed;
			rc = operate_save(&o, "web", fd);
			close(fd);
			if (f.calls < n) {
				assert_int_equal(rc, 0);
				break;
			}
			f.fail_at = 0;
			f.killed = false;
			settled();
			runs = fake_domain(&f, "web-domu") != NULL;
			if (rc == 0)
				assert_false(runs);
			/* Whoever is told that it failed removes the file. */
			else if (!killed && !o.unknown)
				assert_true(runs);
			if (runs)
				assert_false(fake_domain(&f, "web-domu")->d.suspended);
			else
				assert_non_null(strstr(fake_record(&f, "web"), "\"saved\""));
		}
}

/* A kernel does not survive a save with channels. */
static void
not_with_open_channels(void **state)
{
	int fd = file();

	(void)state;
	create("");
	f.close_after = 5;
	assert_int_equal(operate_save(&o, "web", fd), 0);
	assert_non_null(strstr(f.log, "save"));
	setup(state);
	create("");
	f.close_after = -1;
	assert_int_equal(operate_save(&o, "web", fd), -1);
	assert_non_null(strstr(o.error, "has not closed its channels"));
	assert_null(strstr(f.log, "save"));
	settled();
	assert_int_equal(fake_domain(&f, "web-domu")->peer, 1);
	assert_int_equal(fake_domain(&f, "web-domc")->peer, 2);
	close(fd);
}

static void
not_into_a_full_disk(void **state)
{
	int fds[2];

	(void)state;
	create("");
	assert_int_equal(pipe(fds), 0);
	close(fds[1]);
	assert_int_equal(operate_save(&o, "web", fds[0]), -1);
	assert_non_null(strstr(o.error, "cannot be written"));
	assert_non_null(fake_domain(&f, "web-domu"));
	close(fds[0]);
}

static void
files_that_are_not_its_own(void **state)
{
	struct description *d = describe("web", "", ""), *other = describe("other", "", ""),
			   *more = describe("web", "", "vcpus=2");
	int fd = file(), none = file();

	(void)state;
	create("");
	assert_int_equal(operate_save(&o, "web", fd), 0);
	assert_int_equal(write(none, "CAASDOMU", 8), 8);
	assert_int_equal(lseek(none, 0, SEEK_SET), 0);
	assert_int_equal(operate_restore(&o, d, none), -1);
	assert_non_null(strstr(o.error, "none that caas pair save"));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(operate_restore(&o, other, fd), -1);
	assert_non_null(strstr(o.error, "of the pair web"));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(operate_restore(&o, more, fd), -1);
	assert_non_null(strstr(o.error, "vcpus = 1"));
	close(fd);
	close(none);
	description_free(more);
	description_free(other);
	description_free(d);
}

/* A restore that fails leaves what a save had left. */
static void
restore_at_each_call(void **state)
{
	struct description *d = describe("web", "", "");

	for (int killed = 0; killed < 2; killed++)
		for (int n = 1;; n++) {
			int fd = file(), rc;

				setup(state);
			create("");
			assert_int_equal(operate_save(&o, "web", fd), 0);
			assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
			f.serve_after = 2;
			f.calls = 0;
			f.fail_at = n;
			f.killed = killed;
			rc = operate_restore(&o, d, fd);
			close(fd);
			if (f.calls < n) {
				assert_int_equal(rc, 0);
				break;
			}
			f.fail_at = 0;
			f.killed = false;
			settled();
			assert_non_null(fake_domain(&f, "web-domc"));
			if (fake_domain(&f, "web-domu") != NULL)
				assert_false(fake_domain(&f, "web-domu")->paused);
			else
				assert_non_null(strstr(fake_record(&f, "web"), "\"saved\""));
		}
	description_free(d);
}

static void
what_is_not_protected(void **state)
{
	static const struct {
		enum xen_xsm xsm;
		uint32_t self;
		const char *says;
	} rows[] = {{XSM_NONE, 0, "no XSM, and domtd runs in dom0"}, {XSM_NONE, 3, "no XSM: dom0"},
	    {XSM_PERMISSIVE, 3, "only logs"}, {XSM_ENFORCING, 0, "domtd runs in dom0: it has"},
	    {XSM_ENFORCING, 3, NULL}};
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		f.xsm = rows[i].xsm;
		f.self = rows[i].self;
		assert_int_equal(world_look(&f.xen, &w), 0);
		if (rows[i].says != NULL)
			assert_non_null(strstr(show_unprotected(&w), rows[i].says));
		else
			assert_null(show_unprotected(&w));
		world_free(&w);
	}
}

/* A record that nobody understands is left alone, and hides no other. */
static void
record_of_another_version(void **state)
{
	struct world w;

	(void)state;
	create("");
	assert_int_equal(XEN(record_put, &f.xen, "odd", "{\"version\":99}"), 0);
	settled();
	assert_non_null(fake_record(&f, "odd"));
	assert_int_equal(world_look(&f.xen, &w), 0);
	assert_int_equal(w.n, 1);
	world_free(&w);
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
#define T(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {T(in_the_right_order), T(no_second_domc),
	    T(no_domain_of_somebody_else), T(domc_that_never_serves), T(domc_that_ends),
	    T(create_with_each_call_failing), T(create_killed_at_each_call),
	    T(gone_with_its_partner), T(kept_without_its_partner),
	    T(domc_anew_for_a_guest_that_runs), T(a_guest_that_reboots),
	    T(a_guest_that_may_not_reboot), T(domid_of_another), T(told_again), T(destroyed),
	    T(saved_and_restored), T(saved_without_domc), T(save_at_each_call),
	    T(not_with_open_channels), T(not_into_a_full_disk), T(files_that_are_not_its_own),
	    T(restore_at_each_call), T(what_is_not_protected), T(record_of_another_version)};

	return cmocka_run_group_tests(tests, make_image, remove_image);
}
