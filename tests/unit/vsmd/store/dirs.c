/* dirs.c - see dirs.h */
#include "dirs.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

char *
dirs_make(const char *base)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/caas-store-XXXXXX", base);
	assert_non_null(mkdtemp(path));
	return strdup(path);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type;
	if (ftw->level > 0)
		assert_int_equal(remove(path), 0);
	return 0;
}

void
dirs_empty(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void
dirs_remove(char *path)
{
	dirs_empty(path);
	(void)rmdir(path);
	free(path);
}

static void
join(char out[PATH_MAX], const char *dir, const char *name)
{
	assert_true(snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX);
}

uint8_t *
dirs_load(const char *dir, const char *name, size_t *ret_len)
{
	char path[PATH_MAX];
	struct stat st;
	uint8_t *data;
	int fd;

	join(path, dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size + 1);
	assert_non_null(data);
	assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_len = (size_t)st.st_size;
	return data;
}

void
dirs_save(const char *dir, const char *name, const void *data, size_t len)
{
	char path[PATH_MAX];
	int fd;

	join(path, dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

void
dirs_unlink(const char *dir, const char *name)
{
	char path[PATH_MAX];

	join(path, dir, name);
	assert_int_equal(unlink(path), 0);
}

bool
dirs_has(const char *dir, const char *name)
{
	char path[PATH_MAX];

	join(path, dir, name);
	return access(path, F_OK) == 0;
}

void
dirs_copy(const char *from, const char *to)
{
	DIR *d = opendir(from);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		char a[PATH_MAX], b[PATH_MAX];
		uint8_t *data;
		size_t len;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		join(a, from, e->d_name);
		join(b, to, e->d_name);
		if (e->d_type == DT_DIR) {
			(void)mkdir(b, 0700);
			dirs_copy(a, b);
			continue;
		}
		data = dirs_load(from, e->d_name, &len);
		dirs_save(to, e->d_name, data, len);
		free(data);
	}
	closedir(d);
}

static bool
aside(const char *name, const char *const *except)
{
	const char *dot = strrchr(name, '.');

	if (name[0] == '.' || (dot != NULL && strcmp(dot, ".lock") == 0))
		return true;
	for (; except != NULL && *except != NULL; except++)
		if (strcmp(*except, name) == 0)
			return true;
	return false;
}

static bool
contains(const char *a, const char *b, const char *const *except)
{
	DIR *d = opendir(b);
	struct dirent *e;
	bool same = d != NULL;

	while (same && (e = readdir(d)) != NULL) {
		uint8_t *x, *y;
		size_t n, m;

		if (aside(e->d_name, except))
			continue;
		if (!dirs_has(a, e->d_name)) {
			print_message("%s is missing in %s\n", e->d_name, a);
			same = false;
			break;
		}
		if (e->d_type == DT_DIR) {
			char in_a[PATH_MAX], in_b[PATH_MAX];

			join(in_a, a, e->d_name);
			join(in_b, b, e->d_name);
			same = contains(in_a, in_b, except);
			continue;
		}
		x = dirs_load(a, e->d_name, &n);
		y = dirs_load(b, e->d_name, &m);
		same = n == m && memcmp(x, y, n) == 0;
		if (!same)
			print_message("%s differs\n", e->d_name);
		free(x);
		free(y);
	}
	if (d != NULL)
		closedir(d);
	return same;
}

bool
dirs_equal(const char *a, const char *b, const char *const *except)
{
	return contains(a, b, except) && contains(b, a, except);
}

bool
dirs_long(void)
{
	const char *v = getenv("CAAS_TEST_LONG");

	return v != NULL && strcmp(v, "1") == 0;
}
