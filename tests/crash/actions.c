/* actions.c - what is asked of a store, as workers and administrators ask; see actions.h */
#include "actions.h"

#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/ipc.h"
#include "vsmd/msg.h"
#include "vsmd/worker/gate.h"

/* Tokens are told by their number. */
static const char *const labels[] = {"a", "b", "again", "after"};
static const char *const serials[] = {
    "00000000000000a0", "00000000000000b0", "00000000000000a0", "00000000000000f0"};

static struct buf backup; /* of the last DO_BACKUP, and what it is of */
static struct model_token backed_up;
bool actions_keep = true;

static int
token_dir(struct vsm *v, const struct model_token *t)
{
	const struct vsm_slot *s = vsm_slot(v, t->slot);
	char path[600];

	if (s == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/%s", s->directory, t->serial);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool
write_file(int dir, const struct model_file *f)
{
	int fd = openat(dir, f->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint8_t *data = malloc(f->size + 1);
	bool ok = fd >= 0 && data != NULL;

	if (ok) {
		model_bytes(f, data);
		ok = write(fd, data, f->size) == (ssize_t)f->size;
	}
	if (fd >= 0)
		close(fd);
	free(data);
	return ok;
}

/* Make the token's directory as the model has it, the files that differ from `old`. */
static bool
write_token(struct vsm *v, const struct model_token *old, const struct model_token *t)
{
	int dir = token_dir(v, t);
	bool ok = dir >= 0;

	for (size_t i = 0; ok && i < t->nfiles; i++) {
		const struct model_file *f = &t->files[i];
		const struct model_file *was =
		    old != NULL ? model_file((struct model_token *)(uintptr_t)old, f->name) : NULL;

		if (was == NULL || was->version != f->version)
			ok = write_file(dir, f);
	}
	for (size_t i = 0; ok && old != NULL && i < old->nfiles; i++)
		if (model_file((struct model_token *)(uintptr_t)t, old->files[i].name) == NULL)
			ok = unlinkat(dir, old->files[i].name, 0) == 0;
	if (dir >= 0)
		close(dir);
	return ok;
}

/* As a worker leaves the name of a request beside what it made. */
static bool
write_name(struct vsm *v, const struct model_token *t, unsigned name)
{
	struct gate_made made = {.n = 1};
	uint32_t one = 1;
	char path[600];
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "%s/gates/%" PRIu32, v->memory, t->slot);
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return false;
	model_once(name, made.once);
	ok = pwrite(fd, &made, sizeof(made), GATE_MADE_FIRST) == sizeof(made) &&
	     pwrite(fd, &one, sizeof(one), GATE_MADE) == sizeof(one);
	close(fd);
	return ok;
}

static struct model_token *
token(struct model *m, unsigned arg)
{
	return model_find(m, labels[arg % 4]);
}

static const struct model_token *
token_of(const struct model *m, unsigned arg)
{
	return token((struct model *)(uintptr_t)m, arg);
}

static void
detach(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* A worker says which PINs are new (NULL: not that one), and what was made of the token (or
 * NULL), and has it all committed. */
static CK_RV
commit(struct vsm *v, uint32_t slot, const char *so_pin, const char *user_pin,
    const struct model_token *made)
{
	int fd = vsm_attach(v, slot, false);
	CK_RV rv = VSM_GONE;

	if ((so_pin == NULL || vsm_pin_changed(v, fd, CKU_SO, so_pin) == CKR_OK) &&
	    (user_pin == NULL || vsm_pin_changed(v, fd, CKU_USER, user_pin) == CKR_OK))
		rv = vsm_commit(v, fd, made != NULL ? made->label : NULL,
		    made != NULL ? made->serial : NULL);
	detach(fd);
	return rv;
}

/* An administrator's call about a token. */
static CK_RV
ask_of(struct vsm *v, const char *call, const char *label, const char *so_pin, char text[4096])
{
	char args[128];

	snprintf(args, sizeof(args), "{\"label\":\"%s\"}", label);
	return vsm_admin(v, call, args, so_pin, text);
}

/* Tokens made. */

static void
init_change(struct model *m, unsigned arg, unsigned half)
{
	struct model_token *t = NULL;

	(void)half;
	for (size_t i = 0; t == NULL && i < MODEL_TOKENS; i++)
		if (!m->tokens[i].there)
			t = &m->tokens[i];
	if (t == NULL)
		abort();
	memset(t, 0, sizeof(*t));
	t->there = true;
	t->slot = arg / 4; /* the blank slot's number */
	snprintf(t->label, sizeof(t->label), "%s", labels[arg % 4]);
	snprintf(t->serial, sizeof(t->serial), "%s", serials[arg % 4]);
	model_put(t, "token.object", 1, 400);
	t->so_pin = t->user_pin = 1;
	t->epoch = 1;
	model_committed(m);
}

static CK_RV
init_run(struct vsm *v, const struct model *m, unsigned arg)
{
	const struct vsm_slot *s = vsm_blank(v);
	struct model after = *m;
	const struct model_token *t;
	char path[600];

	init_change(&after, arg, 0);
	t = token(&after, arg);
	if (s == NULL || s->number != t->slot)
		return VSM_GONE;
	snprintf(path, sizeof(path), "%s/%s", s->directory, t->serial);
	if (mkdir(path, 0700) != 0 || !write_token(v, NULL, t))
		return VSM_GONE;
	return commit(v, t->slot, "so-1", "user-1", t);
}

/* C_InitToken on a token that is there. */
static void
init_again_change(struct model *m, unsigned arg, unsigned half)
{
	struct model_token *t = token(m, arg);

	(void)half;
	t->nfiles = 0;
	model_put(t, "token.object", 50, 410);
	snprintf(t->label, sizeof(t->label), "%s", labels[2]);
	t->so_pin++;
	t->user_pin = 0;
	memset(t->wrong, 0, sizeof(t->wrong));
	t->epoch++;
	model_committed(m);
}

static CK_RV
init_again_run(struct vsm *v, const struct model *m, unsigned arg)
{
	const struct model_token *t;
	struct model after = *m;
	char pin[16];

	init_again_change(&after, arg, 0);
	t = token(&after, 2);
	if (!write_token(v, token_of(m, arg), t))
		return VSM_GONE;
	snprintf(pin, sizeof(pin), "so-%u", t->so_pin);
	return commit(v, t->slot, pin, NULL, t);
}

/* Objects: arg is token + 4 * what. */

static void
create_change(struct model *m, unsigned arg, unsigned half)
{
	struct model_token *t = token(m, arg);
	char name[24];

	(void)half;
	snprintf(name, sizeof(name), "o%u.object", arg / 4);
	model_put(t, name, 1, 300 + arg / 4 % 3 * 2000);
	if (arg / 4 < MODEL_NAMES)
		t->named |= 1u << arg / 4;
	model_committed(m);
}

static CK_RV
change_run(struct vsm *v, const struct model *m, unsigned arg,
    void (*change)(struct model *m, unsigned arg, unsigned half))
{
	struct model after = *m;

	change(&after, arg, 0);
	if (!write_token(v, token_of(m, arg), token(&after, arg)))
		return VSM_GONE;
	return commit(v, token(&after, arg)->slot, NULL, NULL, NULL);
}

static CK_RV
create_run(struct vsm *v, const struct model *m, unsigned arg)
{
	if (arg / 4 < MODEL_NAMES && !write_name(v, token_of(m, arg), arg / 4))
		return VSM_GONE;
	return change_run(v, m, arg, create_change);
}

static void
set_change(struct model *m, unsigned arg, unsigned half)
{
	struct model_token *t = token(m, arg);
	const struct model_file last = t->files[t->nfiles - 1];

	(void)half;
	model_put(t, last.name, last.version + 1, 300 + arg / 4 * 700);
	model_committed(m);
}

static CK_RV
set_run(struct vsm *v, const struct model *m, unsigned arg)
{
	return change_run(v, m, arg, set_change);
}

static void
destroy_change(struct model *m, unsigned arg, unsigned half)
{
	char name[24];

	(void)half;
	snprintf(name, sizeof(name), "o%u.object", arg / 4);
	model_remove(token(m, arg), name);
	model_committed(m);
}

static CK_RV
destroy_run(struct vsm *v, const struct model *m, unsigned arg)
{
	return change_run(v, m, arg, destroy_change);
}

/* Two tokens in one round: an object on each, by one record. */
static void
both_change(struct model *m, unsigned arg, unsigned half)
{
	if (half != 2)
		create_change(m, arg * 4, 0);
	if (half != 1)
		create_change(m, arg * 4 + 1, 0);
}

static CK_RV
both_run(struct vsm *v, const struct model *m, unsigned arg)
{
	struct model after = *m;
	CK_RV rv[2] = {VSM_GONE, VSM_GONE};
	struct buf b;
	int fd[2];

	both_change(&after, arg, 0);
	buf_init(&b, IPC_MAX);
	for (unsigned i = 0; i < 2; i++) {
		if (!write_token(v, token_of(m, i), token(&after, i)))
			return VSM_GONE;
		if (arg < MODEL_NAMES && !write_name(v, token_of(m, i), arg))
			return VSM_GONE;
		fd[i] = vsm_attach(v, token(&after, i)->slot, false);
		buf_reset(&b);
		buf_put_u8(&b, M_W_TOKEN_FLAGS);
		(void)vsm_ask(v, fd[i], &b);
	}
	/* Both are there when it looks. */
	if (v->pid > 0)
		kill(v->pid, SIGSTOP);
	for (unsigned i = 0; i < 2; i++)
		(void)vsm_send_commit(v, fd[i], NULL, NULL);
	if (v->pid > 0)
		kill(v->pid, SIGCONT);
	for (unsigned i = 0; i < 2; i++) {
		rv[i] = vsm_await(v, fd[i], &b);
		detach(fd[i]);
	}
	buf_free(&b);
	return rv[0] == CKR_OK ? rv[1] : rv[0];
}

/* Logins, PINs, tickets: arg is token + 4 * what. */

static void
wrong_change(struct model *m, unsigned arg, unsigned half)
{
	(void)half;
	token(m, arg)->wrong[arg / 4]++;
	model_committed(m);
}

static CK_RV
wrong_run(struct vsm *v, const struct model *m, unsigned arg)
{
	int fd = vsm_attach(v, token_of(m, arg)->slot, false);
	CK_RV rv = vsm_login(v, fd, arg / 4 == 0 ? CKU_SO : CKU_USER, false, NULL);

	detach(fd);
	return rv;
}

static void
login_change(struct model *m, unsigned arg, unsigned half)
{
	struct model_token *t = token(m, arg);

	(void)half;
	if (t->wrong[1] > 0)
		model_committed(m);
	t->wrong[1] = 0;
}

/* The ticket arg / 4 comes of it, when the history is made. */
static CK_RV
login_run(struct vsm *v, const struct model *m, unsigned arg)
{
	struct model_ticket *ticket = &model_tickets[arg / 4];
	const struct model_token *t = token_of(m, arg);
	int fd = vsm_attach(v, t->slot, false);
	CK_RV rv;

	if (actions_keep) {
		buf_init(&ticket->data, IPC_MAX);
		ticket->slot = t->slot;
		ticket->epoch = t->epoch;
	}
	rv = vsm_login(v, fd, CKU_USER, true, actions_keep ? &ticket->data : NULL);
	detach(fd);
	return rv;
}

static void
logout_change(struct model *m, unsigned arg, unsigned half)
{
	(void)half;
	m->loose |= 1u << arg / 4;
}

static CK_RV
logout_run(struct vsm *v, const struct model *m, unsigned arg)
{
	const struct model_ticket *ticket = &model_tickets[arg / 4];
	struct buf b;
	CK_RV rv;
	int fd;

	(void)m;
	fd = vsm_attach(v, ticket->slot, false);
	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_W_TICKET_OPEN);
	buf_put_bytes(&b, ticket->data.data, ticket->data.len);
	rv = vsm_ask(v, fd, &b);
	if (rv == CKR_OK)
		rv = vsm_logout(v, fd);
	buf_free(&b);
	detach(fd);
	return rv;
}

static void
pin_change(struct model *m, unsigned arg, unsigned half)
{
	struct model_token *t = token(m, arg);

	(void)half;
	model_put(t, "token.object", model_file(t, "token.object")->version + 1, 400);
	if (arg / 4 == 0)
		t->so_pin++;
	else
		t->user_pin++;
	t->wrong[arg / 4] = 0;
	t->epoch++;
	model_committed(m);
}

static CK_RV
pin_run(struct vsm *v, const struct model *m, unsigned arg)
{
	const struct model_token *t;
	struct model after = *m;
	bool so = arg / 4 == 0;
	char pin[16];

	pin_change(&after, arg, 0);
	t = token(&after, arg);
	if (!write_token(v, token_of(m, arg), t))
		return VSM_GONE;
	snprintf(pin, sizeof(pin), so ? "so-%u" : "user-%u", so ? t->so_pin : t->user_pin);
	return commit(v, t->slot, so ? pin : NULL, so ? NULL : pin, NULL);
}

static CK_RV
audit_run(struct vsm *v, const struct model *m, unsigned arg)
{
	int fd = vsm_attach(v, token_of(m, arg)->slot, false);
	CK_RV rv = CKR_OK;

	for (unsigned i = 0; rv == CKR_OK && i <= arg / 4; i++)
		rv = vsm_audit(v, fd, "policy-refusal");
	detach(fd);
	return rv;
}

/* Administration. */

static long long
handle_of(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);
	long long handle = json_integer_value(json_object_get(o, "handle"));

	json_decref(o);
	return handle;
}

static CK_RV
backup_run(struct vsm *v, const struct model *m, unsigned arg)
{
	int fd = vsm_attach(v, 0, true);
	char text[4096], args[128];
	struct buf data;
	CK_RV rv;

	buf_init(&data, IPC_MAX);
	snprintf(args, sizeof(args), "{\"label\":\"%s\"}", labels[arg]);
	rv = vsm_admin_on(v, fd, "backup-begin", args, NULL, NULL, text, NULL);
	if (rv == CKR_OK) {
		snprintf(args, sizeof(args), "{\"handle\":%lld,\"offset\":0}", handle_of(text));
		rv = vsm_admin_on(v, fd, "backup-read", args, NULL, NULL, text, &data);
	}
	if (rv == CKR_OK && actions_keep) {
		buf_free(&backup);
		backup = data;
		backed_up = *token_of(m, arg);
	} else {
		buf_free(&data);
	}
	detach(fd);
	return rv;
}

static void
delete_change(struct model *m, unsigned arg, unsigned half)
{
	(void)half;
	memset(token(m, arg), 0, sizeof(struct model_token));
	model_committed(m);
}

static CK_RV
delete_run(struct vsm *v, const struct model *m, unsigned arg)
{
	char text[4096];

	(void)m;
	return ask_of(v, "token-delete", labels[arg], NULL, text);
}

/* Token b, as it was in the backup, on the slot arg. */
static void
restore_change(struct model *m, unsigned arg, unsigned half)
{
	struct model_token *t;

	init_change(m, 1 + 4 * arg, half);
	t = token(m, 1);
	*t = backed_up;
	t->slot = arg;
	memset(t->wrong, 0, sizeof(t->wrong));
	t->epoch = t->revoked = t->named = 0;
}

static CK_RV
restore_run(struct vsm *v, const struct model *m, unsigned arg)
{
	int fd = vsm_attach(v, 0, true);
	char text[4096], args[128];
	long long handle;
	CK_RV rv;

	(void)m, (void)arg;
	snprintf(args, sizeof(args), "{\"size\":%zu}", backup.len);
	rv = vsm_admin_on(v, fd, "restore-begin", args, NULL, NULL, text, NULL);
	handle = handle_of(text);
	snprintf(args, sizeof(args), "{\"handle\":%lld,\"offset\":0}", handle);
	if (rv == CKR_OK)
		rv = vsm_admin_on(v, fd, "restore-write", args, NULL, &backup, text, NULL);
	snprintf(args, sizeof(args), "{\"handle\":%lld}", handle);
	if (rv == CKR_OK)
		rv = vsm_admin_on(v, fd, "restore-finish", args, "so-1", NULL, text, NULL);
	detach(fd);
	return rv;
}

static CK_RV
reseal_run(struct vsm *v, const struct model *m, unsigned arg)
{
	char text[4096];

	(void)m, (void)arg;
	return vsm_admin(v, "tpm-reseal", "{}", NULL, text);
}

/* A token of a rolled-back store: the first that is accepted brings the store with it. */
void
actions_accept_change(struct model *m, size_t token_index)
{
	struct model_token *t = &m->tokens[token_index];

	for (size_t i = 0; m->rolled_back && i < MODEL_TOKENS; i++)
		m->tokens[i].rolled_back = true;
	t->rolled_back = false;
	if (!m->rolled_back)
		t->wrong[0] = 0;
	m->rolled_back = false;
	model_committed(m);
}

static void
accept_change(struct model *m, unsigned arg, unsigned half)
{
	(void)half;
	actions_accept_change(m, (size_t)(token(m, arg) - m->tokens));
}

CK_RV
actions_accept(struct vsm *v, const struct model_token *t)
{
	char text[4096], pin[16];

	snprintf(pin, sizeof(pin), "so-%u", t->so_pin);
	return ask_of(v, "accept-rollback", t->label, pin, text);
}

static CK_RV
accept_run(struct vsm *v, const struct model *m, unsigned arg)
{
	return actions_accept(v, token_of(m, arg));
}

/* Refused, and counted: that is what is acknowledged. */
static CK_RV
accept_wrong_run(struct vsm *v, const struct model *m, unsigned arg)
{
	char text[4096];
	CK_RV rv = ask_of(v, "accept-rollback", token_of(m, arg)->label, "wrong", text);

	return rv == CKR_GENERAL_ERROR && strstr(text, "not the one of this token") != NULL
		   ? CKR_OK
		   : rv == CKR_OK ? VSM_GONE
				  : rv;
}

/* One more. */

static const struct model_file more = {"more.object", 1, 200};

CK_RV
actions_create(struct vsm *v, const struct model_token *t)
{
	int dir = token_dir(v, t);
	bool ok = dir >= 0 && write_file(dir, &more);

	if (dir >= 0)
		close(dir);
	return ok ? commit(v, t->slot, NULL, NULL, NULL) : VSM_GONE;
}

void
actions_create_change(struct model *m, size_t token_index)
{
	model_put(&m->tokens[token_index], more.name, more.version, more.size);
	model_committed(m);
}

void
actions_init_after_change(struct model *m, struct vsm *v)
{
	const struct vsm_slot *blank = vsm_slot(v, v->more_slot);

	if (blank != NULL)
		init_change(m, 3 + 4 * blank->number, 0);
}

CK_RV
actions_init_after(struct vsm *v, const struct model *m)
{
	const struct vsm_slot *blank = vsm_blank(v);

	if (blank == NULL)
		return VSM_GONE;
	v->more_slot = blank->number;
	return init_run(v, m, 3 + 4 * blank->number);
}

static CK_RV
start_run(struct vsm *v, const struct model *m, unsigned arg)
{
	(void)m;
	return vsm_start(v, arg != 0) ? CKR_OK : VSM_GONE;
}

static CK_RV
stop_run(struct vsm *v, const struct model *m, unsigned arg)
{
	(void)m, (void)arg;
	return vsm_stop(v) ? CKR_OK : VSM_GONE;
}

/* What a logout left is written when vsmd stops, if there is an anchor; else it is lost. */
static void
stop_change(struct model *m, unsigned arg, unsigned half)
{
	(void)half;
	if (arg != 0)
		model_committed(m);
}

static CK_RV
kill_run(struct vsm *v, const struct model *m, unsigned arg)
{
	(void)m, (void)arg;
	vsm_kill(v);
	return CKR_OK;
}

const struct action actions[] = {
    [DO_START] = {"start", STEP_START, start_run, NULL, 0},
    [DO_STOP] = {"stop", STEP_STOP, stop_run, stop_change, 0},
    [DO_KILL] = {"kill", STEP_KILL, kill_run, NULL, 0},
    [DO_INIT] = {"init token", STEP_ASK, init_run, init_change, 0},
    [DO_INIT_AGAIN] = {"init token again", STEP_ASK, init_again_run, init_again_change, 0},
    [DO_CREATE] = {"create", STEP_ASK, create_run, create_change, 0},
    [DO_SET] = {"change", STEP_ASK, set_run, set_change, 0},
    [DO_DESTROY] = {"destroy", STEP_ASK, destroy_run, destroy_change, 0},
    [DO_BOTH] = {"create on two tokens", STEP_ASK, both_run, both_change, 2},
    [DO_WRONG] = {"wrong PIN", STEP_ASK, wrong_run, wrong_change, 0},
    [DO_LOGIN] = {"login", STEP_ASK, login_run, login_change, 0},
    [DO_LOGOUT] = {"logout", STEP_ASK, logout_run, logout_change, 0},
    [DO_PIN] = {"new PIN", STEP_ASK, pin_run, pin_change, 0},
    [DO_AUDIT] = {"audit", STEP_ASK, audit_run, NULL, 0},
    [DO_BACKUP] = {"backup", STEP_ASK, backup_run, NULL, 0},
    [DO_DELETE] = {"delete token", STEP_ASK, delete_run, delete_change, 0},
    [DO_RESTORE] = {"restore token", STEP_ASK, restore_run, restore_change, 0},
    [DO_RESEAL] = {"reseal", STEP_ASK, reseal_run, NULL, 0},
    [DO_ACCEPT] = {"accept rollback", STEP_ASK, accept_run, accept_change, 0},
    [DO_ACCEPT_WRONG] = {"accept rollback, wrong PIN", STEP_ASK, accept_wrong_run, NULL, 0},
};
