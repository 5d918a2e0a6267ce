/* plant.c - see plant.h */
#include "vsmd/worker/plant.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/secmem.h"
#include "vsmd/worker/interpose.h"

#define AT_NUMBER (PLANT_NAME - sizeof(uint32_t)) /* of the file, in its name */

static struct {
	pthread_mutex_t lock;
	const struct planted *files;
	atomic_size_t n; /* written with the lock held */
	uint8_t start[AT_NUMBER]; /* random: no other file's name begins so */
} plant = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct {
	pthread_once_t once;
	int (*fstat)(int, struct stat *);
} real = {.once = PTHREAD_ONCE_INIT};

static void
find(void)
{
	(void)interpose_find("fstat", &real.fstat);
}

bool
plant_begin(const struct planted *files, size_t n)
{
	bool ok;

	pthread_mutex_lock(&plant.lock);
	ok = n <= UINT32_MAX && RAND_bytes(plant.start, sizeof(plant.start)) == 1;
	plant.files = files;
	plant.n = ok ? n : 0;
	pthread_mutex_unlock(&plant.lock);
	return ok;
}

void
plant_end(void)
{
	pthread_mutex_lock(&plant.lock);
	plant.files = NULL;
	plant.n = 0;
	pthread_mutex_unlock(&plant.lock);
}

/* With the lock held. */
static size_t
number_of(const uint8_t name[PLANT_NAME])
{
	uint32_t i;

	if (plant.n == 0 || memcmp(name, plant.start, AT_NUMBER) != 0)
		return plant.n;
	memcpy(&i, name + AT_NUMBER, sizeof(i));
	return i < plant.n ? i : plant.n;
}

size_t
plant_find(const uint8_t name[PLANT_NAME])
{
	size_t i;

	pthread_mutex_lock(&plant.lock);
	i = number_of(name);
	pthread_mutex_unlock(&plant.lock);
	return i;
}

bool
plant_has(const uint8_t name[PLANT_NAME])
{
	bool has;

	if (plant.n == 0)
		return false;
	pthread_mutex_lock(&plant.lock);
	has = number_of(name) < plant.n;
	pthread_mutex_unlock(&plant.lock);
	return has;
}

size_t
plant_count(void)
{
	return plant.n;
}

bool
plant_name(size_t i, uint8_t ret[PLANT_NAME])
{
	uint32_t number = (uint32_t)i;
	bool is;

	pthread_mutex_lock(&plant.lock);
	is = i < plant.n;
	memcpy(ret, plant.start, AT_NUMBER);
	memcpy(ret + AT_NUMBER, &number, sizeof(number));
	pthread_mutex_unlock(&plant.lock);
	return is;
}

static _Thread_local unsigned reading; /* streams of this thread */

/* A copy, which may be read after the end. */
struct copy {
	size_t len, pos;
	uint8_t data[];
};

static ssize_t
read_copy(void *cookie, char *dst, size_t n)
{
	struct copy *c = cookie;

	n = n < c->len - c->pos ? n : c->len - c->pos;
	memcpy(dst, c->data + c->pos, n);
	c->pos += n;
	return (ssize_t)n;
}

static int
close_copy(void *cookie)
{
	struct copy *c = cookie;

	sec_wipe(c->data, c->len);
	free(c);
	reading--;
	return 0;
}

FILE *
plant_open(const uint8_t name[PLANT_NAME])
{
	struct copy *c = NULL;
	FILE *f = NULL;
	size_t i;

	pthread_mutex_lock(&plant.lock);
	if ((i = number_of(name)) < plant.n &&
	    (c = malloc(sizeof(*c) + plant.files[i].len)) != NULL) {
		c->len = plant.files[i].len;
		c->pos = 0;
		memcpy(c->data, plant.files[i].data, c->len);
		reading++;
	}
	pthread_mutex_unlock(&plant.lock);
	if (c != NULL && (f = fopencookie(c, "r", (cookie_io_functions_t){
	    .read = read_copy, .close = close_copy})) == NULL)
		(void)close_copy(c);
	return f;
}

int in_fstat(int fd, struct stat *st) __asm__("fstat") __attribute__((visibility("default")));

/* SoftHSM2 asks whether what it reads is empty; a stream of ours has no descriptor. */
int
in_fstat(int fd, struct stat *st)
{
	pthread_once(&real.once, find);
	if (fd == -1 && reading > 0) {
		memset(st, 0, sizeof(*st));
		st->st_mode = S_IFREG | 0600;
		st->st_size = 1;
		return 0;
	}
	/* Before glibc 2.33 there is no such function. */
	return real.fstat != NULL ? real.fstat(fd, st) : fstatat(fd, "", st, AT_EMPTY_PATH);
}
