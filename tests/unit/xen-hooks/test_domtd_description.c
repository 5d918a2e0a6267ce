/* Descriptions of pairs: taken as they are meant, or refused with the line and the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "xen-hooks/domtd/description.h"

#define LEAST "[domc]\nkernel = /c\nmemory = 64\n[domu]\nkernel = /u\nmemory = 128\n"

static char complaints[4096];

static void
complain(void *arg, const char *line)
{
	size_t len = strlen(complaints);

	(void)arg;
	snprintf(complaints + len, sizeof(complaints) - len, "%s\n", line);
}

static struct description *
parse(const char *text)
{
	complaints[0] = '\0';
	return description_parse("f", "web", text, strlen(text), complain, NULL);
}

static void
refused(const char *text, const char *why)
{
	struct description *d = parse(text);

	assert_string_equal(complaints, why);
	assert_null(d);
}

static void
the_least(void **state)
{
	struct description *d = parse(LEAST);

	(void)state;
	assert_string_equal(complaints, "");
	assert_string_equal(d->name, "web");
	assert_string_equal(d->half[DOMC].name, "web-domc");
	assert_string_equal(d->half[DOMU].name, "web-domu");
	assert_int_equal(d->half[DOMC].type, DOMAIN_PV);
	assert_int_equal(d->half[DOMU].vcpus, 1);
	assert_false(d->keep[DOMC]);
	assert_false(d->keep[DOMU]);
	assert_true(d->keep_on_save);
	assert_true(d->restart);
	assert_int_equal(d->serving_timeout, 120);
	assert_int_equal(d->timeout, 600);
	description_free(d);
}

static void
everything(void **state)
{
	static const uint8_t uuid[DOMAIN_UUID] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0,
	    0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0};
	struct description *d = parse(
	    "[pair]\non-domc-gone = keep\non-domu-gone = destroy\non-save = destroy\n"
	    "on-domu-reboot = destroy\n"
	    "serving-timeout = 30\ntimeout = 60\n"
	    "[domc]\nname = keys\ntype = pvh\nkernel = /c/\nramdisk = /r\ncmdline = a=1 b\n"
	    "cmdline = c\nmemory = 64\nvcpus = 2\ndisk = /dev/x,raw,xvda,rw\n"
	    "disk = /dev/y,raw,xvdb,ro\nseclabel = system_u:system_r:domC_t\n"
	    "init-seclabel = system_u:system_r:domC_t_building\n"
	    "[domu]\nkernel = /u\nmemory = 128\nvif = bridge=br0,mac=00:16:3e:00:00:01\n"
	    "uuid = 12345678-9aBc-def0-1234-56789abcdef0\n");

	(void)state;
	assert_string_equal(complaints, "");
	assert_true(d->keep[DOMC]);
	assert_false(d->keep[DOMU]);
	assert_false(d->keep_on_save);
	assert_false(d->restart);
	assert_int_equal(d->serving_timeout, 30);
	assert_string_equal(d->half[DOMC].name, "keys");
	assert_int_equal(d->half[DOMC].type, DOMAIN_PVH);
	assert_string_equal(d->half[DOMC].kernel, "/c");
	assert_string_equal(d->half[DOMC].cmdline, "a=1 b c");
	assert_int_equal(d->half[DOMC].ndisks, 2);
	assert_string_equal(d->half[DOMC].disks[1], "/dev/y,raw,xvdb,ro");
	assert_string_equal(d->half[DOMC].seclabel, "system_u:system_r:domC_t");
	assert_int_equal(d->half[DOMU].nvifs, 1);
	assert_memory_equal(d->half[DOMU].uuid, uuid, DOMAIN_UUID);
	description_free(d);
}

static void
mistakes(void **state)
{
	(void)state;
	refused("", "f:0: there is no [domc]\nf:0: there is no [domu]\n");
	refused("memory = 1\n" LEAST, "f:1: `memory' stands before any section: begin with [domc]\n");
	refused("[domd]\n" LEAST, "f:1: unknown section: there are [pair], [domc] and [domu]\n");
	refused(LEAST "[domc]\n", "f:7: [domc] is already at line 1\n");
	refused(LEAST "memroy = 3\n", "f:7: unknown key `memroy': did you mean `memory'?\n");
	refused(LEAST "memory = 3\n", "f:7: `memory' is given twice\n");
	refused(LEAST "ramdisk =\n", "f:7: `ramdisk' has no value\n");
	refused(LEAST "ramdisk = r\n", "f:7: ramdisk: `r' is not an absolute path\n");
	refused(LEAST "vcpus = 0\n", "f:7: vcpus: `0' is not a number from 1 to 128\n");
	refused(LEAST "type = hvm\n", "f:7: type: `hvm' is not one of pv pvh\n");
	refused(LEAST "name = 7up\n",
	    "f:7: name: `7up' is no domain's name: letters, digits and ._+-, the first a letter, "
	    "63 at most\n");
	refused(LEAST "name = web-domc\n", "f:4: both domains are called web-domc\n");
	refused(LEAST "uuid = 12\n", "f:7: uuid: `12' is none\n");
	refused(LEAST "vif = bridge\n",
	    "f:7: vif: `bridge' is not bridge=NAME,mac=ADDRESS,script=PATH,backend=DOMAIN or a "
	    "part of that\n");
	refused(LEAST "[pair]\non-save = shred\n",
	    "f:8: on-save: `shred' is not one of destroy keep\n");
	refused(LEAST "[pair]\ntimeout = 9\n",
	    "f:7: serving-timeout = 120 is more than timeout = 9\n");
	refused("[domc]\nuuid = x\nkernel = /c\nmemory = 64\n[domu]\nmemory = 64\n",
	    "f:2: unknown key `uuid' in this section: see caas-pair(5)\n"
	    "f:5: [domu] has no kernel: it is booted by one\n");
	refused(LEAST "just words\n", "f:7: neither a [section] nor `key = value'\n");
}

static void
too_many(void **state)
{
	char text[4096] = LEAST;

	(void)state;
	for (int i = 0; i < DOMAIN_DISKS + 1; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "disk = /dev/x,raw,xvda,rw\n");
	refused(text, "f:15: disk: more than 8\n");
	snprintf(text, sizeof(text), "%s", LEAST);
	for (int i = 0; i < 12; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "cmdline = %0180d\n", 0);
	refused(text, "f:18: cmdline: longer than 2047 bytes\n");
}

/* Who can write it decides what has the keys. */
static void
files(void **state)
{
	char dir[] = "/tmp/test-domtd.XXXXXX", file[64];
	struct description *d;
	FILE *out;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/web.conf", dir);
	out = fopen(file, "we");
	assert_non_null(out);
	fputs(LEAST, out);
	fclose(out);
	complaints[0] = '\0';
	assert_int_equal(chmod(file, 0644), 0);
	d = description_load(dir, "web", complain, NULL);
	assert_string_equal(complaints, "");
	assert_non_null(d);
	description_free(d);
	assert_int_equal(chmod(file, 0664), 0);
	assert_null(description_load(dir, "web", complain, NULL));
	assert_non_null(strstr(complaints, "chmod go-w"));
	assert_null(description_load(dir, "none", complain, NULL));
	assert_null(description_load(dir, "../web", complain, NULL));
	assert_non_null(strstr(complaints, "the pair's name is none"));
	unlink(file);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_least),
	    cmocka_unit_test(everything), cmocka_unit_test(mistakes), cmocka_unit_test(too_many),
	    cmocka_unit_test(files)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
