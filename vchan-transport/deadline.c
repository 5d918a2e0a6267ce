/* deadline.c - see deadline.h */
#include "vchan-transport/deadline.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

#define NS_PER_MS 1000000
#define NS_PER_S 1000000000

static int64_t
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t
deadline_at(int ms)
{
	return ms < 0 ? DEADLINE_NEVER : now() + (int64_t)ms * NS_PER_MS;
}

int
deadline_left(int64_t at)
{
	int64_t left;

	if (at == DEADLINE_NEVER)
		return -1;
	if ((left = at - now()) <= 0)
		return 0;
	left = (left + NS_PER_MS - 1) / NS_PER_MS;
	return left > INT_MAX ? INT_MAX : (int)left;
}

int
deadline_poll(int fd, short events, int64_t at)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;

	while ((n = poll(&p, 1, deadline_left(at))) < 0)
		if (errno != EINTR)
			return -1;
	if (n > 0)
		return 0;
	errno = ETIMEDOUT;
	return -1;
}
