/*
 * domc.h - the first process of the crypto domain and of DomT, init(8) as far as they have one.
 *
 * init.c has the order of things; each other file one of them:
 *
 *	mounts.c	file systems, and what is given up when all is in place
 *	modules.c	the kernel's modules
 *	kernel.c	the command line, settings of the kernel, its generator
 *	disk.c		the store's disk: told from other disks, formatted, mounted
 *	template.c	the empty file system that a blank disk becomes
 *	self.c		XenStore: whether this domain was restored, how far it is
 *	service.c	the one service: started, told to end, started again
 *	image.c		which domain this is, and which service: DomC's; ../domt/image.c has DomT's
 *
 * All of it runs as root in one thread (libxenstore has another for its watch).  What dom0 can
 * write (the disk, XenStore, the command line) is hostile.  Functions that return int give 0, or
 * -1 after one line in the log that says what to do.  Lines go to the console, which dom0 reads:
 * nothing secret is ever among them.
 */
#ifndef CAAS_DOMC_H
#define CAAS_DOMC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DOMC_ETC      "/etc/caas"
#define DOMC_CMDLINE  DOMC_ETC "/cmdline"     /* the only command line that is accepted */
#define DOMC_MODULES  DOMC_ETC "/modules"     /* paths, one in a line, in the order of loading */
#define DOMC_TEMPLATE DOMC_ETC "/store.blocks"
#define DOMC_RUN      "/run/domc"
#define DOMC_STORE    "/store"
#define DOMC_DISK     "/dev/xvda"
#define DOMC_USER     "caas" /* what the service becomes, and whose Xen's devices are */

/* image.c: of the program that this is linked into. */
struct image {
	const char *name;	     /* of the domain, in the log: "domc" */
	const char *state;	     /* in XenStore, where it says how far it is */
	const char *program;	     /* the service: its path */
	const char *service;	     /* and its name, in the log and argv[0] */
	const char *conf;	     /* its configuration, the argument of -c */
	const char *const *devices; /* Xen's that its user may open; NULL at the end */
};
extern const struct image image;

/* mounts.c */
int mounts_make(void);
/* image.devices are for that group too. */
int mounts_give_devices(gid_t gid);
/* No more changes of what is in memory but in /run. */
int mounts_seal(void);

/* modules.c: all that the list names are loaded, and removed from memory. */
int modules_load(const char *list);

/* kernel.c */
/* Whether two command lines are the same, but for blanks at their ends. */
bool kernel_same_line(const char *have, const char *want);
int kernel_check_line(void);
int kernel_settle(void);
/* Returns when the kernel's generator is ready. */
int kernel_wait_random(void);

/* self.c: this domain in XenStore. */
struct self;
struct self *self_open(void);
void self_close(struct self *s);
/* Readable: ask self_restored(). */
int self_fd(const struct self *s);
/* This domain has another domid than before: it was saved and restored. */
bool self_restored(struct self *s);
/* `word' at image.state, for domtd and whoever waits. */
void self_tell(struct self *s, const char *word);

/* service.c */
struct service {
	pid_t pid;	  /* 0: it does not run */
	int notify;	  /* sd_notify(3) comes in here */
	bool ready;	  /* it has said READY=1 */
	bool stopping;	  /* it was told to end */
	int64_t since;	  /* ms: start, or when it was told to end */
	int64_t again;	  /* not to be started before */
	unsigned failures; /* ends in a row, each soon after its start */
};
int service_init(struct service *s, uid_t uid, gid_t gid);
int service_start(struct service *s);
void service_stop(struct service *s);
/* It has ended.  False: it does so again and again. */
bool service_ended(struct service *s, int status);
/* Reads what was notified; true when it has just become ready. */
bool service_notified(struct service *s);
/* Kills it when it does not end.  ms until there is something to do, or -1. */
int service_tick(struct service *s);
int64_t service_now(void);

#endif
