/*
 * disk.h - the domain's disk: DomC's store, or DomT's state.
 *
 * dom0 gives it, and can read and write it at any time.  What vsmd keeps there is sealed and
 * authenticated; the file system around it is not, so the kernel's ext4 reads what dom0 wrote
 * (docs/tcb.md).  Only a disk that is all zeroes is ever formatted, and only one that carries our
 * label is mounted.
 */
#ifndef CAAS_DOMC_DISK_H
#define CAAS_DOMC_DISK_H

#include <stdint.h>

#include "xen-hooks/domc/template.h"

#define DISK_LEAST (16 << 20) /* bytes: the template's size */

enum disk_kind {
	DISK_OURS,   /* formatted by us */
	DISK_BLANK,  /* zeroes, or what an interrupted formatting has left */
	DISK_SMALL,  /* less than DISK_LEAST */
	DISK_OTHER,  /* anything else; *ret_at: the byte that says so */
	DISK_BROKEN, /* it cannot be read; errno says why */
};

/* What is on `fd', of `size' bytes.  One that is blank is read from end to end. */
enum disk_kind disk_judge(int fd, uint64_t size, const struct template *t, uint64_t *ret_at);
/* Writes the template, the superblock last.  0, or -1 with errno. */
int disk_format(int fd, const struct template *t);
/* Waits for the disk, formats it if it is blank, mounts it.  0, or -1 after a line in the log. */
int disk_mount(const char *device, const char *dir, const char *template);

#endif
