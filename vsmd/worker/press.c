/* press.c - see press.h */
#include "vsmd/worker/press.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "vsmd/worker/interpose.h"

#define TEXT 36 /* letters of a UUID */
#define OBJECT ".object"
/* Stand for descriptors of files that are not opened. */
#define FD_OBJECT 0x40000001
#define FD_LOCK 0x40000002

/* SoftHSM2 makes the file, then writes it once; what comes after that is not wanted. */
enum stage { OFF, BEGUN, MADE, WRITTEN };

static _Thread_local struct {
	enum stage stage;
	char name[TEXT];
	struct buf *file;
	size_t pos;
} press;

static struct {
	pthread_once_t once;
	int (*ftruncate)(int, off_t);
} real = {.once = PTHREAD_ONCE_INIT};

static void
find(void)
{
	(void)interpose_find("ftruncate", &real.ftruncate);
}

void
press_begin(struct buf *file)
{
	buf_reset(file);
	press.file = file;
	press.pos = 0;
	press.stage = BEGUN;
}

bool
press_end(void)
{
	bool whole = press.stage == WRITTEN && buf_ok(press.file) && press.file->len > 0;

	press.stage = OFF;
	press.file = NULL;
	return whole;
}

bool
press_on(void)
{
	return press.stage != OFF;
}

bool
press_names(const char *file)
{
	return press.stage > BEGUN && strncmp(file, press.name, TEXT) == 0;
}

static int
refuse(int err)
{
	errno = err;
	return -1;
}

static int
open_object(int flags)
{
	if ((flags & O_ACCMODE) == O_RDONLY || press.stage == WRITTEN)
		return refuse(EACCES);
	press.stage = flags & O_TRUNC ? press.stage : WRITTEN;
	press.pos = 0;
	return FD_OBJECT;
}

int
press_open(const char *file, int flags)
{
	size_t len = strlen(file);

	if (press.stage == OFF)
		return PRESS_NOT;
	/* Nobody is to look for it. */
	if (strcmp(file, "generation") == 0)
		return (flags & O_ACCMODE) == O_RDONLY ? PRESS_NOT : refuse(EACCES);
	if (press.stage == BEGUN && (flags & O_CREAT) && len == TEXT + strlen(OBJECT) &&
	    strcmp(file + TEXT, OBJECT) == 0) {
		memcpy(press.name, file, TEXT);
		press.stage = MADE;
		press.pos = 0;
		return FD_OBJECT;
	}
	if (!press_names(file))
		return PRESS_NOT;
	return strcmp(file + TEXT, OBJECT) == 0 ? open_object(flags) : FD_LOCK;
}

static ssize_t
read_file(void *cookie, char *dst, size_t n)
{
	size_t left = press.file != NULL ? press.file->len - press.pos : 0;

	(void)cookie;
	n = n < left ? n : left;
	if (n > 0)
		memcpy(dst, press.file->data + press.pos, n);
	press.pos += n;
	return (ssize_t)n;
}

/* Always at the end: it is cut before it is written anew. */
static ssize_t
write_file(void *cookie, const char *src, size_t n)
{
	(void)cookie;
	if (press.file == NULL)
		return 0;
	if (press.pos != press.file->len)
		buf_fail(press.file);
	buf_put_raw(press.file, src, n);
	press.pos += n;
	return buf_ok(press.file) ? (ssize_t)n : 0;
}

static int
seek_file(void *cookie, off64_t *at, int whence)
{
	(void)cookie;
	off64_t to = *at;

	if (press.file == NULL)
		return -1;
	if (whence != SEEK_SET)
		to += (off64_t)(whence == SEEK_CUR ? press.pos : press.file->len);
	if (to < 0 || to > (off64_t)press.file->len)
		return -1;
	press.pos = (size_t)to;
	*at = to;
	return 0;
}

FILE *
press_fdopen(int fd, const char *mode, bool *ret_ours)
{
	cookie_io_functions_t none = {0}, file = {
	    .read = read_file, .write = write_file, .seek = seek_file};

	*ret_ours = press.stage != OFF && (fd == FD_OBJECT || fd == FD_LOCK);
	if (!*ret_ours)
		return NULL;
	return fopencookie(NULL, mode, fd == FD_OBJECT ? file : none);
}

int in_ftruncate(int fd, off_t len) __asm__("ftruncate") __attribute__((visibility("default")));

/* A stream of ours has no descriptor. */
int
in_ftruncate(int fd, off_t len)
{
	pthread_once(&real.once, find);
	if (fd == -1 && press.stage != OFF && len == 0) {
		buf_truncate(press.file, 0);
		press.pos = 0;
		return 0;
	}
	return real.ftruncate != NULL ? real.ftruncate(fd, len) : refuse(ENOSYS);
}
