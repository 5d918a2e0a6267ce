/* fake_service.c - see fake_service.h */
#include "fake_service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static bool
take(int fd, void *p, size_t len)
{
	return recv(fd, p, len, MSG_WAITALL) == (ssize_t)len;
}

static void
answer(struct fake_service *s, int fd)
{
	struct control_answer a = {.ok = s->manner == FAKE_HEARS,
	    .forgotten = s->heard.forget[0] != '\0' ? s->kept : 0};
	struct buf b;

	snprintf(a.text, sizeof(a.text), "%s", s->text);
	buf_init(&b, CONTROL_MAX);
	buf_put_u32(&b, 0);
	control_answer_write(&b, &a);
	if (s->manner == FAKE_BABBLES)
		memset(b.data + 4, 0xee, b.len - 4);
	buf_set_u32(&b, 0, s->manner == FAKE_LONG ? UINT32_MAX : (uint32_t)(b.len - 4));
	(void)!send(fd, b.data, b.len, MSG_NOSIGNAL);
	buf_free(&b);
}

static void
serve(struct fake_service *s, int fd)
{
	static uint8_t bytes[CONTROL_MAX];
	struct control_world w;
	uint32_t len;
	struct buf b;

	if (!take(fd, &len, sizeof(len)) || len > sizeof(bytes) || !take(fd, bytes, len))
		return;
	buf_view(&b, bytes, len);
	s->asked++;
	pthread_mutex_lock(&s->lock);
	if (control_world_read(&b, &w)) {
		control_world_free(&s->heard);
		s->heard = w;
		s->times++;
		if (s->manner != FAKE_LEAVES)
			answer(s, fd);
	}
	pthread_mutex_unlock(&s->lock);
}

static void *
run(void *arg)
{
	struct fake_service *s = arg;
	int fd;

	while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
		serve(s, fd);
		close(fd);
	}
	return NULL;
}

void
fake_service_start(struct fake_service *s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	memset(s, 0, sizeof(*s));
	snprintf(s->dir, sizeof(s->dir), "/tmp/test-domt.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->address, sizeof(s->address), "unix:%s/builder", s->dir);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s->address + 5);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	assert_int_equal(pthread_mutex_init(&s->lock, NULL), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

void
fake_service_stop(struct fake_service *s)
{
	(void)shutdown(s->listener, SHUT_RDWR);
	(void)pthread_join(s->thread, NULL);
	close(s->listener);
	(void)unlink(s->address + 5);
	(void)rmdir(s->dir);
	control_world_free(&s->heard);
	(void)pthread_mutex_destroy(&s->lock);
}

unsigned
fake_service_times(struct fake_service *s)
{
	unsigned n;

	pthread_mutex_lock(&s->lock);
	n = s->times;
	pthread_mutex_unlock(&s->lock);
	return n;
}

size_t
fake_service_pairs(struct fake_service *s)
{
	size_t n;

	pthread_mutex_lock(&s->lock);
	n = s->heard.n;
	pthread_mutex_unlock(&s->lock);
	return n;
}
