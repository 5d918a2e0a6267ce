/*
 * init.c - the first process of the crypto domain, or of DomT: brings up what the one service
 * needs, vsmd or domt-tpmd (image.c), and nothing else.
 *
 * In this order: file systems, command line, modules, settings, the generator, the disk, Xen's
 * devices, all made read-only; then the service, until it ends for good or dom0 wants the domain to
 * stop.  Whom vsmd serves XenStore says, and vsmd asks it (vchan:coupled in vsmd.conf).  There is no
 * network, no login, no shell; whatever fails before the service runs powers the domain off, with
 * the reason on the console.
 *
 * When `xl shutdown' or `xl reboot' comes, the kernel runs this program once more: it then is not
 * process 1, and sends that a signal.
 */
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "common/log.h"
#include "xen-hooks/domc/disk.h"
#include "xen-hooks/domc/domc.h"

#define POWER_OFF SIGTERM
#define REBOOT	  SIGINT

enum { AT_SIGNALS, AT_XENSTORE, AT_NOTIFY, NFDS };

struct init {
	int signals;
	struct self *self;
	struct service service;
	int ending; /* RB_*, 0: not */
};

/* The kernel's helper, by the name that it calls: /init for power-off, /sbin/reboot. */
static int
tell_init(const char *name)
{
	const char *base = strrchr(name, '/');

	return kill(1, strcmp(base != NULL ? base + 1 : name, "reboot") == 0 ? REBOOT : POWER_OFF);
}

static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, POWER_OFF);
	sigaddset(&set, REBOOT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Everything before the service. */
static int
prepare(struct init *in)
{
	const struct passwd *pw;

	if (mounts_make() < 0 || kernel_check_line() < 0 || modules_load(DOMC_MODULES) < 0 ||
	    kernel_settle() < 0 || kernel_wait_random() < 0)
		return -1;
	log_info("the generator is ready ms=%lld", (long long)service_now());
	if ((pw = getpwnam(DOMC_USER)) == NULL) {
		log_error("there is no user " DOMC_USER ": the image is damaged, build it anew");
		return -1;
	}
	if (disk_mount(DOMC_DISK, DOMC_STORE, DOMC_TEMPLATE) < 0 ||
	    mounts_give_devices(pw->pw_gid) < 0 || mounts_seal() < 0 ||
	    service_init(&in->service, pw->pw_uid, pw->pw_gid) < 0)
		return -1;
	log_info("the disk is mounted ms=%lld", (long long)service_now());
	return (in->self = self_open()) != NULL ? 0 : -1;
}

static void
on_signals(struct init *in)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(in->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == POWER_OFF)
			in->ending = RB_POWER_OFF;
		else if (info.ssi_signo == REBOOT)
			in->ending = RB_AUTOBOOT;
	}
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != in->service.pid)
			continue;
		if (!service_ended(&in->service, status) && in->ending == 0) {
			log_error("%s ends again and again: powering off", image.service);
			in->ending = RB_POWER_OFF;
		}
		if (in->ending != 0)
			self_tell(in->self, "stopped");
	}
}

static void
drive(struct init *in)
{
	struct service *s = &in->service;

	if (s->pid != 0 && in->ending != 0)
		service_stop(s);
	if (s->pid != 0 || in->ending != 0 || service_now() < s->again)
		return;
	if (service_start(s) < 0)
		in->ending = RB_POWER_OFF;
	else
		self_tell(in->self, "starting");
}

/*
 * This memory was saved, and may run twice: two would say what its generators say next.  The
 * disk may be younger than what is in memory of it.  So nothing of it is kept or written, and
 * the domain begins anew.  Nor is a process ended before: Linux 6.1 does not survive that
 * event channels are closed that it had before it was saved.  vsmd-vchan may be sooner to close
 * its own, and then the kernel panics: that ends the domain as well.
 */
static void __attribute__((noreturn))
leave(void)
{
	log_info("restored: what was saved may run twice: rebooting at once");
	(void)tcdrain(STDERR_FILENO);
	(void)reboot(RB_AUTOBOOT);
	for (;;)
		(void)pause();
}

static int
serve(struct init *in)
{
	struct pollfd p[NFDS] = {
	    [AT_SIGNALS] = {.fd = in->signals, .events = POLLIN},
	    [AT_XENSTORE] = {.fd = self_fd(in->self), .events = POLLIN},
	    [AT_NOTIFY] = {.fd = in->service.notify, .events = POLLIN},
	};

	for (;;) {
		drive(in);
		if (in->ending != 0 && in->service.pid == 0)
			return in->ending;
		if (poll(p, NFDS, service_tick(&in->service)) < 0 && errno != EINTR)
			return RB_POWER_OFF;
		on_signals(in);
		if (self_restored(in->self))
			leave();
		if (service_notified(&in->service)) {
			log_info("serving ms=%lld", (long long)service_now());
			self_tell(in->self, "serving");
		}
	}
}

/* Never returns: where process 1 ends, the kernel panics. */
static void __attribute__((noreturn))
end(int how)
{
	(void)umount2(DOMC_STORE, 0);
	sync();
	log_info("%s", how == RB_AUTOBOOT ? "reboot" : "power off");
	(void)tcdrain(STDERR_FILENO);
	(void)reboot(how);
	for (;;)
		(void)pause();
}

int
main(int argc, char **argv)
{
	struct init in = {.signals = -1};

	(void)argc;
	if (getpid() != 1)
		return tell_init(argv[0]) == 0 ? 0 : 1;
	umask(022);
	log_name(image.name);
	if ((in.signals = open_signals()) < 0 || prepare(&in) < 0)
		end(RB_POWER_OFF);
	end(serve(&in));
}
