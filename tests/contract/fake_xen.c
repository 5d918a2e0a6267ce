/* fake_xen.c - see fake_xen.h */
#include "fake_xen.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define PATHS 16

/* What both ends share, apart from the pages. */
struct link {
	int refs, left_order, right_order;
	int fd[2]; /* each end's event channel; -1: closed */
	bool bound;
	void *page, *left, *right;
};

struct xenevtchn_handle {
	struct link *link;
	int end; /* 0 server, 1 client */
	int fd;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char path[64];
	struct link *link;
} store[PATHS];
static struct libxenvchan *last[2];
static bool no_grants;
static bool silent_to_us, silent_to_client;
static pthread_cond_t answers = PTHREAD_COND_INITIALIZER;
static char told[16];
static struct couple couple = {.self = 5, .peer = 5};
static struct xs_handle {
	int fd; /* eventfd, or -1 before it is watched */
} *watcher;
static int refused;

int __wrap_open(const char *path, int flags, mode_t mode);
int __real_open(const char *path, int flags, mode_t mode);
int __wrap_access(const char *path, int mode);
int __real_access(const char *path, int mode);

int
__wrap_access(const char *path, int mode)
{
	return strncmp(path, "/dev/xen/", 9) == 0 ? 0 : __real_access(path, mode);
}

/* A device is there to be locked. */
int
__wrap_open(const char *path, int flags, mode_t mode)
{
	if (strncmp(path, "/dev/xen/", 9) == 0)
		return __real_open("/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
	return __real_open(path, flags, mode);
}

int
fake_refused(void)
{
	return refused;
}

struct libxenvchan *
fake_server(void)
{
	return last[0];
}

struct libxenvchan *
fake_client(void)
{
	return last[1];
}

void
fake_no_grants(bool yes)
{
	no_grants = yes;
}

void
fake_silent(bool us, bool client)
{
	(void)pthread_mutex_lock(&lock);
	silent_to_us = us;
	silent_to_client = client;
	(void)pthread_cond_broadcast(&answers);
	(void)pthread_mutex_unlock(&lock);
}

/* With the lock. */
static void
until_answered(const bool *silent)
{
	while (*silent)
		(void)pthread_cond_wait(&answers, &lock);
}

static void
notify_end(struct link *l, int end)
{
	(void)pthread_mutex_lock(&lock);
	if (l->fd[end] >= 0)
		(void)eventfd_write(l->fd[end], 1);
	(void)pthread_mutex_unlock(&lock);
}

void
fake_notify(struct libxenvchan *ring)
{
	notify_end(ring->event->link, !ring->event->end);
}

static void *
pages(int order)
{
	void *p = mmap(NULL, (size_t)1 << order, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void
unref(struct link *l)
{
	bool gone;

	(void)pthread_mutex_lock(&lock);
	gone = --l->refs == 0;
	/* XenStore may still name what cannot be mapped any more. */
	for (int i = 0; i < PATHS && gone; i++)
		if (store[i].link == l)
			store[i].link = NULL;
	(void)pthread_mutex_unlock(&lock);
	if (!gone)
		return;
	(void)munmap(l->page, PAGE);
	(void)munmap(l->left, (size_t)1 << l->left_order);
	(void)munmap(l->right, (size_t)1 << l->right_order);
	free(l);
}

static struct xenevtchn_handle *
event_new(struct link *l, int end)
{
	struct xenevtchn_handle *e = calloc(1, sizeof(*e));

	e->link = l;
	e->end = end;
	e->fd = l->fd[end] = eventfd(0, EFD_CLOEXEC);
	return e;
}

int
xenevtchn_close(xenevtchn_handle *e)
{
	(void)pthread_mutex_lock(&lock);
	e->link->fd[e->end] = -1;
	(void)close(e->fd);
	(void)pthread_mutex_unlock(&lock);
	free(e);
	return 0;
}

int
xengntshr_close(xengntshr_handle *h)
{
	free(h);
	return 0;
}

int
xengnttab_close(xengnttab_handle *h)
{
	free(h);
	return 0;
}

static int
order_of(size_t size)
{
	int order = 12;

	while ((size_t)1 << order < size)
		order++;
	return order;
}

static void
remember(const char *path, struct link *l)
{
	int at = -1;

	(void)pthread_mutex_lock(&lock);
	for (int i = 0; i < PATHS; i++)
		if (at < 0 && store[i].path[0] == '\0')
			at = i;
	for (int i = 0; i < PATHS; i++)
		if (strcmp(store[i].path, path) == 0)
			at = i;
	if (at < 0)
		abort();
	snprintf(store[at].path, sizeof(store[at].path), "%s", path);
	store[at].link = l;
	(void)pthread_mutex_unlock(&lock);
}

static void
forget(const char *path)
{
	for (int i = 0; i < PATHS; i++)
		if (strcmp(store[i].path, path) == 0)
			store[i].path[0] = '\0';
}

struct libxenvchan *
libxenvchan_server_init(struct xentoollog_logger *logger, int domain, const char *xs_path,
    size_t read_min, size_t write_min)
{
	struct libxenvchan *c;
	struct link *l;

	(void)logger;
	(void)domain;
	if (no_grants) {
		errno = ENOSPC;
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	l = calloc(1, sizeof(*l));
	c->blocking = 1; /* as garbage as the real one */
	l->refs = 1;
	l->left_order = c->read.order = order_of(read_min);
	l->right_order = c->write.order = order_of(write_min);
	l->fd[1] = -1;
	l->page = pages(12);
	l->left = c->read.buffer = pages(l->left_order);
	l->right = c->write.buffer = pages(l->right_order);
	c->is_server = 1;
	c->ring = l->page;
	c->read.shr = &c->ring->left;
	c->write.shr = &c->ring->right;
	c->ring->cli_live = 2;
	c->ring->srv_live = 1;
	c->ring->cli_notify = VCHAN_NOTIFY_WRITE;
	c->gntshr = malloc(1);
	c->event = event_new(l, 0);
	c->xs_path = strdup(xs_path);
	remember(xs_path, l);
	last[0] = c;
	return c;
}

/* "/local/domain/5/data/x" is "data/x" of domain 5, which is us. */
static const char *
own_path(const char *path)
{
	const char *p = path;

	if (strncmp(p, "/local/domain/", 14) != 0)
		return path;
	p += 14;
	p += strspn(p, "0123456789");
	return *p == '/' ? p + 1 : path;
}

static struct link *
bind_link(const char *path)
{
	struct link *l = NULL;

	(void)pthread_mutex_lock(&lock);
	errno = ENOENT;
	for (int i = 0; i < PATHS; i++) {
		if (store[i].path[0] == '\0' || strcmp(store[i].path, path) != 0)
			continue;
		if ((l = store[i].link) == NULL)
			errno = EINVAL;
	}
	if (l != NULL && l->bound) {
		refused++;
		errno = EINVAL;
		l = NULL;
	}
	if (l != NULL) {
		l->bound = true;
		l->refs++;
	}
	(void)pthread_mutex_unlock(&lock);
	return l;
}

struct libxenvchan *
libxenvchan_client_init(struct xentoollog_logger *logger, int domain, const char *xs_path)
{
	struct libxenvchan *c;
	struct link *l;

	(void)logger;
	(void)domain;
	(void)pthread_mutex_lock(&lock);
	until_answered(&silent_to_client);
	(void)pthread_mutex_unlock(&lock);
	l = bind_link(own_path(xs_path));
	if (l == NULL)
		return NULL;
	c = calloc(1, sizeof(*c));
	c->blocking = 1;
	c->ring = l->page;
	c->write = (struct libxenvchan_ring){&c->ring->left, l->left, l->left_order};
	c->read = (struct libxenvchan_ring){&c->ring->right, l->right, l->right_order};
	c->gnttab = malloc(1);
	c->event = event_new(l, 1);
	last[1] = c;
	__atomic_store_n(&c->ring->cli_live, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&c->ring->srv_notify, VCHAN_NOTIFY_WRITE, __ATOMIC_SEQ_CST);
	notify_end(l, 0);
	return c;
}

void
libxenvchan_close(struct libxenvchan *c)
{
	struct link *l = c->event->link;
	int end = c->event->end;

	if (end == 0)
		__atomic_store_n(&c->ring->srv_live, 0, __ATOMIC_SEQ_CST);
	else
		__atomic_store_n(&c->ring->cli_live, 0, __ATOMIC_SEQ_CST);
	notify_end(l, !end);
	(void)xenevtchn_close(c->event);
	(void)pthread_mutex_lock(&lock);
	if (end == 1)
		l->bound = false;
	if (end == 0 && c->xs_path != NULL)
		forget(c->xs_path);
	(void)pthread_mutex_unlock(&lock);
	if (end == 0)
		free(c->xs_path);
	free(end == 0 ? (void *)c->gntshr : (void *)c->gnttab);
	unref(l);
	free(c);
}

int
libxenvchan_is_open(struct libxenvchan *c)
{
	return __atomic_load_n(c->is_server ? &c->ring->cli_live : &c->ring->srv_live,
	    __ATOMIC_SEQ_CST);
}

int
libxenvchan_fd_for_select(struct libxenvchan *c)
{
	return c->event->fd;
}

int
libxenvchan_wait(struct libxenvchan *c)
{
	eventfd_t n;

	return eventfd_read(c->event->fd, &n);
}

static uint32_t
used(const struct libxenvchan_ring *r)
{
	return __atomic_load_n(&r->shr->prod, __ATOMIC_SEQ_CST) -
	    __atomic_load_n(&r->shr->cons, __ATOMIC_SEQ_CST);
}

/* As the real one: nonsense is "nothing". */
static uint32_t
ready(const struct libxenvchan_ring *r)
{
	uint32_t n = used(r);

	return n > (uint32_t)1 << r->order ? 0 : n;
}

static uint32_t
room(const struct libxenvchan_ring *r)
{
	uint32_t n = used(r), size = (uint32_t)1 << r->order;

	return n > size ? 0 : size - n;
}

static void
request(struct libxenvchan *c, uint8_t bit)
{
	__atomic_or_fetch(c->is_server ? &c->ring->cli_notify : &c->ring->srv_notify, bit,
	    __ATOMIC_SEQ_CST);
}

static void
tell(struct libxenvchan *c, uint8_t bit)
{
	uint8_t was = __atomic_fetch_and(
	    c->is_server ? &c->ring->srv_notify : &c->ring->cli_notify, (uint8_t)~bit,
	    __ATOMIC_SEQ_CST);

	if (was & bit)
		notify_end(c->event->link, !c->event->end);
}

int
libxenvchan_data_ready(struct libxenvchan *c)
{
	request(c, VCHAN_NOTIFY_WRITE);
	return (int)ready(&c->read);
}

int
libxenvchan_buffer_space(struct libxenvchan *c)
{
	request(c, VCHAN_NOTIFY_READ);
	return (int)room(&c->write);
}

int
libxenvchan_read(struct libxenvchan *c, void *data, size_t size)
{
	uint32_t mask = ((uint32_t)1 << c->read.order) - 1, n = ready(&c->read);
	uint8_t *ring = c->read.buffer;

	if (c->blocking)
		abort();
	n = n < size ? n : (uint32_t)size;
	if (n == 0)
		return libxenvchan_is_open(c) ? 0 : -1;
	for (uint32_t i = 0; i < n; i++)
		((uint8_t *)data)[i] = ring[(c->read.shr->cons + i) & mask];
	__atomic_add_fetch(&c->read.shr->cons, n, __ATOMIC_SEQ_CST);
	tell(c, VCHAN_NOTIFY_READ);
	return (int)n;
}

int
libxenvchan_write(struct libxenvchan *c, const void *data, size_t size)
{
	uint32_t mask = ((uint32_t)1 << c->write.order) - 1, n = room(&c->write);
	uint8_t *ring = c->write.buffer;

	if (c->blocking)
		abort();
	if (!libxenvchan_is_open(c))
		return -1;
	n = n < size ? n : (uint32_t)size;
	for (uint32_t i = 0; i < n; i++)
		ring[(c->write.shr->prod + i) & mask] = ((const uint8_t *)data)[i];
	__atomic_add_fetch(&c->write.shr->prod, n, __ATOMIC_SEQ_CST);
	tell(c, VCHAN_NOTIFY_WRITE);
	return (int)n;
}

void
fake_couple(uint32_t self, uint32_t peer)
{
	(void)pthread_mutex_lock(&lock);
	couple = (struct couple){self, peer};
	if (watcher != NULL)
		(void)eventfd_write(watcher->fd, 1);
	(void)pthread_mutex_unlock(&lock);
}

struct xs_handle *
xs_open(unsigned long flags)
{
	struct xs_handle *h = malloc(sizeof(*h));

	(void)flags;
	h->fd = -1;
	return h;
}

void
xs_close(struct xs_handle *h)
{
	(void)pthread_mutex_lock(&lock);
	if (h == watcher)
		watcher = NULL;
	(void)pthread_mutex_unlock(&lock);
	if (h->fd >= 0)
		(void)close(h->fd);
	free(h);
}

void *
xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
	uint32_t domid;
	char text[16];

	(void)h;
	(void)t;
	(void)pthread_mutex_lock(&lock);
	until_answered(&silent_to_us);
	domid = strcmp(path, "domid") == 0 ? couple.self : couple.peer;
	(void)pthread_mutex_unlock(&lock);
	if (domid == COUPLE_NONE) {
		errno = ENOENT;
		return NULL;
	}
	*len = (unsigned)snprintf(text, sizeof(text), "%u", domid);
	return strdup(text);
}

bool
xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data,
    unsigned int len)
{
	(void)h;
	(void)t;
	if (strcmp(path, "data/caas-agent") != 0 || len >= sizeof(told))
		abort();
	memcpy(told, data, len);
	told[len] = '\0';
	return true;
}

const char *
fake_told(void)
{
	return told;
}

/* As XenStore does, it tells of each at once. */
bool
xs_watch(struct xs_handle *h, const char *path, const char *token)
{
	(void)path;
	(void)token;
	(void)pthread_mutex_lock(&lock);
	if (h->fd < 0)
		h->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	watcher = h;
	(void)pthread_mutex_unlock(&lock);
	return true;
}

int
xs_fileno(struct xs_handle *h)
{
	return h->fd;
}

char **
xs_check_watch(struct xs_handle *h)
{
	eventfd_t n;

	return eventfd_read(h->fd, &n) == 0 ? malloc(1) : NULL;
}

struct xen xen = {
    .server_init = libxenvchan_server_init,
    .client_init = libxenvchan_client_init,
    .close = libxenvchan_close,
    .is_open = libxenvchan_is_open,
    .fd_for_select = libxenvchan_fd_for_select,
    .wait = libxenvchan_wait,
    .data_ready = libxenvchan_data_ready,
    .buffer_space = libxenvchan_buffer_space,
    .read = libxenvchan_read,
    .write = libxenvchan_write,
    .evtchn_close = xenevtchn_close,
    .gntshr_close = xengntshr_close,
    .gnttab_close = xengnttab_close,
    .xs_open = xs_open,
    .xs_close = xs_close,
    .xs_read = xs_read,
    .xs_write = xs_write,
    .xs_watch = xs_watch,
    .xs_fileno = xs_fileno,
    .xs_check_watch = xs_check_watch,
};

bool
xen_load(const char **ret_why)
{
	*ret_why = NULL;
	return true;
}
