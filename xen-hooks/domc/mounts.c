/* mounts.c - file systems, and what is given up when all is in place; see domc.h. */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "xen-hooks/domc/domc.h"

#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* No sysfs: nothing here asks for it. */
static const struct {
	const char *type, *dir, *options;
	unsigned long flags;
} wanted[] = {
    {"proc", "/proc", "hidepid=invisible", SAFE},
    {"devtmpfs", "/dev", "mode=0755", MS_NOSUID | MS_NOEXEC},
    {"tmpfs", "/run", "mode=0755,size=1m", SAFE},
};

int
mounts_make(void)
{
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (mount(wanted[i].type, wanted[i].dir, wanted[i].type, wanted[i].flags,
			wanted[i].options) < 0) {
			log_error("cannot mount %s: %s", wanted[i].dir, strerror(errno));
			return -1;
		}
	if (mkdir(DOMC_RUN, 0755) == 0)
		return 0;
	log_error("cannot make " DOMC_RUN ": %s", strerror(errno));
	return -1;
}

int
mounts_give_devices(gid_t gid)
{
	for (const char *const *d = image.devices; *d != NULL; d++)
		if (chown(*d, 0, gid) < 0 || chmod(*d, 0660) < 0) {
			log_error("%s: %s: is this a domain of Xen?", *d, strerror(errno));
			return -1;
		}
	return 0;
}

int
mounts_seal(void)
{
	static const struct {
		const char *dir;
		unsigned long flags;
	} sealed[] = {
	    {"/", MS_NOSUID | MS_NODEV}, {"/proc", SAFE}, {"/dev", MS_NOSUID | MS_NOEXEC}};

	for (size_t i = 0; i < sizeof(sealed) / sizeof(sealed[0]); i++)
		if (mount(NULL, sealed[i].dir, NULL,
			MS_REMOUNT | MS_BIND | MS_RDONLY | sealed[i].flags, NULL) < 0) {
			log_error("cannot make %s read-only: %s", sealed[i].dir, strerror(errno));
			return -1;
		}
	return 0;
}
