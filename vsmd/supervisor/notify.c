/* notify.c - what the service manager hears (sd_notify(3)); nothing when there is none.
 */
#include <systemd/sd-daemon.h>
#include <time.h>

#include "common/log.h"
#include "vsmd/supervisor/super.h"

void
notify_ready(struct super *s)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=Serving %zu slot%s", s->nslots,
	    s->nslots == 1 ? "" : "s");
}

void
notify_reloading(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

void
notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1\nSTATUS=Stopping");
}

void
notify_status(const char *status)
{
	/* A line break would begin another variable. */
	for (const char *c = status; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20)
			return;
	log_debug("store: %s", status);
	(void)sd_notifyf(0, "STATUS=%s", status);
}

void
notify_watchdog_init(struct super *s)
{
	uint64_t usec = 0;

	if (sd_watchdog_enabled(0, &usec) > 0 && usec >= 2000) {
		s->watchdog.interval = usec / 2000; /* twice as often as it must be */
		s->watchdog.next = 0;
	}
}

int64_t
notify_tick(struct super *s, int64_t now)
{
	if (s->watchdog.interval == 0)
		return NEVER;
	if (now >= s->watchdog.next) {
		(void)sd_notify(0, "WATCHDOG=1");
		s->watchdog.next = now + (int64_t)s->watchdog.interval;
	}
	return s->watchdog.next;
}
