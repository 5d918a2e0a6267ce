/* disk.c - see disk.h */
#include "xen-hooks/domc/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common/log.h"
#include "xen-hooks/domc/domc.h"

#define CHUNK	 (64 * TEMPLATE_BLOCK)
#define PATIENCE 15000 /* ms until the disk is there */

/* The superblock lies 1024 bytes into the disk; fields by Linux' Documentation/filesystems/ext4. */
#define AT_COUNT 0x404 /* of blocks, the low half */
#define AT_MAGIC 0x438
#define AT_UUID	 0x468
#define AT_LABEL 0x478
#define UUID_LEN  16
#define LABEL_LEN 16

/* Of linux/fs/ext4/ext4.h, which is not among the headers for programs. */
#define EXT4_IOC_RESIZE_FS _IOW('f', 16, uint64_t)

static int
read_at(int fd, uint8_t *to, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t n = pread(fd, to, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = EIO;
			return -1;
		}
		to += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Where a chunk differs from zeroes and from the template; its length if nowhere. */
static size_t
differs(const uint8_t *chunk, size_t len, uint64_t first, const struct template *t)
{
	for (size_t at = 0; at < len; at += TEMPLATE_BLOCK) {
		size_t n = len - at < TEMPLATE_BLOCK ? len - at : TEMPLATE_BLOCK;
		const uint8_t *b;

		if (template_zero(chunk + at, n))
			continue;
		b = template_block(t, first + at / TEMPLATE_BLOCK);
		if (n == TEMPLATE_BLOCK && b != NULL && memcmp(b, chunk + at, n) == 0)
			continue;
		while (chunk[at] == 0)
			at++;
		return at;
	}
	return len;
}

static enum disk_kind
judge_blank(int fd, uint64_t size, const struct template *t, uint8_t *chunk, uint64_t *ret_at)
{
	for (uint64_t at = 0; at < size; at += CHUNK) {
		size_t len = size - at < CHUNK ? (size_t)(size - at) : CHUNK, n;

		if (read_at(fd, chunk, len, at) < 0)
			return DISK_BROKEN;
		n = differs(chunk, len, at / TEMPLATE_BLOCK, t);
		if (n < len) {
			*ret_at = at + n;
			return DISK_OTHER;
		}
	}
	return DISK_BLANK;
}

enum disk_kind
disk_judge(int fd, uint64_t size, const struct template *t, uint64_t *ret_at)
{
	const uint8_t *super = template_at(t, 0);
	enum disk_kind kind = DISK_OTHER;
	uint8_t *chunk;

	*ret_at = 0;
	if (size < DISK_LEAST)
		return DISK_SMALL;
	if ((chunk = malloc(CHUNK)) == NULL)
		return DISK_BROKEN;
	if (read_at(fd, chunk, TEMPLATE_BLOCK, 0) < 0)
		kind = DISK_BROKEN;
	else if (memcmp(chunk + AT_MAGIC, super + AT_MAGIC, 2) == 0 &&
	    memcmp(chunk + AT_UUID, super + AT_UUID, UUID_LEN) == 0 &&
	    memcmp(chunk + AT_LABEL, super + AT_LABEL, LABEL_LEN) == 0)
		kind = DISK_OURS;
	else
		kind = judge_blank(fd, size, t, chunk, ret_at);
	free(chunk);
	return kind;
}

int
disk_format(int fd, const struct template *t)
{
	for (size_t i = t->n; i-- > 0;) {
		off_t at = (off_t)template_number(t, i) * TEMPLATE_BLOCK;
		ssize_t n;

		/* Whoever sees the superblock sees all of it. */
		if (i == 0 && fsync(fd) < 0)
			return -1;
		n = pwrite(fd, template_at(t, i), TEMPLATE_BLOCK, at);
		if (n != TEMPLATE_BLOCK) {
			if (n >= 0)
				errno = EIO;
			return -1;
		}
	}
	return fsync(fd);
}

/* The driver finds the disk by itself, a moment after it was loaded. */
static int
wait_for(const char *device)
{
	int fd;

	for (int waited = 0; waited < PATIENCE; waited += 10) {
		if ((fd = open(device, O_RDWR | O_CLOEXEC)) >= 0)
			return fd;
		if (errno != ENOENT && errno != ENXIO)
			break;
		(void)poll(NULL, 0, 10);
	}
	log_error("there is no disk %s (%s): give the domain one, e.g. "
		  "disk=['/path,raw,xvda,w']", device, strerror(errno));
	return -1;
}

/* Blank, or ours: then it can be mounted. */
static int
prepare(int fd, const char *device, uint64_t size, const char *template)
{
	struct template t;
	uint64_t at;
	int rc = -1;

	if (template_read(&t, template) < 0) {
		log_error("%s: %s: the image is damaged, build it anew", template,
		    strerror(errno));
		return -1;
	}
	switch (disk_judge(fd, size, &t, &at)) {
	case DISK_OURS:
		rc = 0;
		break;
	case DISK_BLANK:
		log_info("formatting the disk, which is blank device=%s MiB=%llu", device,
		    (unsigned long long)(size >> 20));
		if ((rc = disk_format(fd, &t)) < 0)
			log_error("%s cannot be written: %s", device, strerror(errno));
		break;
	case DISK_SMALL:
		log_error("%s is too small: it takes %d MiB", device, DISK_LEAST >> 20);
		break;
	case DISK_OTHER:
		log_error("%s is neither %s's disk nor blank (byte %llu is not zero): nothing was "
			  "written; give the domain its own, or a disk of zeroes", device, image.name,
		    (unsigned long long)at);
		break;
	case DISK_BROKEN:
		log_error("%s cannot be read: %s", device, strerror(errno));
		break;
	}
	template_free(&t);
	return rc;
}

/* Blocks of the file system, as its superblock has them; 0 when it cannot be read. */
static uint64_t
blocks_of(int fd)
{
	uint8_t b[4];

	if (read_at(fd, b, sizeof(b), AT_COUNT) < 0)
		return 0;
	return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* It has the template's size at first, and later what the disk was made to. */
static void
grow(const char *dir, uint64_t blocks)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, EXT4_IOC_RESIZE_FS, &blocks) < 0)
		log_warn("not all of the disk is used: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

int
disk_mount(const char *device, const char *dir, const char *template)
{
	uint64_t size, have;
	int fd = wait_for(device), rc;

	if (fd < 0)
		return -1;
	if (ioctl(fd, BLKGETSIZE64, &size) < 0) {
		log_error("%s is no disk: %s", device, strerror(errno));
		close(fd);
		return -1;
	}
	rc = prepare(fd, device, size, template);
	have = blocks_of(fd);
	close(fd);
	if (rc < 0)
		return -1;
	if (mount(device, dir, "ext4", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME,
	    "errors=remount-ro") < 0) {
		log_error("%s cannot be mounted, it is damaged: %s", device, strerror(errno));
		return -1;
	}
	if (have < size / TEMPLATE_BLOCK)
		grow(dir, size / TEMPLATE_BLOCK);
	return 0;
}
