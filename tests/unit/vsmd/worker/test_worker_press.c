/* test_worker_press.c - press.c and plant.c: files that are nowhere; what SoftHSM2 does is done
 * here by hand */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

#include "common/tree.h"
#include "vsmd/worker/plant.h"
#include "vsmd/worker/press.h"
#include "vsmd/worker/view.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"
#define NAME strlen(OTHER ".object")
#define OTHER "fedcba98-89ab-cdef-0123-456789abcdef"

static char above[] = "/tmp/caas-press-XXXXXX";
static char token[64];
static struct buf file;

static const char *
path(const char *name)
{
	static _Thread_local char ret[160];

	snprintf(ret, sizeof(ret), "%s/%s", token, name);
	return ret;
}

static void
make(const char *name, const char *text)
{
	int fd = openat(AT_FDCWD, path(name), O_WRONLY | O_CREAT, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

static int
setup(void **state)
{
	(void)state;
	memcpy(above, "/tmp/caas-press-XXXXXX", sizeof(above));
	assert_non_null(mkdtemp(above));
	snprintf(token, sizeof(token), "%s/token", above);
	assert_int_equal(mkdir(token, 0700), 0);
	make("generation", "\0\0\0\0\0\0\0");
	make(OTHER ".object", "another one");
	view_start(above, true);
	buf_init(&file, 4096);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_free(&file);
	return tree_remove(AT_FDCWD, above, 4);
}

static bool
exists(const char *name)
{
	struct stat st;

	return fstatat(AT_FDCWD, path(name), &st, 0) == 0;
}

/* As SoftHSM2 makes an object's file, or writes it anew: what is there is read first. */
static bool
store(const char *name, int flags, const char *text)
{
	struct flock lock = {.l_type = F_WRLCK};
	char old[64];
	int fd = open(path(name), O_RDWR | flags, 0600);
	FILE *f = fd >= 0 ? fdopen(fd, "w+") : NULL;
	bool ok;

	if (f == NULL)
		return false;
	ok = fcntl(fileno(f), F_SETLKW, &lock) == 0;
	(void)!fread(old, 1, 8, f);
	ok = ok && fseek(f, 0, SEEK_SET) == 0 && ftruncate(fileno(f), 0) == 0;
	for (const char *p = text; ok && *p != '\0'; p++)
		ok = fwrite(p, 1, 1, f) == 1;
	return fclose(f) == 0 && ok;
}

static void
test_nothing_is_written(void **state)
{
	FILE *f;

	(void)state;
	press_begin(&file);
	assert_true(store(UUID ".object", O_CREAT | O_TRUNC, "new"));
	f = fdopen(open(path(UUID ".lock"), O_WRONLY | O_CREAT | O_TRUNC, 0600), "w");
	assert_non_null(f);
	(void)fclose(f);
	errno = 0;
	assert_int_equal(open(path("generation"), O_RDWR | O_CREAT, 0600), -1);
	assert_int_equal(errno, EACCES);
	assert_true(store(UUID ".object", O_CREAT, "the object as it is"));
	/* It is not read again, nor written. */
	assert_int_equal(open(path(UUID ".object"), O_RDONLY), -1);
	assert_false(store(UUID ".object", O_CREAT, "changed"));
	assert_int_equal(remove(path(UUID ".object")), 0);
	assert_int_equal(remove(path(UUID ".lock")), 0);
	assert_true(press_end());
	assert_int_equal(file.len, strlen("the object as it is"));
	assert_memory_equal(file.data, "the object as it is", file.len);
	assert_false(exists(UUID ".object"));
	assert_false(exists(UUID ".lock"));
}

/* Files of others, and what comes after, are what they were. */
static void
test_others(void **state)
{
	FILE *f;
	char text[16] = "";

	(void)state;
	press_begin(&file);
	assert_true(store(UUID ".object", O_CREAT | O_TRUNC, ""));
	f = fdopen(open(path(OTHER ".object"), O_RDONLY), "r");
	assert_non_null(f);
	assert_int_equal(fread(text, 1, sizeof(text), f), strlen("another one"));
	(void)fclose(f);
	assert_string_equal(text, "another one");
	assert_false(press_end()); /* it was made, and not written */
	assert_true(store(UUID ".object", O_CREAT | O_TRUNC, "real"));
	assert_true(exists(UUID ".object"));
	assert_int_equal(remove(path(UUID ".object")), 0);
	assert_false(exists(UUID ".object"));
}

static void
test_too_large(void **state)
{
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	buf_init(&file, 1000);
	press_begin(&file);
	(void)store(UUID ".object", O_CREAT | O_TRUNC, "");
	(void)store(UUID ".object", O_CREAT, text);
	assert_false(press_end());
}

/* The names in the directory, one of the files planted among them. */
static size_t
count(char ret[64])
{
	size_t n = 0;
	DIR *d = opendir(token);
	const struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (strlen(e->d_name) != NAME || strcmp(e->d_name + 36, ".object") != 0)
			continue;
		n++;
		if (strcmp(e->d_name, OTHER ".object") != 0)
			memcpy(ret, e->d_name, NAME + 1);
	}
	(void)closedir(d);
	return n;
}

static void
see_planted(bool whole)
{
	struct planted files[2] = {
	    {(const uint8_t *)"\0\0\0\0\0\0\0\1first", 13}, {(const uint8_t *)"second", 6}};
	char name[64] = "", text[16] = "";
	uint8_t opened[VIEW_NAME];
	struct stat st;
	FILE *f;

	view_start(above, whole);
	assert_int_equal(count(name), whole);
	assert_true(plant_begin(files, 2));
	assert_int_equal(count(name), 2 + whole);
	assert_int_equal(lstat(path(name), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(open(path(name), O_RDWR), -1);
	f = fdopen(open(path(name), O_RDONLY), "r");
	assert_non_null(f);
	assert_true(view_opened(opened));
	assert_true(plant_find(opened) < 2);
	assert_int_equal(fstat(fileno(f), &st), 0);
	assert_true(st.st_size > 0); /* SoftHSM2 asks whether it is empty */
	/* It may be read after the end. */
	plant_end();
	assert_true(fread(text, 1, sizeof(text), f) >= 6);
	(void)fclose(f);
	assert_int_equal(fstat(-1, &st), -1);
	assert_int_equal(count(name), whole);
	assert_false(exists(name));
	assert_int_equal(open(path(name), O_RDONLY), -1);
}

static void
test_planted(void **state)
{
	(void)state;
	see_planted(true);
	see_planted(false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_nothing_is_written, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_others, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_planted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
