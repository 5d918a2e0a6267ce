/* metrics.c - see metrics.h */
#include "vsmd/metrics/metrics.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/proctitle.h"
#include "vsmd/confine/confine.h"
#include "vsmd/metrics/address.h"
#include "vsmd/metrics/ask.h"
#include "vsmd/metrics/mhd.h"

#define CONNECTIONS 16
#define SILENCE 10           /* s that a client may be silent */
#define CLIENT_MEMORY 32768  /* bytes for one client's request */
#define FRESH 1000           /* ms that a page is served again */
#define ONCE_MORE 100        /* ms until a run that nothing asks for */
#define LONGEST 10000        /* ms */
#define FILES 64
#define MEMORY ((rlim_t)512 << 20)
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

static const struct mhd *mhd;

struct metrics {
	const struct metrics_config *config;
	struct MHD_Response *page; /* for all that ask within a second */
	int64_t made; /* ms; 0: never */
	bool failed;  /* who was asked did not answer */
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct MHD_Response *
response(const void *body, size_t len)
{
	struct MHD_Response *r = mhd->create_response_from_buffer(
	    len, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);

	if (r != NULL)
		(void)mhd->add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, CONTENT_TYPE);
	return r;
}

/* The page of now. */
static bool
refresh(struct metrics *m)
{
	struct page p;
	struct buf b;

	if (m->made != 0 && now_ms() - m->made < FRESH)
		return m->page != NULL;
	if (m->page != NULL)
		mhd->destroy_response(m->page); /* once nobody reads it any more */
	m->page = NULL;
	buf_init(&b, PAGE_MAX);
	if (!ask_all(m->config->supervisor, m->config->store, &p))
		m->failed = true;
	else
		page_write(&b, &p);
	if (!m->failed && buf_ok(&b))
		m->page = response(b.data, b.len);
	buf_free(&b);
	ask_free(&p);
	m->made = now_ms();
	return m->page != NULL;
}

static enum MHD_Result
reply(struct MHD_Connection *c, unsigned status, const char *body)
{
	struct MHD_Response *r = response(body, strlen(body));
	enum MHD_Result rc;

	if (r == NULL)
		return MHD_NO;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)mhd->add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	rc = mhd->queue_response(c, status, r);
	mhd->destroy_response(r);
	return rc;
}

static enum MHD_Result
handle(void *arg, struct MHD_Connection *c, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_len, void **state)
{
	static int seen;
	struct metrics *m = arg;

	(void)version, (void)upload, (void)upload_len;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply(c, MHD_HTTP_METHOD_NOT_ALLOWED, "");
	/* Called first when the header is read, and again when the request is whole. */
	if (*state == NULL) {
		*state = &seen;
		return MHD_YES;
	}
	if (strcmp(url, "/metrics") != 0)
		return reply(c, MHD_HTTP_NOT_FOUND, "/metrics\n");
	if (!refresh(m))
		return reply(c, MHD_HTTP_SERVICE_UNAVAILABLE, "");
	return mhd->queue_response(c, MHD_HTTP_OK, m->page);
}

/* A socket that an earlier run left. */
static void
remove_stale(const struct sockaddr_storage *sa)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)sa;
	struct stat st;

	if (sa->ss_family == AF_UNIX && lstat(un->sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(un->sun_path);
}

static int
listen_at(const char *address)
{
	const char *why = "no memory";
	struct sockaddr_storage sa;
	socklen_t len;
	mode_t before;
	int fd = -1, one = 1, rc;

	if (!metrics_address(address, &sa, &len, &why)) {
		log_error("metrics: `%s': %s", address, why);
		return -1;
	}
	remove_stale(&sa);
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && sa.ss_family != AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	before = umask(0117); /* this user and group */
	rc = fd >= 0 ? bind(fd, (struct sockaddr *)&sa, len) : -1;
	(void)umask(before);
	if (rc == 0 && listen(fd, CONNECTIONS) == 0)
		return fd;
	log_error("metrics: cannot listen at %s: %s", address, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
confine_metrics(void)
{
	static const int extra[] = {SCMP_SYS(accept4), SCMP_SYS(accept), SCMP_SYS(epoll_wait),
	    SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(getsockopt),
	    SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername)};
	struct confine c = {
	    .role = "vsmd-metrics",
	    .syscalls = extra,
	    .nsyscalls = sizeof(extra) / sizeof(extra[0]),
	};

	return confine(&c);
}

/* Whoever makes it take memory or descriptors without end takes them from nobody else. */
static void
limit(void)
{
	struct rlimit files = {FILES, FILES};

	(void)setrlimit(RLIMIT_NOFILE, &files);
#ifndef SANITIZED /* which map terabytes */
	struct rlimit memory = {MEMORY, MEMORY};

	(void)setrlimit(RLIMIT_DATA, &memory);
#endif
}

static bool
has_clients(struct MHD_Daemon *http)
{
	const union MHD_DaemonInfo *info =
	    mhd->get_daemon_info(http, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info != NULL && info->num_connections > 0;
}

/*
 * Until the supervisor or the store is gone, or does not answer.
 *
 * At its limit of connections libmicrohttpd takes its listening socket out of its epoll set, and
 * puts it back at the beginning of the run after the one that ended some: nothing wakes us for
 * that.  So after each run that had something to do there is one more.
 */
static int
serve(struct metrics *m, struct MHD_Daemon *http)
{
	const union MHD_DaemonInfo *info = mhd->get_daemon_info(http, MHD_DAEMON_INFO_EPOLL_FD);
	struct pollfd p[3] = {{.fd = m->config->supervisor, .events = 0},
	    {.fd = m->config->store, .events = 0}, {.events = POLLIN}};
	bool again = false;

	if (info == NULL)
		return 1;
	p[2].fd = info->epoll_fd;
	while (!m->failed) {
		MHD_UNSIGNED_LONG_LONG ms;
		int timeout = again ? ONCE_MORE : -1, n;

		if (mhd->get_timeout(http, &ms) == MHD_YES &&
		    (timeout < 0 || ms < (unsigned)timeout))
			timeout = ms < LONGEST ? (int)ms : LONGEST;
		if ((n = poll(p, 3, timeout)) < 0 && errno != EINTR)
			return 1;
		if (n > 0 && (p[0].revents != 0 || p[1].revents != 0))
			return 0;
		again = n > 0 || has_clients(http);
		if (mhd->run(http) != MHD_YES)
			return 1;
	}
	return 1;
}

int
metrics_main(const struct metrics_config *config)
{
	int keep[] = {config->supervisor, config->store}, fd, rc;
	struct metrics m = {.config = config};
	struct MHD_Daemon *http;

	log_name("vsmd-metrics");
	proctitle_set("vsmd-metrics", config->address);
	(void)signal(SIGPIPE, SIG_IGN);
	if (confine_keep_fds(keep, 2) != 0 || (mhd = mhd_load()) == NULL ||
	    (fd = listen_at(config->address)) < 0)
		return 1;
	http = mhd->start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, handle, &m,
	    MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
	    MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CLIENT_MEMORY, MHD_OPTION_END);
	if (http == NULL) {
		log_error("libmicrohttpd does not start");
		close(fd);
		return 1;
	}
	/* jansson would read its seed from a path later, and the date of an answer a time zone. */
	json_object_seed(0);
	tzset();
	limit();
	rc = confine_metrics() == 0 ? serve(&m, http) : 1;
	mhd->stop_daemon(http);
	if (m.page != NULL)
		mhd->destroy_response(m.page);
	return rc;
}
