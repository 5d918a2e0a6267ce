/* kernel.c - see domc.h: the kernel, before anybody is served. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/log.h"
#include "common/secmem.h"
#include "xen-hooks/domc/domc.h"

#define LINE_MAX_ 2048

/*
 * Written once, in this order.  `must': without it nothing is served; the others are not in
 * every kernel.  On `xl shutdown' and `xl reboot' the kernel runs a program, which is init
 * itself (init.c); it runs no other.
 */
static const struct {
	const char *path, *value;
	bool must;
} settings[] = {
    {"/proc/sys/kernel/poweroff_cmd", "/init", true},
    {"/proc/sys/kernel/modprobe", "\n", true},
    {"/proc/sys/kernel/core_pattern", "\n", true},
    {"/proc/sys/kernel/sysrq", "0", true}, /* dom0 can press the key */
    {"/proc/sys/kernel/panic_on_oops", "1", true},
    {"/proc/sys/kernel/dmesg_restrict", "1", true},
    {"/proc/sys/kernel/kptr_restrict", "2", true},
    {"/proc/sys/kernel/perf_event_paranoid", "3", false},
    {"/proc/sys/kernel/unprivileged_bpf_disabled", "1", false},
    {"/proc/sys/kernel/yama/ptrace_scope", "3", false},
    {"/proc/sys/user/max_user_namespaces", "0", false},
    {"/proc/sys/kernel/kexec_load_disabled", "1", false},
    {"/proc/sys/kernel/modules_disabled", "1", true},
};

static int
read_line(const char *path, char line[LINE_MAX_])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, LINE_MAX_ - 1);

	if (fd >= 0)
		close(fd);
	line[n > 0 ? n : 0] = '\0';
	if (n >= 0)
		return 0;
	log_error("%s: %s", path, strerror(errno));
	return -1;
}

/* Without what stands before and behind. */
static size_t
trim(const char **s)
{
	static const char blanks[] = " \t\n";
	size_t n;

	*s += strspn(*s, blanks);
	n = strlen(*s);
	while (n > 0 && strchr(blanks, (*s)[n - 1]) != NULL)
		n--;
	return n;
}

bool
kernel_same_line(const char *have, const char *want)
{
	size_t h = trim(&have), w = trim(&want);

	return h == w && memcmp(have, want, h) == 0;
}

int
kernel_check_line(void)
{
	char have[LINE_MAX_], want[LINE_MAX_];

	if (read_line("/proc/cmdline", have) < 0 || read_line(DOMC_CMDLINE, want) < 0)
		return -1;
	if (kernel_same_line(have, want))
		return 0;
	want[strcspn(want, "\n")] = '\0';
	log_error("the kernel's command line is not this image's, which is: %s", want);
	return -1;
}

int
kernel_settle(void)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		size_t len = strlen(settings[i].value);
		int fd = open(settings[i].path, O_WRONLY | O_CLOEXEC);
		bool done = fd >= 0 && write(fd, settings[i].value, len) == (ssize_t)len;

		if (!done && settings[i].must)
			log_error("%s: %s", settings[i].path, strerror(errno));
		if (fd >= 0)
			close(fd);
		if (!done && settings[i].must)
			return -1;
	}
	return 0;
}

int
kernel_wait_random(void)
{
	uint8_t b[32];
	ssize_t n;

	/* With flags 0 it waits until the generator was seeded, however long that takes. */
	do
		n = getrandom(b, sizeof(b), 0);
	while (n < 0 && errno == EINTR);
	sec_wipe(b, sizeof(b));
	if (n == sizeof(b))
		return 0;
	log_error("getrandom: %s", strerror(errno));
	return -1;
}
