/* ports.c: listeners follow the world, and what a pair may change in a second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../vsmd/store/dirs.h"
#include "xen-hooks/tpmd/loop.h"
#include "xen-hooks/tpmd/ports.h"

static struct control_pair
pair(const char *name, uint32_t domid, int image)
{
	struct control_pair p = {.domid = domid};

	snprintf(p.pair, sizeof(p.pair), "%s", name);
	memset(p.digest, image, sizeof(p.digest));
	return p;
}

static unsigned gone;

static void
count_gone(void *arg, struct port *port)
{
	(void)arg;
	assert_non_null(port->listener);
	gone++;
}

static bool
become(struct ports *p, struct control_pair *pairs, size_t n, char text[CONTROL_TEXT])
{
	struct control_world w = {.pairs = pairs, .n = n};

	gone = 0;
	text[0] = '\0';
	return ports_become(p, &w, count_gone, NULL, text, CONTROL_TEXT);
}

static void
follow(void **state)
{
	static struct ports p;
	struct control_pair world[3] = {pair("web", 7, 1), pair("ca", 8, 2), pair("dns", 9, 3)};
	char *dir = dirs_make("/tmp"), text[CONTROL_TEXT], file[256];
	const struct port *kept;

	(void)state;
	p.sockets = dir;
	assert_true(become(&p, world, 2, text));
	assert_int_equal(p.n, 2);
	assert_true(dirs_has(dir, "7"));
	kept = p.port[0];
	/* Who stands there as before keeps his. */
	assert_true(become(&p, world, 3, text));
	assert_int_equal(gone, 0);
	assert_ptr_equal(p.port[0], kept);
	/* Another image, domid or pair is somebody else. */
	world[0].digest[0] ^= 1;
	assert_true(become(&p, world, 3, text));
	assert_int_equal(gone, 1);
	world[1].uuid[3] ^= 1;
	assert_true(become(&p, world, 3, text));
	assert_int_equal(gone, 1);
	world[2].domid = 10;
	assert_true(become(&p, world, 3, text));
	assert_int_equal(gone, 1);
	assert_false(dirs_has(dir, "9"));
	assert_true(dirs_has(dir, "10"));
	/* Two swap their domids. */
	world[0].domid = 8;
	world[1].domid = 7;
	assert_true(become(&p, world, 3, text));
	assert_int_equal(gone, 2);
	assert_int_equal(p.n, 3);
	/* Where one cannot be listened for, the others are. */
	snprintf(file, sizeof(file), "%s/11", dir);
	assert_int_equal(mkdir(file, 0700), 0);
	world[0].domid = 11;
	assert_false(become(&p, world, 3, text));
	assert_non_null(strstr(text, "web"));
	assert_int_equal(p.n, 2);
	assert_int_equal(rmdir(file), 0);
	assert_true(become(&p, world, 3, text));
	assert_int_equal(p.n, 3);
	assert_true(become(&p, NULL, 0, text));
	assert_int_equal(gone, 3);
	assert_int_equal(p.n, 0);
	assert_true(become(&p, world, 1, text));
	ports_close(&p);
	dirs_remove(dir);
}

static void
rate(void **state)
{
	struct port p = {.paid = 0};

	(void)state;
	for (int i = 0; i < 100000; i++) {
		assert_int_equal(port_wait(&p, 0), 0);
		port_take(&p, 0);
	}
	for (int i = 0; i < LOOP_BURST; i++) {
		assert_int_equal(port_wait(&p, 1), 0);
		port_take(&p, 1);
	}
	assert_in_range(port_wait(&p, 1), 1, 1000);
	port_take(&p, 1);
	assert_in_range(port_wait(&p, 1), 1001, 2000);
	/* Others are not asked to wait. */
	p = (struct port){.paid = 0};
	assert_int_equal(port_wait(&p, 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(follow),
	    cmocka_unit_test(rate),
	};

	return cmocka_run_group_tests_name("tpmd ports", tests, NULL, NULL);
}
