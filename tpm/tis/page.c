/* page.c - see page.h */
#include "tpm/tis/page.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define LOCALITIES 5
#define PATH_LEN 64

struct where {
	char path[PATH_LEN];
	uint64_t address;
	int locality;
};

static int
parse(const char *s, struct where *ret)
{
	const char *colon = strrchr(s, ':');
	size_t len = colon != NULL ? (size_t)(colon - s) : 0;
	char *end;

	if (s[0] != '/' || len == 0 || len >= sizeof(ret->path) ||
	    strncmp(colon + 1, "0x", 2) != 0)
		return -1;
	memcpy(ret->path, s, len);
	ret->path[len] = '\0';
	errno = 0;
	ret->address = strtoull(colon + 1, &end, 16);
	if (errno != 0 || *end != '\0' || end == colon + 3 || ret->address % PAGE != 0 ||
	    ret->address > INT64_MAX)
		return -1;
	ret->locality = (int)(ret->address / PAGE & 0xf);
	return ret->locality < LOCALITIES ? 0 : -1;
}

int
tis_page_locality(const char *where)
{
	struct where w;

	return parse(where, &w) == 0 ? w.locality : -1;
}

static volatile uint8_t *
at(void *arg, unsigned reg)
{
	struct tis_page *p = arg;

	return (volatile uint8_t *)p->map + reg;
}

static uint8_t
read8(void *arg, unsigned reg)
{
	return *at(arg, reg);
}

static uint32_t
read32(void *arg, unsigned reg)
{
	return *(volatile uint32_t *)(volatile void *)at(arg, reg);
}

static void
write8(void *arg, unsigned reg, uint8_t value)
{
	*at(arg, reg) = value;
}

static int64_t
now(void *arg)
{
	struct timespec ts;

	(void)arg;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
pause_(void *arg, unsigned us)
{
	struct timespec ts = {.tv_nsec = (long)us * 1000};

	(void)arg;
	(void)nanosleep(&ts, NULL);
}

static bool
enter(void *arg)
{
	struct tis_page *p = arg;

	return flock(p->lock, LOCK_EX | LOCK_NB) == 0;
}

static void
leave(void *arg)
{
	struct tis_page *p = arg;

	(void)flock(p->lock, LOCK_UN);
}

const struct tis_ops tis_page_ops = {
    .read8 = read8,
    .read32 = read32,
    .write8 = write8,
    .now = now,
    .pause = pause_,
    .enter = enter,
    .leave = leave,
};

/*
 * A page that Xen keeps from this domain is mapped, and raises SIGBUS when it is touched.
 * The kernel, asked to read from it, says EFAULT instead.
 */
static bool
readable(const void *map)
{
	int fds[2];
	bool ok;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	ok = write(fds[1], map, 1) == 1;
	close(fds[0]);
	close(fds[1]);
	return ok;
}

static int
map_page(const struct where *w, struct tis_page *p, char why[TIS_PAGE_WHY])
{
	int fd = open(w->path, O_RDWR | O_SYNC | O_CLOEXEC);
	void *map;

	if (fd < 0) {
		snprintf(why, TIS_PAGE_WHY, "%s: %s: %s", w->path, strerror(errno),
		    errno == EACCES || errno == EPERM
		        ? "only root may map a TPM's page: start this as root"
		        : "is the address right?");
		return -1;
	}
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)w->address);
	close(fd);
	if (map == MAP_FAILED) {
		snprintf(why, TIS_PAGE_WHY, "%s: cannot map 0x%" PRIx64 ": %s: unbind the "
		    "kernel's driver of the TPM (tpm_tis), if it has one", w->path, w->address,
		    strerror(errno));
		return -1;
	}
	p->map = map;
	if (readable(map))
		return 0;
	snprintf(why, TIS_PAGE_WHY, "the page 0x%" PRIx64 " is not this domain's: give it to it "
	    "(iomem=[\"%" PRIx64 ",1\"])", w->address, w->address / PAGE);
	return -1;
}

static int
open_lock(const struct where *w, struct tis_page *p, char why[TIS_PAGE_WHY])
{
	char path[64];

	snprintf(path, sizeof(path), "/run/caas-tis-%" PRIx64, w->address);
	p->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (p->lock >= 0)
		return 0;
	snprintf(why, TIS_PAGE_WHY, "%s: %s: only root may use a TPM's page", path,
	    strerror(errno));
	return -1;
}

int
tis_page_open(const char *where, struct tis_page *ret, char why[TIS_PAGE_WHY])
{
	struct where w;
	struct tis t;

	*ret = (struct tis_page){.lock = -1};
	if (parse(where, &w) < 0) {
		snprintf(why, TIS_PAGE_WHY, "`%.100s' is not a page of a TPM: it is named "
		    "PATH:0xADDRESS, as %s", where, TIS_PAGE_DEFAULT);
		return -1;
	}
	if (map_page(&w, ret, why) == 0 && open_lock(&w, ret, why) == 0) {
		tis_init(&t, &tis_page_ops, ret);
		if (tis_probe(&t) == TIS_OK)
			return 0;
		snprintf(why, TIS_PAGE_WHY, "%s", tis_text(TIS_ABSENT));
	}
	tis_page_close(ret);
	return -1;
}

void
tis_page_close(struct tis_page *p)
{
	if (p->map != NULL)
		(void)munmap(p->map, PAGE);
	if (p->lock >= 0)
		close(p->lock);
	*p = (struct tis_page){.lock = -1};
}
