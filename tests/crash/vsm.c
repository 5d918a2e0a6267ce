/* vsm.c - see vsm.h */
#include "vsm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "common/tree.h"
#include "record.h"
#include "vsmd/msg.h"
#include "vsmd/policy/grant.h"

#define PATIENCE 120000 /* ms: far more than anything takes */
#define DEPTH 8

static bool *compact_now;

void
vsm_compact(bool now)
{
	*compact_now = now;
}

bool
vsm_compact_now(void)
{
	return *compact_now;
}

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static void
make(char *path, size_t size, const char *work, const char *name)
{
	if (snprintf(path, size, "%s/%s", work, name) >= (int)size)
		die("crash: a path is too long");
}

bool
vsm_init(struct vsm *v, const char *tpm)
{
	memset(v, 0, sizeof(*v));
	v->fd = -1;
	snprintf(v->work, sizeof(v->work), "/dev/shm/caas-crash-XXXXXX");
	if (mkdtemp(v->work) == NULL)
		return false;
	compact_now = mmap(NULL, sizeof(*compact_now), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0); /* this process's own, and its stores' */
	if (compact_now == MAP_FAILED)
		die("crash");
	make(v->state, sizeof(v->state), v->work, "state");
	make(v->memory, sizeof(v->memory), v->work, "memory");
	make(v->log, sizeof(v->log), v->work, "log");
	if (mkdir(v->state, 0700) != 0 || mkdir(v->memory, 0700) != 0)
		die(v->work);
	if (tpm == NULL) {
		int fd;

		make(v->nv, sizeof(v->nv), v->work, "tpm");
		fd = open(v->nv, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, "A1", 2) != 2)
			die(v->nv);
		close(fd);
		snprintf(v->tpm, sizeof(v->tpm), "fake:%s", v->nv);
		make(v->nv, sizeof(v->nv), v->work, "tpm.nv");
	} else {
		snprintf(v->tpm, sizeof(v->tpm), "%s", tpm);
	}
	v->config = (struct store_config){.state = v->state,
	    .memory = v->memory,
	    .tpm = v->tpm,
	    .policy = {.locality = -1},
	    .pin_tries = VSM_TRIES,
	    .audit_rotate = 3000, /* bytes: a new file every ten records or so */
	    .audit_keep = 3,
	    .sandbox = true};
	return true;
}

void
vsm_free(struct vsm *v)
{
	if (v->pid > 0)
		vsm_kill(v);
	(void)tree_remove(AT_FDCWD, v->work, DEPTH);
}

/* It has ended, or is to: whatever it still would say is not heard. */
static void
ended(struct vsm *v)
{
	int status;

	if (v->pid == 0)
		return;
	kill(v->pid, SIGKILL);
	(void)waitpid(v->pid, &status, 0);
	close(v->fd);
	v->pid = 0;
}

static void
read_slots(struct vsm *v, struct buf *b)
{
	(void)buf_get_u64(b);
	v->nslots = buf_get_u32(b);
	if (v->nslots > VSM_SLOTS)
		die("crash: too many slots");
	for (uint32_t i = 0; i < v->nslots; i++) {
		struct vsm_slot *s = &v->slots[i];

		s->number = buf_get_u32(b);
		s->initialized = buf_get_u8(b) & M_SLOT_INITIALIZED;
		buf_get_str(b, s->label, sizeof(s->label));
		buf_get_str(b, s->serial, sizeof(s->serial));
		buf_get_str(b, s->directory, sizeof(s->directory));
	}
}

/* What a supervisor does about a message.  *ret_slots: it was M_T_SLOTS. */
static bool
supervise(struct vsm *v, bool *ret_slots)
{
	char line[256];
	uint32_t slot;
	struct buf b;
	bool ok;

	buf_init(&b, IPC_MAX);
	ok = ipc_recv(v->fd, &b, NULL, NULL) == 0;
	switch (ok ? buf_get_u8(&b) : 0) {
	case M_T_SLOTS:
		read_slots(v, &b);
		*ret_slots = true;
		break;
	case M_T_STATUS:
		buf_get_str(&b, line, sizeof(line));
		v->rolled_back = strstr(line, "not the last state") != NULL;
		break;
	case M_T_DISCARD:
		slot = buf_get_u32(&b);
		buf_reset(&b);
		buf_put_u8(&b, M_S_DISCARDED);
		buf_put_u32(&b, slot);
		ok = ipc_send(v->fd, &b, NULL, 0) == 0;
		break;
	default:
		break;
	}
	buf_free(&b);
	return ok;
}

static void __attribute__((noreturn)) run(struct vsm *v, int fd)
{
	int log = open(v->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (log < 0 || dup2(log, STDERR_FILENO) < 0)
		die(v->log);
	close(log);
	log_level(LOG_INFO_);
	record_enter();
	_exit(store_main(fd, &v->config));
}

/* Serve the supervisor's pipe until fd (when not -1) can be read, or the slots are there. */
static bool
pump(struct vsm *v, int fd, bool until_slots)
{
	struct pollfd p[2] = {
	    {.fd = v->fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
	bool slots = false;

	while (v->pid > 0) {
		if (poll(p, 2, PATIENCE) <= 0) {
			printf("# the store hangs\n");
			vsm_show_log(v);
			exit(1);
		}
		if (p[0].revents != 0 && !supervise(v, &slots)) {
			ended(v);
			return false;
		}
		if (p[0].revents == 0 && p[1].revents != 0)
			return true; /* and the supervisor has heard all that came before */
		if (until_slots && slots)
			return true;
	}
	return false;
}

bool
vsm_start(struct vsm *v, bool anchor)
{
	int fds[2];

	if (ipc_pair(fds) != 0)
		die("crash");
	fflush(NULL);
	v->config.anchor = anchor;
	v->rolled_back = false;
	v->nslots = 0;
	if ((v->pid = fork()) < 0)
		die("crash");
	if (v->pid == 0) {
		close(fds[0]);
		run(v, fds[1]);
	}
	close(fds[1]);
	v->fd = fds[0];
	return pump(v, -1, true);
}

bool
vsm_stop(struct vsm *v)
{
	bool slots, stopped = false;
	struct buf b;
	int status;

	if (v->pid == 0)
		return false;
	buf_init(&b, 16);
	buf_put_u8(&b, M_S_STOP);
	if (ipc_send(v->fd, &b, NULL, 0) == 0) {
		while (supervise(v, &slots))
			;
		stopped = waitpid(v->pid, &status, 0) == v->pid && WIFEXITED(status) &&
			  WEXITSTATUS(status) == 0;
		close(v->fd);
		v->pid = 0;
	}
	ended(v);
	buf_free(&b);
	return stopped;
}

void
vsm_kill(struct vsm *v)
{
	ended(v);
}

void
vsm_show_log(const struct vsm *v)
{
	char line[512];
	FILE *f;

	if (v->pid > 0)
		usleep(20000); /* it may be about to say why */
	f = fopen(v->log, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		printf("#     %s", line);
	if (f != NULL)
		fclose(f);
}

struct vsm_slot *
vsm_slot(struct vsm *v, uint32_t number)
{
	for (uint32_t i = 0; i < v->nslots; i++)
		if (v->slots[i].number == number)
			return &v->slots[i];
	return NULL;
}

struct vsm_slot *
vsm_blank(struct vsm *v)
{
	for (uint32_t i = 0; i < v->nslots; i++)
		if (!v->slots[i].initialized)
			return &v->slots[i];
	return NULL;
}

int
vsm_attach(struct vsm *v, uint32_t slot, bool admin)
{
	static struct grant g;
	int fds[2];
	struct buf b;
	bool ok;

	if (v->pid == 0)
		return -1;
	memset(&g, 0, sizeof(g));
	snprintf(g.principal, sizeof(g.principal), "crash");
	snprintf(g.peer, sizeof(g.peer), "uid 1 pid 2");
	g.flags = admin ? GRANT_ADMIN : GRANT_CHANNEL_LOGIN | GRANT_PIN_LOCKOUT;
	g.classes = (1u << (CLASS_INIT + 1)) - 1;
	if (ipc_pair(fds) != 0)
		die("crash");
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_S_ATTACH);
	buf_put_u32(&b, slot);
	buf_put_u8(&b, admin);
	grant_write(&b, &g);
	ok = ipc_send(v->fd, &b, &fds[1], 1) == 0;
	buf_free(&b);
	close(fds[1]);
	if (!ok) {
		close(fds[0]);
		ended(v);
		return -1;
	}
	return fds[0];
}

bool
vsm_send(struct vsm *v, int fd, const struct buf *b)
{
	return v->pid > 0 && fd >= 0 && ipc_send(fd, b, NULL, 0) == 0;
}

/* The next message on fd. */
static bool
receive(struct vsm *v, int fd, struct buf *in)
{
	if (fd < 0 || !pump(v, fd, false))
		return false;
	if (ipc_recv(fd, in, NULL, NULL) == 0)
		return true;
	/* A worker's pipe closes when its slot is discarded; everything else is the end. */
	return false;
}

CK_RV
vsm_await(struct vsm *v, int fd, struct buf *in)
{
	CK_RV rv;

	if (!receive(v, fd, in) || buf_get_u8(in) != M_W_ANSWER)
		return VSM_GONE;
	rv = buf_get_u64(in);
	return buf_ok(in) ? rv : VSM_GONE;
}

CK_RV
vsm_ask(struct vsm *v, int fd, struct buf *b)
{
	return vsm_send(v, fd, b) ? vsm_await(v, fd, b) : VSM_GONE;
}

static void
put_event(struct buf *b, const char *name)
{
	buf_put_str(b, name);
	buf_put_str(b, "a detail");
	buf_put_u64(b, CKR_OK);
}

bool
vsm_send_commit(struct vsm *v, int fd, const char *label, const char *serial)
{
	struct buf b;
	bool ok;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_COMMIT);
	buf_put_u8(&b, 1);
	put_event(&b, "C_Something");
	buf_put_u8(&b, label != NULL);
	if (label != NULL) {
		buf_put_str(&b, label);
		buf_put_str(&b, serial);
	}
	ok = vsm_send(v, fd, &b);
	buf_free(&b);
	return ok;
}

CK_RV
vsm_commit(struct vsm *v, int fd, const char *label, const char *serial)
{
	char text[4096];
	struct buf b;
	CK_RV rv;

	buf_init(&b, IPC_MAX);
	rv = vsm_send_commit(v, fd, label, serial) ? vsm_await(v, fd, &b) : VSM_GONE;
	buf_free(&b);
	/* The supervisor hears of a new token behind this answer, and before the next. */
	if (rv == CKR_OK && label != NULL)
		(void)vsm_admin(v, "status", "{}", NULL, text);
	return rv;
}

static CK_RV
simple(struct vsm *v, int fd, struct buf *b)
{
	CK_RV rv = vsm_ask(v, fd, b);

	buf_free(b);
	return rv;
}

CK_RV
vsm_pin_changed(struct vsm *v, int fd, CK_USER_TYPE user, const char *pin)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_PIN_CHANGED);
	buf_put_u8(&b, (uint8_t)user);
	buf_put_str(&b, pin);
	return simple(v, fd, &b);
}

CK_RV
vsm_login(struct vsm *v, int fd, CK_USER_TYPE user, bool success, struct buf *ticket)
{
	const uint8_t *p;
	size_t len = 0;
	struct buf b;
	CK_RV rv;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_LOGIN_DONE);
	buf_put_u8(&b, (uint8_t)user);
	buf_put_u8(&b, success);
	buf_put_str(&b, "user-pin");
	put_event(&b, "C_Login");
	rv = vsm_ask(v, fd, &b);
	if (rv == CKR_OK && success && ticket != NULL &&
	    (p = buf_get_bytes(&b, &len)) != NULL)
		buf_put_raw(ticket, p, len);
	buf_free(&b);
	return rv;
}

CK_RV
vsm_logout(struct vsm *v, int fd)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_LOGGED_OUT);
	buf_put_u8(&b, CKU_USER);
	return simple(v, fd, &b);
}

CK_RV
vsm_audit(struct vsm *v, int fd, const char *event)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_AUDIT);
	put_event(&b, event);
	return simple(v, fd, &b);
}

CK_RV
vsm_admin_on(struct vsm *v, int fd, const char *call, const char *args, const char *so_pin,
    const struct buf *blob, char text[4096], struct buf *ret_blob)
{
	struct buf b, secret;
	CK_RV rv = VSM_GONE;
	const uint8_t *p;
	size_t len = 0;

	text[0] = '\0';
	buf_init(&b, IPC_MAX);
	buf_init(&secret, 256);
	buf_put_str(&secret, "");
	buf_put_str(&secret, so_pin != NULL ? so_pin : "");
	buf_put_u8(&b, M_A_ASK);
	buf_put_str(&b, call);
	buf_put_str(&b, args);
	buf_put_bytes(&b, secret.data, so_pin != NULL ? secret.len : 0);
	buf_put_bytes(&b, blob != NULL ? blob->data : NULL, blob != NULL ? blob->len : 0);
	if (vsm_send(v, fd, &b) && receive(v, fd, &b) && buf_get_u8(&b) == M_A_ANSWER) {
		rv = buf_get_u8(&b) == 1 ? CKR_OK : CKR_GENERAL_ERROR;
		buf_get_str(&b, text, 4096);
		if ((p = buf_get_bytes(&b, &len)) != NULL && ret_blob != NULL)
			buf_put_raw(ret_blob, p, len);
		if (!buf_ok(&b))
			rv = VSM_GONE;
	}
	buf_free(&b);
	buf_free(&secret);
	return rv;
}

void
vsm_settle(struct vsm *v)
{
	char text[4096];

	for (int i = 0; i < 2; i++)
		(void)vsm_admin(v, "status", "{}", NULL, text);
}

CK_RV
vsm_admin(struct vsm *v, const char *call, const char *args, const char *so_pin,
    char text[4096])
{
	int fd = vsm_attach(v, 0, true);
	CK_RV rv = vsm_admin_on(v, fd, call, args, so_pin, NULL, text, NULL);

	if (fd >= 0)
		close(fd);
	return rv;
}
