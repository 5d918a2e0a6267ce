/* rig.c - see rig.h */
#include "rig.h"

#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "common/log.h"
#include "dirs.h"
#include "vsmd/msg.h"
#include "vsmd/store/seed.h"

#define PATIENCE 20000 /* ms: far more than anything takes */

void
rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = -1;
	r->state = dirs_make("/tmp");
	r->on_tmpfs = access("/dev/shm", W_OK) == 0;
	r->memory = dirs_make(r->on_tmpfs ? "/dev/shm" : "/tmp");
	snprintf(r->tpm, sizeof(r->tpm), "fake:%s/tpm-state", r->state);
	dirs_save(r->state, "tpm-state", "A1", 2);
	r->config = (struct store_config){.state = r->state,
	    .memory = r->memory,
	    .tpm = r->tpm,
	    .policy = {.locality = -1},
	    .pin_tries = 3,
	    .sandbox = true};
}

void
rig_free(struct rig *r)
{
	if (r->pid > 0)
		rig_kill(r);
	dirs_remove(r->state);
	dirs_remove(r->memory);
}

static void
receive(int fd, struct buf *b)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	/* The line for the service manager may come at any time. */
	do {
		assert_int_equal(poll(&p, 1, PATIENCE), 1);
		assert_int_equal(ipc_recv(fd, b, NULL, NULL), 0);
	} while (b->data[0] == M_T_STATUS);
}

static void
read_slots(struct rig *r, struct buf *b)
{
	uint64_t epoch = buf_get_u64(b);

	assert_true(epoch > r->epoch);
	r->epoch = epoch;
	r->nslots = buf_get_u32(b);
	assert_true(r->nslots <= RIG_SLOTS);
	for (uint32_t i = 0; i < r->nslots; i++) {
		struct rig_slot *s = &r->slots[i];
		uint8_t flags;

		s->number = buf_get_u32(b);
		flags = buf_get_u8(b);
		assert_int_equal(flags & ~M_SLOT_ALL, 0);
		s->initialized = flags & M_SLOT_INITIALIZED;
		s->discarding = flags & M_SLOT_DISCARDING;
		buf_get_str(b, s->label, sizeof(s->label));
		buf_get_str(b, s->serial, sizeof(s->serial));
		buf_get_str(b, s->directory, sizeof(s->directory));
	}
	assert_true(buf_end(b));
}

void
rig_slots(struct rig *r)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	receive(r->fd, &b);
	assert_int_equal(buf_get_u8(&b), M_T_SLOTS);
	read_slots(r, &b);
	buf_free(&b);
}

bool
rig_start(struct rig *r)
{
	struct pollfd p;
	int fds[2];
	struct buf b;
	bool ok;

	assert_int_equal(ipc_pair(fds), 0);
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0) {
		if (getenv("RIG_LOG") == NULL)
			log_level(LOG_ERR_);
		close(fds[0]);
		_exit(store_main(fds[1], &r->config));
	}
	close(fds[1]);
	r->fd = fds[0];
	r->epoch = 0;
	p = (struct pollfd){.fd = r->fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, PATIENCE), 1);
	buf_init(&b, IPC_MAX);
	r->seeded = false;
	while ((ok = ipc_recv(r->fd, &b, NULL, NULL) == 0) && b.data[0] == M_T_SEED) {
		assert_int_equal(b.len, 1 + SEED_LEN);
		r->seeded = true;
	}
	if (ok) {
		assert_int_equal(buf_get_u8(&b), M_T_SLOTS);
		read_slots(r, &b);
	} else {
		int status;

		assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 1);
		close(r->fd);
		r->pid = 0;
	}
	buf_free(&b);
	return ok;
}

static int
end(struct rig *r)
{
	int status;

	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	close(r->fd);
	r->pid = 0;
	return status;
}

int
rig_stop(struct rig *r)
{
	struct buf b;
	int status;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_S_STOP);
	assert_int_equal(ipc_send(r->fd, &b, NULL, 0), 0);
	buf_free(&b);
	status = end(r);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

void
rig_kill(struct rig *r)
{
	kill(r->pid, SIGKILL);
	(void)end(r);
}

uint32_t
rig_discard(struct rig *r)
{
	uint32_t slot;
	char why[256];
	struct buf b;

	buf_init(&b, IPC_MAX);
	receive(r->fd, &b);
	assert_int_equal(buf_get_u8(&b), M_T_DISCARD);
	slot = buf_get_u32(&b);
	buf_get_str(&b, why, sizeof(why));
	assert_true(buf_end(&b));
	buf_reset(&b);
	buf_put_u8(&b, M_S_DISCARDED);
	buf_put_u32(&b, slot);
	assert_int_equal(ipc_send(r->fd, &b, NULL, 0), 0);
	buf_free(&b);
	rig_slots(r);
	return slot;
}

struct rig_slot *
rig_slot(struct rig *r, uint32_t number)
{
	for (uint32_t i = 0; i < r->nslots; i++)
		if (r->slots[i].number == number)
			return &r->slots[i];
	return NULL;
}

void
rig_token_path(const struct rig_slot *slot, char path[512])
{
	DIR *d = opendir(slot->directory);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.') {
			snprintf(path, 512, "%s/%s", slot->directory, e->d_name);
			n++;
		}
	closedir(d);
	assert_int_equal(n, 1);
}

static int
attach(struct rig *r, uint32_t slot, bool admin, const char *principal, uint32_t flags,
    uint32_t classes)
{
	struct grant *g = calloc(1, sizeof(*g));
	int fds[2];
	struct buf b;

	assert_non_null(g);
	snprintf(g->principal, sizeof(g->principal), "%s", principal);
	snprintf(g->peer, sizeof(g->peer), "uid 1 pid 2");
	g->flags = flags;
	g->classes = classes;
	assert_int_equal(ipc_pair(fds), 0);
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_S_ATTACH);
	buf_put_u32(&b, slot);
	buf_put_u8(&b, admin);
	grant_write(&b, g);
	assert_int_equal(ipc_send(r->fd, &b, &fds[1], 1), 0);
	buf_free(&b);
	close(fds[1]);
	free(g);
	return fds[0];
}

int
rig_attach(
    struct rig *r, uint32_t slot, bool admin, const char *principal, uint32_t flags)
{
	return attach(r, slot, admin, principal, flags, (1u << (CLASS_INIT + 1)) - 1);
}

int
rig_attach_classes(struct rig *r, uint32_t slot, const char *principal, uint32_t classes)
{
	return attach(r, slot, false, principal, 0, classes);
}

CK_RV
rig_ask(int fd, const struct buf *out, struct buf *in)
{
	CK_RV rv;

	assert_int_equal(ipc_send(fd, out, NULL, 0), 0);
	receive(fd, in);
	assert_int_equal(buf_get_u8(in), M_W_ANSWER);
	rv = buf_get_u64(in);
	assert_true(buf_ok(in));
	return rv;
}

static void
put_event(struct buf *b, const char *name)
{
	buf_put_str(b, name);
	buf_put_str(b, "a detail");
	buf_put_u64(b, CKR_OK);
}

CK_RV
rig_commit(int fd, const char *label, const char *serial, uint64_t *ret_epoch)
{
	uint64_t epoch = 0;
	struct buf b;
	CK_RV rv;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_COMMIT);
	buf_put_u8(&b, 1);
	put_event(&b, "C_Something");
	buf_put_u8(&b, label != NULL);
	if (label != NULL) {
		buf_put_str(&b, label);
		buf_put_str(&b, serial);
	}
	rv = rig_ask(fd, &b, &b);
	if (rv == CKR_OK)
		epoch = buf_get_u64(&b);
	assert_true(buf_end(&b));
	if (ret_epoch != NULL)
		*ret_epoch = epoch;
	buf_free(&b);
	return rv;
}

CK_RV
rig_simple(int fd, uint8_t msg, uint8_t type)
{
	struct buf b;
	CK_RV rv;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, msg);
	buf_put_u8(&b, type);
	rv = rig_ask(fd, &b, &b);
	assert_true(buf_end(&b));
	buf_free(&b);
	return rv;
}

CK_RV
rig_login_done(int fd, uint8_t type, bool success, const char *pin, uint8_t **ticket,
    size_t *ticket_len)
{
	struct buf b;
	CK_RV rv;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_LOGIN_DONE);
	buf_put_u8(&b, type);
	buf_put_u8(&b, success);
	buf_put_str(&b, pin);
	put_event(&b, "C_Login");
	rv = rig_ask(fd, &b, &b);
	if (rv == CKR_OK && success) {
		size_t len = 0;
		const uint8_t *p = buf_get_bytes(&b, &len);

		assert_non_null(p);
		if (ticket != NULL) {
			*ticket = malloc(len + 1);
			memcpy(*ticket, p, len);
			*ticket_len = len;
		}
	}
	assert_true(buf_end(&b));
	buf_free(&b);
	return rv;
}

/* bytes from an answer, as a string */
static void
take_text(struct buf *b, char text[64])
{
	size_t len = 0;
	const uint8_t *p = buf_get_bytes(b, &len);

	assert_non_null(p);
	assert_true(len < 64);
	memcpy(text, p, len);
	text[len] = '\0';
}

CK_RV
rig_ticket_open(int fd, const uint8_t *ticket, size_t len, char pin[64])
{
	struct buf b;
	CK_RV rv;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_TICKET_OPEN);
	buf_put_bytes(&b, ticket, len);
	rv = rig_ask(fd, &b, &b);
	if (rv == CKR_OK) {
		(void)buf_get_u8(&b);
		take_text(&b, pin);
	}
	assert_true(buf_end(&b));
	buf_free(&b);
	return rv;
}

CK_RV
rig_pin_changed(int fd, uint8_t type, const char *pin)
{
	struct buf b;
	CK_RV rv;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_PIN_CHANGED);
	buf_put_u8(&b, type);
	buf_put_str(&b, pin);
	rv = rig_ask(fd, &b, &b);
	assert_true(buf_end(&b));
	buf_free(&b);
	return rv;
}

CK_RV
rig_channel_pin(int fd, char pin[64])
{
	struct buf b;
	CK_RV rv;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_CHANNEL_PIN);
	rv = rig_ask(fd, &b, &b);
	if (rv == CKR_OK)
		take_text(&b, pin);
	assert_true(buf_end(&b));
	buf_free(&b);
	return rv;
}

CK_FLAGS
rig_token_flags(int fd)
{
	CK_FLAGS flags;
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_TOKEN_FLAGS);
	assert_int_equal(rig_ask(fd, &b, &b), CKR_OK);
	flags = buf_get_u64(&b);
	assert_true(buf_end(&b));
	buf_free(&b);
	return flags;
}

bool
rig_admin(int fd, const char *call, const char *args, const char *passphrase,
    const char *so_pin, const void *blob, size_t blob_len, char *text, size_t size,
    struct buf *ret_blob)
{
	struct buf b, secret;
	const uint8_t *p;
	size_t len = 0;
	bool ok;

	buf_init(&b, IPC_MAX);
	buf_init(&secret, 4096);
	buf_put_str(&secret, passphrase);
	buf_put_str(&secret, so_pin);
	buf_put_u8(&b, M_A_ASK);
	buf_put_str(&b, call);
	buf_put_str(&b, args);
	buf_put_bytes(&b, secret.data, secret.len);
	buf_put_bytes(&b, blob, blob_len);
	assert_int_equal(ipc_send(fd, &b, NULL, 0), 0);
	receive(fd, &b);
	assert_int_equal(buf_get_u8(&b), M_A_ANSWER);
	ok = buf_get_u8(&b) == 1;
	buf_get_str(&b, text, size);
	p = buf_get_bytes(&b, &len);
	assert_true(buf_end(&b));
	if (ret_blob != NULL)
		buf_put_raw(ret_blob, p, len);
	buf_free(&b);
	buf_free(&secret);
	return ok;
}
