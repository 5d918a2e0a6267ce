/*
 * fuzz_dispatch.c - a worker's whole way from bytes to a reply, on a fake token library.
 *
 * The first byte of the input chooses the grant, and whether the guest shares memory, the rest
 * is what the guest sends.  The
 * channel and the store are wrapped (see CMakeLists.txt), so one thread does it all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "fakebackend.h"
#include "vsmd/msg.h"
#include "vsmd/worker/reply.h"
#include "vsmd/worker/state.h"

#define SLOT 1

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
ssize_t __wrap_channel_read(struct channel *c, void *p, size_t len, int deadline);
int __wrap_channel_writev(struct channel *c, const struct iovec *v, int n, int deadline);
int __wrap_ipc_send(int fd, const struct buf *b, const int *fds, size_t nfds);
int __wrap_ipc_recv(int fd, struct buf *b, int *fds, size_t *ret_nfds);

static const uint8_t *input;
static size_t input_len;
static uint8_t asked; /* M_W_* of the last question */
static uint8_t user, success;

ssize_t
__wrap_channel_read(struct channel *c, void *p, size_t len, int deadline)
{
	size_t n = len < input_len ? len : input_len;

	(void)c;
	(void)deadline;
	memcpy(p, input, n);
	input += n;
	input_len -= n;
	return (ssize_t)n;
}

/* Replies that waited for each other go out together: whole frames, and nothing else. */
static void
check_frames(const uint8_t *p, size_t len)
{
	struct frame f;

	if (len == 0)
		abort();
	while (len > 0) {
		if (len < FRAME_HEADER || !frame_parse(p, FRAME_MAX_DEFAULT, &f) ||
		    f.length > len - FRAME_HEADER)
			abort();
		p += FRAME_HEADER + f.length;
		len -= FRAME_HEADER + f.length;
	}
}

int
__wrap_channel_writev(struct channel *c, const struct iovec *v, int n, int deadline)
{
	(void)c;
	(void)deadline;
	if (n < 1)
		abort();
	for (int i = 0; i < n; i++)
		check_frames(v[i].iov_base, v[i].iov_len);
	return 0;
}

int
__wrap_ipc_send(int fd, const struct buf *b, const int *fds, size_t nfds)
{
	(void)fd;
	(void)fds;
	(void)nfds;
	if (!buf_ok(b) || b->len == 0 || b->len > IPC_MAX)
		abort();
	asked = b->data[0];
	user = b->len > 1 ? b->data[1] : 0;
	success = b->len > 2 ? b->data[2] : 0;
	return 0;
}

int
__wrap_ipc_recv(int fd, struct buf *b, int *fds, size_t *ret_nfds)
{
	(void)fd;
	(void)fds;
	(void)ret_nfds;
	buf_reset(b);
	buf_put_u8(b, M_W_ANSWER);
	buf_put_u64(b, CKR_OK);
	switch (asked) {
	case M_W_COMMIT:
	case M_W_TOKEN_FLAGS:
		buf_put_u64(b, 1);
		break;
	case M_W_LOGIN_DONE:
		if (success)
			buf_put_str(b, "ticket");
		break;
	case M_W_CHANNEL_PIN:
		buf_put_str(b, "1234");
		break;
	case M_W_TICKET_OPEN:
		buf_put_u8(b, user & 1);
		buf_put_str(b, "1234");
		break;
	case M_W_ONCE: /* the name's first byte, which is in `user`, says what was made */
		buf_put_u8(b, user % 3);
		for (int i = 0; i < user % 3 * 16; i++)
			buf_put_u8(b, i % 16 == MSG_ID_FLAGS ? user >> 4 : success);
		break;
	default:
		break;
	}
	return 0;
}

static void
make_grant(struct grant *g, uint8_t choice)
{
	memset(g, 0, sizeof(*g));
	g->flags = choice & (GRANT_CHANNEL_LOGIN | GRANT_PIN_LOCKOUT | GRANT_DENY_EXTRACT |
			      GRANT_AUDIT_USE);
	g->classes = choice & 0x10 ? 1u << CLASS_READ | 1u << CLASS_USE : ~0u;
	if (choice & 0x20) {
		g->nrules = 2;
		g->rules[0].match.has_label = true;
		memcpy(g->rules[0].match.label, "ab*", 4);
		g->rules[0].hide = true;
		g->rules[1].rate = g->rules[1].burst = 2;
		g->rules[1].limit_mechs = true;
		g->rules[1].mechs[g->rules[1].nmechs++] = CKM_RSA_PKCS;
	}
	if (choice & 0x40) {
		g->limit_mechs = true;
		g->mechs[g->nmechs++] = CKM_RSA_PKCS;
	}
}

/* As worker_main() does it, without processes. */
static void
serve_input(struct worker *w, struct worker_config *config, bool near)
{
	struct seat seat = {0};

	w->config = config;
	w->grant = &config->grant;
	w->fl = config->backend;
	w->slot = 3;
	w->user = -1;
	w->max_frame = FRAME_MAX_DEFAULT;
	w->pins = gate_pins(&w->gate);
	reply_init(w);
	pthread_mutex_init(&w->login_lock, NULL);
	pthread_mutex_init(&w->open_lock, NULL);
	sessions_init(&w->sessions, 8);
	objects_init(&w->objects);
	keycache_init(&w->keys);
	store_init(&w->store, -1);
	audit_init(&w->audit);
	inbox_init(&w->inbox, w->max_frame);
	w->inbox.near = near;
	pthread_mutex_init(&w->pool.lock, NULL);
	pthread_cond_init(&w->pool.follow, NULL);
	pthread_cond_init(&w->pool.watch, NULL);
	w->pool.max = 1;
	w->pool.total = 1;
	w->pool.vacant = true;
	loop(w, &seat);
	sessions_free(&w->sessions);
	objects_forget_all(&w->objects);
	keycache_free(&w->keys);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct worker_config config;
	static struct gate_file gate;
	static struct worker *w;
	static char path[] = "/tmp/fuzz_dispatch.XXXXXX";
	static struct nursery_config nursery = {.slot = SLOT, .threads = 1};
	static int pair[2];

	if (w == NULL) {
		int fd = mkstemp(path);

		log_level(LOG_ERR_);
		if (fd < 0 || gate_file_open(&gate, path) != 0 ||
		    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
		    (w = calloc(1, sizeof(*w))) == NULL)
			abort();
		close(fd);
	}
	if (size == 0)
		return 0;
	memset(w, 0, sizeof(*w));
	w->gate = gate;
	w->channel = channel_from_fd(dup(pair[0]));
	config.nursery = &nursery;
	config.backend = &fake_backend;
	make_grant(&config.grant, data[0]);
	input = data + 1;
	input_len = size - 1;
	fake_backend_reset();
	serve_input(w, &config, data[0] & 0x80);
	channel_drop(w->channel);
	return 0;
}
