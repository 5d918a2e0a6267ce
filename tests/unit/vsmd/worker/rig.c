/* rig.c - see rig.h */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "fakestore.h"
#include "vsmd/msg.h"

static void
expect(struct rig *r, enum msg type, uint32_t *ret_a, uint32_t *ret_b)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	assert_int_equal(ipc_recv(r->supervisor, &b, NULL, NULL), 0);
	assert_int_equal(buf_get_u8(&b), type);
	if (ret_a != NULL)
		*ret_a = buf_get_u32(&b);
	if (ret_b != NULL)
		*ret_b = buf_get_u32(&b);
	assert_true(buf_end(&b));
	buf_free(&b);
}

void
rig_launch(struct rig *r)
{
	int pair[2];

	assert_int_equal(ipc_pair(pair), 0);
	r->nursery = fork();
	assert_true(r->nursery >= 0);
	if (r->nursery == 0) {
		if (getenv("RIG_DEBUG") != NULL)
			log_level(LOG_DEBUG_);
		_exit(nursery_main(pair[1], &r->config));
	}
	close(pair[1]);
	r->supervisor = pair[0];
	expect(r, M_N_READY, NULL, NULL);
}

void
rig_make_token(struct rig *r)
{
	struct grant grant = rig_grant();
	struct guest g;
	uint8_t label[32];

	memset(label, ' ', sizeof(label));
	memcpy(label, "rig", 3);
	guest_attach(&g, r, &grant, 0);
	assert_int_equal(
	    CALLX(&g, C_InitToken, N(RIG_SLOT), PL(SO_PIN, strlen(SO_PIN)), P(label)), CKR_OK);
	guest_open(&g);
	assert_int_equal(guest_try_login(&g, CKU_SO, SO_PIN), CKR_OK);
	assert_int_equal(
	    CALLX(&g, C_InitPIN, N(g.session), PL(USER_PIN, strlen(USER_PIN))), CKR_OK);
	assert_int_equal(WEXITSTATUS(guest_leave(&g)), 0);
	r->store.events[0] = '\0';
	r->store.commits = r->store.audits = r->store.logins = 0;
	r->store.failures = r->store.logouts = r->store.pins = 0;
}

void
rig_prepare(struct rig *r)
{
	const char *big = getenv("RIG_BIG");

	memset(r, 0, sizeof(*r));
	/* In memory, as vsmd has it: SoftHSM2 on a disk is slow. */
	snprintf(r->dir, sizeof(r->dir), "%s/test_rig.XXXXXX",
	    access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->slots, sizeof(r->slots), "%s/slot", r->dir);
	snprintf(r->gate_path, sizeof(r->gate_path), "%s/gate", r->dir);
	assert_int_equal(mkdir(r->slots, 0700), 0);
	assert_int_equal(gate_file_open(&r->gate, r->gate_path), 0);
	pthread_mutex_init(&r->store.lock, NULL);
	r->config = (struct nursery_config){.slot = RIG_SLOT, .library = CAAS_SOFTHSM2,
	    .directory = r->slots, .gate = r->gate_path, .threads = 16, .max_sessions = 64,
	    .max_objects = RIG_OBJECTS,
	    .big = big != NULL ? (unsigned)strtoul(big, NULL, 10) : NURSERY_BIG,
	    .retire = NURSERY_RETIRE,
	    .instance = {1, 2, 3}};
}

void
rig_start(struct rig *r, bool with_token)
{
	rig_prepare(r);
	rig_launch(r);
	if (with_token)
		rig_make_token(r);
}

void
rig_stop(struct rig *r)
{
	char command[128];
	int status;

	close(r->supervisor);
	assert_int_equal(waitpid(r->nursery, &status, 0), r->nursery);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	gate_file_close(&r->gate);
	snprintf(command, sizeof(command), "rm -rf %s", r->dir);
	assert_int_equal(system(command), 0);
}

struct grant
rig_grant(void)
{
	struct grant g;

	memset(&g, 0, sizeof(g));
	snprintf(g.principal, sizeof(g.principal), "tester");
	snprintf(g.peer, sizeof(g.peer), "uid 0 pid 1");
	g.classes = (1u << (CLASS_INIT + 1)) - 1;
	return g;
}

void
guest_attach(struct guest *g, struct rig *r, const struct grant *grant, uint32_t silence)
{
	struct hello_ask ask = {.version = HELLO_VERSION, .purpose = HELLO_TOKEN,
	    .slot = RIG_SLOT, .max_frame = FRAME_MAX_DEFAULT, .silence = silence,
	    .flags = r->hello_flags};
	uint8_t hello[HELLO_LEN];
	struct buf b;
	int channel[2], store[2], fds[2];
	uint32_t pid;

	memset(g, 0, sizeof(*g));
	g->rig = r;
	buf_init(&g->in, FRAME_MAX_DEFAULT);
	arena_init(&g->arena, (size_t)256 << 20);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel), 0);
	assert_int_equal(ipc_pair(store), 0);
	hello_ask_write(hello, &ask);
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_N_ATTACH);
	buf_put_raw(&b, hello, sizeof(hello));
	grant_write(&b, grant);
	fds[0] = channel[1];
	fds[1] = store[1];
	assert_int_equal(ipc_send(r->supervisor, &b, fds, 2), 0);
	buf_free(&b);
	close(channel[1]);
	close(store[1]);
	g->fd = channel[0];
	g->store = store[0];
	g->thread = fake_store_start(&r->store, r->gate_path, g->store);
	expect(r, M_N_STARTED, &pid, NULL);
	g->worker = (pid_t)pid;
	assert_int_equal(recv(g->fd, hello, sizeof(hello), MSG_WAITALL), HELLO_LEN);
	assert_true(hello_answer_read(hello, &g->hello));
}

int
guest_wait_end(struct guest *g)
{
	uint32_t pid, status;

	expect(g->rig, M_N_EXITED, &pid, &status);
	assert_int_equal(pid, g->worker);
	if (g->fd >= 0)
		close(g->fd);
	pthread_join(g->thread, NULL);
	close(g->store);
	buf_free(&g->in);
	arena_free(&g->arena);
	return (int)status;
}

int
guest_leave(struct guest *g)
{
	close(g->fd);
	g->fd = -1;
	return guest_wait_end(g);
}

void
guest_send_raw(struct guest *g, const void *p, size_t len)
{
	for (size_t off = 0; off < len;) {
		ssize_t n = send(g->fd, (const char *)p + off, len - off, MSG_NOSIGNAL);

		if (n < 0)
			return; /* the worker has closed: the reader sees it */
		off += (size_t)n;
	}
}

void
guest_send(struct guest *g, uint32_t id, uint32_t number, const struct arg *args)
{
	struct buf b;

	buf_init(&b, FRAME_MAX_DEFAULT + FRAME_HEADER);
	frame_begin(&b, id, number);
	assert_int_equal(ask_write(&b, call_by_number(number), args), CKR_OK);
	frame_end(&b);
	assert_true(buf_ok(&b));
	guest_send_raw(g, b.data, b.len);
	buf_free(&b);
}

bool
guest_receive(struct guest *g, struct frame *ret)
{
	uint8_t header[FRAME_HEADER];

	do {
		ssize_t n = recv(g->fd, header, sizeof(header), MSG_WAITALL);

		if (n != FRAME_HEADER)
			return false;
		assert_true(frame_parse(header, FRAME_MAX_DEFAULT, ret));
		g->beats += ret->call == FRAME_BEAT;
	} while (ret->call == FRAME_BEAT);
	buf_reset(&g->in);
	if (ret->length > 0) {
		void *p = buf_reserve(&g->in, ret->length);

		assert_non_null(p);
		if (recv(g->fd, p, ret->length, MSG_WAITALL) != (ssize_t)ret->length)
			return false;
	}
	return true;
}

CK_RV
guest_read_reply(struct guest *g, uint32_t number, const struct arg *args)
{
	memset(&g->reply, 0, sizeof(g->reply));
	arena_free(&g->arena);
	assert_true(
	    answer_read(&g->in, call_by_number(number), args, &g->reply, &g->arena));
	g->epoch = g->reply.epoch;
	return g->reply.rv;
}

CK_RV
guest_call(struct guest *g, uint32_t number, const struct arg *args)
{
	uint32_t id = ++g->next_id;
	struct frame f;

	guest_send(g, id, number, args);
	do {
		if (!guest_receive(g, &f))
			return CKR_DEVICE_REMOVED;
		if (f.call == FRAME_KEPT && g->rig->on_kept != NULL)
			g->rig->on_kept(g);
	} while (f.call == FRAME_KEPT);
	assert_int_equal(f.id, id);
	if (f.call == FRAME_AGAIN) {
		assert_int_equal(f.length, 0);
		g->again++;
		return CKR_DEVICE_REMOVED;
	}
	assert_int_equal(f.call, number);
	return guest_read_reply(g, number, args);
}

void
guest_open(struct guest *g)
{
	assert_int_equal(CALLX(g, C_OpenSession, N(RIG_SLOT),
			     N(CKF_SERIAL_SESSION | CKF_RW_SESSION), P(NULL), P(NULL),
			     P(&g->session)), CKR_OK);
}

CK_RV
guest_try_login(struct guest *g, CK_USER_TYPE user, const char *pin)
{
	return CALLX(g, C_Login, N(g->session), N(user), PL(pin, pin ? strlen(pin) : 0));
}

void
guest_login(struct guest *g)
{
	guest_open(g);
	assert_int_equal(guest_try_login(g, CKU_USER, USER_PIN), CKR_OK);
}

CK_RV
guest_make_rsa(struct guest *g, CK_ULONG bits, const char *label, bool token,
    CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
	CK_MECHANISM mech = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
	CK_BBOOL on_token = token, yes = CK_TRUE;
	uint8_t exponent[] = {1, 0, 1};
	CK_ATTRIBUTE pub[] = {
	    {CKA_TOKEN, &on_token, 1},
	    {CKA_MODULUS_BITS, &bits, sizeof(bits)},
	    {CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent)},
	    {CKA_VERIFY, &yes, 1},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	};
	CK_ATTRIBUTE priv[] = {
	    {CKA_TOKEN, &on_token, 1},
	    {CKA_SIGN, &yes, 1},
	    {CKA_DECRYPT, &yes, 1},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	};

	return CALLX(g, C_GenerateKeyPair, N(g->session), P(&mech), PL(pub, 5), PL(priv, 4),
	    P(ret_public), P(ret_private));
}

CK_RV
guest_make_aes(struct guest *g, const char *label, bool token, bool extractable,
    CK_OBJECT_HANDLE *ret)
{
	CK_MECHANISM mech = {CKM_AES_KEY_GEN, NULL, 0};
	CK_BBOOL on_token = token, yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG len = 32;
	CK_ATTRIBUTE t[] = {
	    {CKA_TOKEN, &on_token, 1},
	    {CKA_VALUE_LEN, &len, sizeof(len)},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	    {CKA_ENCRYPT, &yes, 1},
	    {CKA_WRAP, &yes, 1},
	    {CKA_EXTRACTABLE, extractable ? &yes : &no, 1},
	    {CKA_SENSITIVE, extractable ? &no : &yes, 1},
	};

	return CALLX(g, C_GenerateKey, N(g->session), P(&mech), PL(t, 7), P(ret));
}

CK_RV
guest_sign(struct guest *g, CK_OBJECT_HANDLE key)
{
	CK_MECHANISM mech = {CKM_RSA_PKCS, NULL, 0};
	uint8_t signature[512];
	CK_ULONG len = sizeof(signature);
	CK_RV rv = CALLX(g, C_SignInit, N(g->session), P(&mech), N(key));

	if (rv != CKR_OK)
		return rv;
	return CALLX(g, C_Sign, N(g->session), PL("data", 4), PLP(signature, &len));
}

CK_ULONG
guest_find(struct guest *g, CK_OBJECT_HANDLE *ret, CK_ULONG room)
{
	CK_ULONG n = 0;

	assert_int_equal(CALLX(g, C_FindObjectsInit, N(g->session), PL(NULL, 0)), CKR_OK);
	assert_int_equal(CALLX(g, C_FindObjects, N(g->session),
			     {.ptr = ret, .len = room, .plen = &n}), CKR_OK);
	assert_int_equal(CALLX(g, C_FindObjectsFinal, N(g->session)), CKR_OK);
	return n;
}
