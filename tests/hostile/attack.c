/* attack.c - the memory and the socket, beside what they are for: see hostile.h */
#include "hostile.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static uint32_t
word(struct chance *c)
{
	static const uint32_t words[] = {
	    0, 1, 2, 3, RING_SIZE, RING_SIZE + 1, 0x7fffffff, 0x80000000, 0xffffffff};

	return one_in(c, 2) ? words[below(c, 9)] : (uint32_t)chance_next(c);
}

static void
wake_all(struct channel_ends *e)
{
	(void)ring_wake(&e->out.ring->produced.sleep);
	(void)ring_wake(&e->in.ring->consumed.sleep);
	(void)send(e->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
scribble(struct channel_ends *e, struct chance *c)
{
	struct ring *out = e->out.ring, *in = e->in.ring;

	switch (below(c, 7)) {
	case 0:
		atomic_store(&out->produced.index, word(c));
		break;
	case 1:
		atomic_store(&in->consumed.index, word(c));
		break;
	case 2:
		atomic_store(&out->consumed.index, word(c));
		atomic_store(&in->produced.index, word(c));
		break;
	case 3:
		atomic_store(&(one_in(c, 2) ? &out->consumed : &in->produced)->sleep, word(c));
		atomic_store(&in->berth[below(c, RING_BERTHS)].sleep, word(c));
		break;
	case 4:
		atomic_store(&(one_in(c, 2) ? in : out)->deaf, word(c));
		break;
	case 5:
		fill(c, (one_in(c, 2) ? in : out)->data + below(c, RING_SIZE / 2), RING_SIZE / 2);
		break;
	default:
		/* There and back, while the worker looks. */
		for (unsigned i = 0; i < 100; i++)
			atomic_fetch_xor(&out->produced.index, 1u << below(c, 16));
	}
	wake_all(e);
}

/* All of it, its words too. */
static void
overwrite(struct channel_ends *e, struct chance *c)
{
	fill(c, e->m, sizeof(*e->m));
	wake_all(e);
}

/* Its pages are gone; new ones are zero. */
static void
punch(struct channel_ends *e, struct chance *c)
{
	size_t page = (size_t)below(c, sizeof(*e->m) / 4096) * 4096;

	(void)madvise((char *)e->m + page, 4096, MADV_REMOVE);
	wake_all(e);
}

static void
bells(struct channel_ends *e, struct chance *c)
{
	uint8_t bytes[4096];

	fill(c, bytes, sizeof(bytes));
	(void)send(e->fd, bytes, 1 + below(c, sizeof(bytes)), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
send_descriptor(struct channel_ends *e)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_level = SOL_SOCKET,
	    .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
	char byte = 'x';
	struct iovec v = {&byte, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control,
	    .msg_controllen = sizeof(control)};

	memcpy(CMSG_DATA(&control.header), &e->fd, sizeof(e->fd));
	(void)sendmsg(e->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
attack(struct channel_ends *e, struct chance *c)
{
	e->scribbled = true;
	atomic_fetch_add(&count.attacks, 1);
	switch (below(c, e->m != NULL ? 10 : 3)) {
	case 0:
		bells(e, c);
		break;
	case 1:
		(void)shutdown(e->fd, one_in(c, 2) ? SHUT_WR : SHUT_RD);
		break;
	case 2:
		send_descriptor(e);
		break;
	case 3:
		overwrite(e, c);
		break;
	case 4:
		punch(e, c);
		break;
	default:
		for (unsigned n = 1 + below(c, 20); n > 0; n--)
			scribble(e, c);
	}
}
