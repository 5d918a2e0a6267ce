/* files.c - paths, descriptors, and what lies in the token's own directory. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hook.h"

#define MOST_FDS 1024

static long
openat_(const char *path, int flags)
{
	return syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600);
}

/* That is all that was wanted. */
static void
said_open(long fd)
{
	said_rc(fd);
	if (fd >= 0)
		syscall(SYS_close, fd);
}

static void
do_read(char *path)
{
	said_open(openat_(path, O_RDONLY));
}

static void
do_write(char *path)
{
	said_open(openat_(path, O_WRONLY));
}

static void
do_create(char *path)
{
	said_open(openat_(path, O_WRONLY | O_CREAT | O_EXCL));
}

static void
do_list(char *path)
{
	said_open(openat_(path, O_RDONLY | O_DIRECTORY));
}

static void
do_unlink(char *path)
{
	said_rc(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}

static void
do_mkdir(char *path)
{
	said_rc(syscall(SYS_mkdirat, AT_FDCWD, path, 0700));
}

static void
do_rename(char *arg)
{
	const char *from = next_word(&arg);

	said_rc(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, next_word(&arg), 0));
}

static void
do_stat(char *path)
{
	struct stat st;

	said_rc(syscall(SYS_newfstatat, AT_FDCWD, path, &st, 0));
}

static void
do_readlink(char *path)
{
	char target[PATH_MAX];

	said_rc(syscall(SYS_readlinkat, AT_FDCWD, path, target, sizeof(target)));
}

/* Every descriptor, as the kernel calls it. */
static void
do_descriptors(char *arg)
{
	char all[HOOK_SAYS] = "", path[64], what[256];

	(void)arg;
	for (int fd = 0; fd < MOST_FDS; fd++) {
		long n;

		if (syscall(SYS_fcntl, fd, F_GETFD) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = syscall(SYS_readlinkat, AT_FDCWD, path, what, sizeof(what) - 1);
		what[n > 0 ? n : 0] = '\0';
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%d=%s ", fd, what);
	}
	said("%s", all);
}

/* PATH: the gate file of the token, of no length any more. */
static void
do_gate_cut(char *path)
{
	long fd = openat_(path, O_RDWR);

	said_rc(fd < 0 ? fd : syscall(SYS_ftruncate, fd, 0));
}

/* PATH BYTE: every byte of it that. */
static void
do_gate_fill(char *arg)
{
	const char *path = next_word(&arg);
	long fd = openat_(path, O_RDWR), rc = fd;
	char bytes[4096];
	struct stat st;

	memset(bytes, (int)next_number(&arg), sizeof(bytes));
	if (fd < 0 || fstat((int)fd, &st) != 0) {
		said_rc(fd);
		return;
	}
	for (off_t at = 0; at < st.st_size && rc >= 0; at += (off_t)sizeof(bytes))
		rc = syscall(SYS_pwrite64, fd, bytes,
		    st.st_size - at < (off_t)sizeof(bytes) ? (size_t)(st.st_size - at)
							   : sizeof(bytes), at);
	said_rc(rc);
}

/* PATH SECONDS: nobody else may enter. */
static void
do_gate_hold(char *arg)
{
	const char *path = next_word(&arg);
	long fd = openat_(path, O_RDWR);
	struct timespec ts = {.tv_sec = next_number(&arg)};

	if (fd < 0 || syscall(SYS_flock, fd, LOCK_EX) < 0) {
		said_rc(-1);
		return;
	}
	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, NULL);
	syscall(SYS_close, fd);
	said("OK");
}

/* DIRECTORY BYTES: an object of so many. */
static void
do_large(char *arg)
{
	const char *dir = next_word(&arg);
	char path[PATH_MAX];
	long fd;

	snprintf(path, sizeof(path), "%s/large.object", dir);
	fd = openat_(path, O_RDWR | O_CREAT);
	said_rc(fd < 0 ? fd : syscall(SYS_ftruncate, fd, next_number(&arg)));
}

/* DIRECTORY DEPTH: directories one in the other; the innermost cannot be listed. */
static void
do_deep(char *arg)
{
	const char *dir = next_word(&arg);
	long depth = next_number(&arg), rc = 0;
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s", dir);

	for (long i = 0; i < depth && rc >= 0 && (size_t)len + 3 < sizeof(path); i++) {
		len += snprintf(path + len, sizeof(path) - (size_t)len, "/d");
		rc = syscall(SYS_mkdirat, AT_FDCWD, path, i + 1 < depth ? 0700 : 0);
	}
	said_rc(rc);
}

/* DIRECTORY COUNT: as many objects, of one byte. */
static void
do_many(char *arg)
{
	const char *dir = next_word(&arg);
	long count = next_number(&arg), rc = 0;
	char path[PATH_MAX];

	for (long i = 0; i < count && rc >= 0; i++) {
		snprintf(path, sizeof(path), "%s/many-%ld.object", dir, i);
		if ((rc = openat_(path, O_WRONLY | O_CREAT)) >= 0) {
			(void)!write((int)rc, "x", 1);
			syscall(SYS_close, rc);
		}
	}
	said_rc(rc);
}

const struct attempt file_attempts[] = {
    {"read", do_read},
    {"write", do_write},
    {"create", do_create},
    {"list", do_list},
    {"unlink", do_unlink},
    {"mkdir", do_mkdir},
    {"rename", do_rename},
    {"stat", do_stat},
    {"readlink", do_readlink},
    {"descriptors", do_descriptors},
    {"gate-cut", do_gate_cut},
    {"gate-fill", do_gate_fill},
    {"gate-hold", do_gate_hold},
    {"large", do_large},
    {"deep", do_deep},
    {"many", do_many},
    {NULL, NULL},
};
