/* view.c - see view.h */
#include "vsmd/worker/view.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "vsmd/worker/interpose.h"
#include "vsmd/worker/plant.h"
#include "vsmd/worker/press.h"
#include "vsmd/worker/seen.h"

#define SUFFIX ".object"
#define TEXT 36 /* letters of a UUID */
#define FIRST_SIZE 256
#define ANSWER 0x40000000 /* stands for a descriptor of a file that is not opened */
#define PLANTED 0x40000003 /* likewise: opened.name says of which */

static struct {
	const char *directory;
	size_t directory_len;
	atomic_bool whole, asked;
	pthread_mutex_t lock;
	/* The names: a set with open addressing, all zeroes for an empty place. */
	uint8_t (*names)[VIEW_NAME];
	size_t size, used;
	uint64_t generation;
	uint64_t checked; /* when the names were last compared with the files: seen_now(),
			     and 1 */
	/* With the whole view.  SoftHSM2 writes the number in the file without a look at who
	 * else has changed it, and would think that nothing has changed since it listed the
	 * directory. */
	uint64_t listed; /* the number in the file when it did, or its own later */
	bool stale;	 /* somebody's changes are not in its list */
} view = {.whole = true, .lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local struct {
	uint8_t names[VIEW_TOUCHED][VIEW_NAME];
	size_t n;
} touched;
static _Thread_local struct {
	uint8_t name[VIEW_NAME];
	bool is;
} opened;

/* A listing of the view, which SoftHSM2 takes for a DIR.  One at a time in a thread. */
static _Thread_local struct {
	uint8_t (*names)[VIEW_NAME];
	size_t n, at;
	bool there; /* all of them have files */
	DIR *whole; /* the directory itself is being read, and then: */
	size_t planted;
	struct dirent entry;
} listing;

static struct {
	pthread_once_t once;
	int (*open)(const char *, int, ...);
	FILE *(*fdopen)(int, const char *);
	DIR *(*opendir)(const char *);
	struct dirent *(*readdir)(DIR *);
	int (*closedir)(DIR *);
	int (*remove)(const char *);
	int (*fcntl)(int, int, ...);
} real = {.once = PTHREAD_ONCE_INIT};

static void
find(const char *name, void *ret)
{
	if (!interpose_find(name, ret))
		log_fatal("libc lacks %s", name);
}

static void
find_all(void)
{
	find("open", &real.open);
	find("fdopen", &real.fdopen);
	find("opendir", &real.opendir);
	find("readdir", &real.readdir);
	find("closedir", &real.closedir);
	find("remove", &real.remove);
	find("fcntl", &real.fcntl);
}

static void
ready(void)
{
	pthread_once(&real.once, find_all);
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The name of an object's file: false when it is none, or (*odd) an unusual one. */
static bool
parse(const char *file, uint8_t ret[VIEW_NAME], bool *odd)
{
	size_t len = strlen(file), n = 0;

	*odd = false;
	if (len <= strlen(SUFFIX) || strcmp(file + len - strlen(SUFFIX), SUFFIX) != 0 ||
	    strcmp(file, "token" SUFFIX) == 0)
		return false;
	*odd = true;
	if (len != TEXT + strlen(SUFFIX))
		return false;
	for (size_t i = 0; i < TEXT; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (file[i] != '-')
				return false;
			continue;
		}
		if (digit(file[i]) < 0 || digit(file[i + 1]) < 0)
			return false;
		ret[n++] = (uint8_t)(digit(file[i]) << 4 | digit(file[i + 1]));
		i++;
	}
	*odd = false;
	return true;
}

static void
print(char *dst, size_t size, const uint8_t n[VIEW_NAME])
{
	snprintf(dst, size,
	    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x" SUFFIX,
	    n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11],
	    n[12], n[13], n[14], n[15]);
}

/* Below SoftHSM2's directory: what follows it, TOKEN or TOKEN/FILE; NULL elsewhere. */
static const char *
inside(const char *path)
{
	if (view.directory == NULL ||
	    strncmp(path, view.directory, view.directory_len) != 0 ||
	    path[view.directory_len] != '/' || path[view.directory_len + 1] == '\0')
		return NULL;
	return path + view.directory_len + 1;
}

/* The file's name in a token's directory; NULL elsewhere. */
static const char *
file_of(const char *path)
{
	const char *at = inside(path), *slash = at != NULL ? strchr(at, '/') : NULL;

	return slash != NULL && slash[1] != '\0' ? slash + 1 : NULL;
}

/* With the lock held: where it is, or belongs. */
static size_t
place(const uint8_t name[VIEW_NAME])
{
	static const uint8_t none[VIEW_NAME];
	uint64_t h;
	size_t i;

	memcpy(&h, name, sizeof(h)); /* random as it is */
	for (i = h & (view.size - 1); memcmp(view.names[i], none, VIEW_NAME) != 0 &&
				      memcmp(view.names[i], name, VIEW_NAME) != 0;)
		i = (i + 1) & (view.size - 1);
	return i;
}

/* With the lock held: room for one more. */
static bool
grow(void)
{
	uint8_t(*old)[VIEW_NAME] = view.names;
	static const uint8_t none[VIEW_NAME];
	size_t size = view.size;

	if (view.used < size / 2)
		return true;
	view.size = size ? 2 * size : FIRST_SIZE;
	if ((view.names = calloc(view.size, VIEW_NAME)) == NULL) {
		view.names = old;
		view.size = size;
		return false;
	}
	for (size_t i = 0; i < size; i++)
		if (memcmp(old[i], none, VIEW_NAME) != 0)
			memcpy(view.names[place(old[i])], old[i], VIEW_NAME);
	free(old);
	return true;
}

/* With the lock held. 1 when it is new, 0, or -1. */
static int
insert(const uint8_t name[VIEW_NAME])
{
	size_t i;

	if (!grow())
		return -1;
	i = place(name);
	if (memcmp(view.names[i], name, VIEW_NAME) == 0)
		return 0;
	memcpy(view.names[i], name, VIEW_NAME);
	view.used++;
	return 1;
}

void
view_start(const char *directory, bool whole)
{
	ready();
	free(view.names);
	view.names = NULL;
	view.size = view.used = 0;
	view.directory = directory;
	view.directory_len = strlen(directory);
	atomic_store(&view.whole, whole);
	atomic_store(&view.asked, false);
	view.listed = 0;
	view.stale = false;
	/* Far from any number in a file: SoftHSM2 will think it changed. */
	view.generation = UINT64_C(1) << 62;
	view.checked = 0;
}

bool
view_is_whole(void)
{
	return atomic_load(&view.whole);
}

bool
view_was_asked(void)
{
	return atomic_load(&view.asked);
}

bool
view_add(const uint8_t (*names)[VIEW_NAME], size_t n)
{
	bool ok = true;
	int added = 0;

	pthread_mutex_lock(&view.lock);
	for (size_t i = 0; ok && i < n; i++) {
		int rc = insert(names[i]);

		ok = rc >= 0;
		added |= rc;
	}
	if (added > 0)
		view.generation++;
	pthread_mutex_unlock(&view.lock);
	return ok;
}

void
view_whole(void)
{
	pthread_mutex_lock(&view.lock);
	view.stale |= !atomic_exchange(&view.whole, true);
	pthread_mutex_unlock(&view.lock);
}

void
view_stale(void)
{
	pthread_mutex_lock(&view.lock);
	view.stale |= view_is_whole();
	view.generation++;
	pthread_mutex_unlock(&view.lock);
}

static void
touch(const uint8_t name[VIEW_NAME])
{
	for (size_t i = 0; i < touched.n && i < VIEW_TOUCHED; i++)
		if (memcmp(touched.names[i], name, VIEW_NAME) == 0)
			return;
	if (touched.n < VIEW_TOUCHED)
		memcpy(touched.names[touched.n], name, VIEW_NAME);
	if (touched.n <= VIEW_TOUCHED)
		touched.n++;
}

size_t
view_touched(uint8_t ret[VIEW_TOUCHED][VIEW_NAME])
{
	size_t n = touched.n;

	/* Whoever looked while it was written, without the gate, looks again. */
	if (n > 0)
		seen_changed();
	memcpy(ret, touched.names, (n < VIEW_TOUCHED ? n : VIEW_TOUCHED) * VIEW_NAME);
	touched.n = 0;
	return n;
}

bool
view_opened(uint8_t ret[VIEW_NAME])
{
	bool is = opened.is;

	if (ret != NULL)
		memcpy(ret, opened.name, VIEW_NAME);
	opened.is = false;
	return is;
}

bool
view_directory(const char *above, char ret[VIEW_PATH])
{
	DIR *d = view_list(above);
	const struct dirent *e = NULL;

	ret[0] = '\0';
	if (d == NULL)
		return false;
	while ((e = real.readdir(d)) != NULL && e->d_name[0] == '.')
		;
	if (e != NULL)
		snprintf(ret, VIEW_PATH, "%.4000s/%s", above, e->d_name);
	real.closedir(d);
	return e != NULL;
}

DIR *
view_list(const char *directory)
{
	ready();
	return real.opendir(directory);
}

bool
view_next(DIR *d, uint8_t ret[VIEW_NAME], bool *ret_odd)
{
	const struct dirent *e;

	*ret_odd = false;
	while ((e = real.readdir(d)) != NULL) {
		bool odd, is = parse(e->d_name, ret, &odd);

		*ret_odd |= odd;
		if (is)
			return true;
	}
	return false;
}

void
view_path(char ret[VIEW_PATH], const char *directory, const uint8_t name[VIEW_NAME])
{
	char file[TEXT + sizeof(SUFFIX)];

	print(file, sizeof(file), name);
	snprintf(ret, VIEW_PATH, "%.4200s/%s", directory, file);
}

int
view_open(const char *path)
{
	return real.open(path, O_RDONLY | O_CLOEXEC);
}

/* What follows is called by SoftHSM2, and by whoever else means libc. */

#define INTERPOSE(name) __asm__(name) __attribute__((visibility("default")))

int in_open(const char *path, int flags, ...) INTERPOSE("open");
FILE *in_fdopen(int fd, const char *mode) INTERPOSE("fdopen");
DIR *in_opendir(const char *path) INTERPOSE("opendir");
struct dirent *in_readdir(DIR *d) INTERPOSE("readdir");
int in_closedir(DIR *d) INTERPOSE("closedir");
int in_remove(const char *path) INTERPOSE("remove");
int in_lstat(const char *path, struct stat *st) INTERPOSE("lstat");
int in_fcntl(int fd, int cmd, ...) INTERPOSE("fcntl");

/*
 * Between open() and what follows it.  SoftHSM2 asks whether an object has changed by the
 * token's generation and then, at once, by the number at the start of the object's file;
 * when it has, it opens the file again, to read it.
 */
static _Thread_local struct {
	uint64_t number; /* the answer, for fdopen() */
	bool asking;	 /* the token's generation was opened, and nothing since */
	bool answered;	 /* an answer is being read, and nothing was opened since */
} checking;

static const uint8_t token_name[VIEW_NAME] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static int
answer(uint64_t number)
{
	checking.number = number;
	return ANSWER;
}

/* The number that a file starts with. */
static bool
number_in(int fd, uint64_t *ret)
{
	uint8_t start[sizeof(*ret)];

	*ret = 0;
	if (fd < 0 || pread(fd, start, sizeof(start), 0) != sizeof(start))
		return false;
	for (size_t i = 0; i < sizeof(start); i++)
		*ret = *ret << 8 | start[i];
	return true;
}

/* Open it to be read, and remember its number; *ret_known: there is one. */
static int
open_and_learn(const char *path, int flags, const uint8_t name[VIEW_NAME],
    uint64_t *ret_number, bool *ret_known)
{
	uint64_t now = seen_now();
	int fd = real.open(path, flags);

	if ((*ret_known = number_in(fd, ret_number)))
		seen_set(name, *ret_number, now);
	return fd;
}

/* SoftHSM2 adds one to what is there, and takes that for what it has listed. */
static int
write_generation(const char *path, int flags, int mode)
{
	uint64_t number;
	int fd;

	seen_changed();
	fd = real.open(path, flags, mode);
	(void)number_in(fd, &number);
	pthread_mutex_lock(&view.lock);
	view.stale |= view_is_whole() && number != view.listed;
	view.listed = number + 1;
	pthread_mutex_unlock(&view.lock);
	return fd;
}

static int
read_generation(const char *path, int flags)
{
	bool whole = view_is_whole(), known;
	uint64_t number = 0;
	int fd;

	if (whole && !seen_get(token_name, &number)) {
		fd = open_and_learn(path, flags, token_name, &number, &known);
		if (!known)
			return fd;
		(void)close(fd);
	}
	pthread_mutex_lock(&view.lock);
	if (!whole) {
		number = view.generation;
	} else {
		view.listed = number;
		if (view.stale) /* one that it does not know: it lists at once */
			number = ++view.generation;
	}
	pthread_mutex_unlock(&view.lock);
	return answer(number);
}

static int
open_generation(const char *path, int flags, int mode)
{
	if ((flags & O_ACCMODE) != O_RDONLY)
		return write_generation(path, flags, mode);
	checking.asking = true;
	return read_generation(path, flags);
}

static int
deny(void)
{
	errno = EACCES;
	return -1;
}

static int
open_object(
    const char *path, int flags, int mode, const uint8_t name[VIEW_NAME], bool asking)
{
	uint64_t number;
	bool known;

	memcpy(opened.name, name, VIEW_NAME);
	opened.is = true;
	if (plant_has(name))
		return (flags & O_ACCMODE) == O_RDONLY ? PLANTED : deny();
	if ((flags & O_ACCMODE) == O_RDONLY)
		return asking && seen_get(name, &number)
			   ? answer(number)
			   : open_and_learn(path, flags, name, &number, &known);
	seen_changed();
	touch(name);
	/* What SoftHSM2 writes it knows already: nothing new to be listed. */
	pthread_mutex_lock(&view.lock);
	if (!view_is_whole() && insert(name) < 0)
		log_error("no memory for a new object's name");
	pthread_mutex_unlock(&view.lock);
	return real.open(path, flags, mode);
}

int
in_open(const char *path, int flags, ...)
{
	bool asking = checking.asking, odd;
	uint8_t name[VIEW_NAME];
	const char *file;
	va_list ap;
	int mode, fd;

	va_start(ap, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, int) : 0;
	va_end(ap);
	ready();
	checking.asking = checking.answered = false;
	file = file_of(path);
	if (file != NULL && (fd = press_open(file, flags)) != PRESS_NOT)
		return fd;
	if (file != NULL && strcmp(file, "generation") == 0)
		return open_generation(path, flags, mode);
	if (file != NULL && parse(file, name, &odd))
		return open_object(path, flags, mode, name, asking);
	return real.open(path, flags, mode);
}

/* A number, as SoftHSM2 has it in its files. */
static ssize_t
read_number(void *cookie, char *buf, size_t size)
{
	uint64_t number = (uintptr_t)cookie;

	if (size < sizeof(number))
		return 0;
	for (size_t i = 0; i < sizeof(number); i++)
		buf[i] = (char)(number >> (56 - 8 * i));
	return sizeof(number);
}

FILE *
in_fdopen(int fd, const char *mode)
{
	static _Thread_local char buffer[64];
	bool pressed;
	FILE *f = press_fdopen(fd, mode, &pressed);

	ready();
	if (pressed)
		return f;
	if (fd == PLANTED) {
		f = plant_open(opened.name);
		checking.answered = f != NULL;
		return f;
	}
	if (fd != ANSWER)
		return real.fdopen(fd, mode);
	f = fopencookie((void *)(uintptr_t)checking.number, "r",
	    (cookie_io_functions_t){.read = read_number});
	checking.answered = f != NULL;
	if (f != NULL)
		setvbuf(f, buffer, _IOFBF, sizeof(buffer));
	return f;
}

/* Take a copy of the names. */
static DIR *
list_view(void)
{
	static const uint8_t none[VIEW_NAME];
	size_t planted = plant_count();

	free(listing.names);
	listing.n = listing.at = 0;
	pthread_mutex_lock(&view.lock);
	listing.there = view.checked == seen_now() + 1;
	view.checked = seen_now() + 1;
	if ((listing.names = malloc((view.used + planted + 1) * VIEW_NAME)) != NULL) {
		for (size_t i = 0; i < view.size; i++)
			if (memcmp(view.names[i], none, VIEW_NAME) != 0)
				memcpy(
				    listing.names[listing.n++], view.names[i], VIEW_NAME);
		for (size_t i = 0; i < planted; i++)
			listing.n += plant_name(i, listing.names[listing.n]);
	}
	pthread_mutex_unlock(&view.lock);
	return listing.names != NULL ? (DIR *)(void *)&listing : NULL;
}

DIR *
in_opendir(const char *path)
{
	bool asking = checking.asking;
	const char *at;

	ready();
	checking.asking = checking.answered = false;
	if ((at = inside(path)) == NULL || strchr(at, '/') != NULL)
		return real.opendir(path);
	if (view_is_whole()) {
		/* It also lists after it has removed a file, and does nothing with it. */
		pthread_mutex_lock(&view.lock);
		view.stale &= !asking;
		pthread_mutex_unlock(&view.lock);
		listing.planted = 0;
		return listing.whole = real.opendir(path);
	}
	atomic_store(&view.asked, true);
	return list_view();
}

static struct dirent *
entry_of(const uint8_t name[VIEW_NAME])
{
	print(listing.entry.d_name, sizeof(listing.entry.d_name), name);
	listing.entry.d_type = DT_REG;
	listing.entry.d_ino = 1;
	return &listing.entry;
}

struct dirent *
in_readdir(DIR *d)
{
	uint8_t name[VIEW_NAME];
	struct dirent *e;

	ready();
	if (d != (DIR *)(void *)&listing) {
		if ((e = real.readdir(d)) != NULL || d != listing.whole ||
		    !plant_name(listing.planted, name))
			return e;
		listing.planted++;
		return entry_of(name);
	}
	return listing.at < listing.n ? entry_of(listing.names[listing.at++]) : NULL;
}

/* SoftHSM2 asks of each name that it was given whether it is a file. */
int
in_lstat(const char *path, struct stat *st)
{
	bool listed = listing.names != NULL && listing.there;
	const char *file = listed || plant_count() > 0 ? file_of(path) : NULL;
	uint8_t name[VIEW_NAME];
	bool odd;

	if (file == NULL || !((listed && strcmp(file, listing.entry.d_name) == 0) ||
	    (parse(file, name, &odd) && plant_has(name))))
		return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
	memset(st, 0, sizeof(*st));
	st->st_mode = S_IFREG | 0600;
	return 0;
}

int
in_closedir(DIR *d)
{
	ready();
	if (d == listing.whole)
		listing.whole = NULL;
	if (d != (DIR *)(void *)&listing)
		return real.closedir(d);
	free(listing.names);
	listing.names = NULL;
	return 0;
}

int
in_remove(const char *path)
{
	const char *file;
	uint8_t name[VIEW_NAME];
	bool odd;

	ready();
	checking.asking = false;
	if ((file = file_of(path)) != NULL && press_names(file))
		return 0;
	if (file != NULL && parse(file, name, &odd)) {
		seen_changed();
		touch(name);
	}
	return real.remove(path);
}

int
in_fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	ready();
	/* SoftHSM2 locks what it reads; an answer has no descriptor. */
	if (fd == -1 && (checking.answered || press_on()) &&
	    (cmd == F_SETLK || cmd == F_SETLKW))
		return 0;
	return real.fcntl(fd, cmd, arg);
}
