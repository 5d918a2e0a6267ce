/* anchor_tpm.c - see anchor_tpm.h */
#include "vsmd/store/anchor_tpm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "common/secmem.h"
#include "tpm/embedded.h"
#include "vsmd/store/clock.h"

#define PATIENCE 5000	 /* ms for which a TPM that fails is asked again */
#define ROOM (64 * 1024) /* bytes that an embedded TPM's state may need */

static enum tpm_result
turn(struct tpm *t, enum anchor_what what, const struct tpm_anchor *a, const uint8_t *digest,
    struct tpm_anchor_value *ret)
{
	switch (what) {
	case ANCHOR_DEFINE:
		return tpm_anchor_define(t, a, digest);
	case ANCHOR_READ:
		return tpm_anchor_read(t, a, ret);
	case ANCHOR_EXTEND:
		return tpm_anchor_extend(t, a, digest);
	case ANCHOR_COUNT:
		return tpm_anchor_count(t, a);
	}
	return TPM_FAILED;
}

/* Connected to the TPM of the blob. */
static enum tpm_result
reach(const char *address, struct tpm **ret_tpm, const uint8_t *blob, size_t len)
{
	enum tpm_result r;

	if (*ret_tpm != NULL)
		return TPM_OK;
	if ((r = tpm_open(address, ret_tpm)) != TPM_OK)
		*ret_tpm = NULL;
	return r == TPM_OK ? tpm_pin(*ret_tpm, blob, len) : r;
}

bool
anchor_tpm_serve(
    const char *address, struct tpm **ret_tpm, struct buf *in, struct buf *out)
{
	struct anchor_answer answer = {.result = TPM_OK};
	struct anchor_ask ask;
	struct tpm_anchor a;
	enum tpm_result r;

	if (!anchor_ask_read(in, &ask))
		return false;
	a.place = ask.place;
	memcpy(a.secret, ask.secret, TPM_ANCHOR_LEN);
	r = reach(address, ret_tpm, ask.blob, ask.blob_len);
	if (r == TPM_OK)
		r = turn(*ret_tpm, ask.what, &a, ask.digest, &answer.value);
	sec_wipe(&a.secret, sizeof(a.secret));
	answer.number = ask.number;
	answer.result = r;
	if (*ret_tpm != NULL)
		tpm_anchor_name(*ret_tpm, &a, answer.name, sizeof(answer.name));
	if (r != TPM_OK)
		snprintf(answer.why, sizeof(answer.why), "%s",
		    *ret_tpm != NULL ? tpm_error(*ret_tpm) : tpm_result_text(r));
	anchor_answer_write(out, &answer);
	if (r != TPM_OK && *ret_tpm != NULL) {
		tpm_close(*ret_tpm); /* the next question begins afresh */
		*ret_tpm = NULL;
	}
	return true;
}

static void __attribute__((noreturn)) gone(void)
{
	log_error("vsmd-tpm is gone: restarting");
	_exit(1); /* nothing is left to be done here, and the door is closed */
}

/* The answer to the last question, or false when none comes in that time. */
static bool
await(struct anchor_tpm *t, int ms, struct anchor_answer *ret)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};
	int64_t until = clock_ms() + ms;
	struct buf b;
	bool ok = true;

	ret->number = 0;
	buf_init(&b, IPC_MAX);
	while (ok && ret->number != t->asked) {
		int64_t left = until - clock_ms();
		int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			gone();
		ok = n > 0;
		if (ok && (ipc_recv(t->fd, &b, NULL, NULL) != 0 ||
			      !anchor_answer_read(&b, ret)))
			gone();
	}
	buf_free(&b);
	t->waiting = !ok;
	return ok;
}

static void
send_question(struct anchor_tpm *t, enum anchor_what what, const uint8_t *digest)
{
	struct anchor_ask ask = {.number = ++t->asked,
	    .what = what,
	    .blob = t->master->blob.data,
	    .blob_len = t->master->blob.len,
	    .place = t->where->place,
	    .secret = t->where->secret,
	    .digest = digest};
	struct buf b;

	buf_init(&b, IPC_MAX);
	anchor_ask_write(&b, &ask);
	if (ipc_send(t->fd, &b, NULL, 0) != 0)
		gone();
	buf_free(&b);
}

static bool
sync_embedded(const struct anchor_tpm *t)
{
	int fd, r;

	if (t->state < 0)
		return true;
	fd = openat(t->state, EMBEDDED_STATE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	r = fdatasync(fd);
	close(fd);
	return r == 0 && fsync(t->state) == 0;
}

static enum tpm_result
ask(struct anchor_tpm *t, enum anchor_what what, const uint8_t *digest,
    struct tpm_anchor_value *ret, char why[ANCHOR_WHY])
{
	struct anchor_answer a;

	if (t->waiting && !await(t, ANCHOR_AGAIN, &a)) {
		snprintf(
		    why, ANCHOR_WHY, "the TPM has not answered for a while: see to it");
		return TPM_BUSY;
	}
	send_question(t, what, digest);
	if (!await(t, ANCHOR_ANSWER, &a)) {
		snprintf(why, ANCHOR_WHY, "the TPM does not answer: see to it");
		return TPM_BUSY;
	}
	snprintf(why, ANCHOR_WHY, "%s", a.why);
	if (a.name[0] != '\0')
		memcpy(t->name, a.name, sizeof(t->name));
	if (a.result == TPM_FAILED && t->state >= 0 && t->failed != NULL)
		t->failed(t->failed_arg);
	if (a.result == TPM_OK && !sync_embedded(t)) {
		snprintf(why, ANCHOR_WHY, "the embedded TPM's state cannot be synced: %s",
		    strerror(errno));
		return TPM_FAILED;
	}
	if (ret != NULL)
		*ret = a.value;
	return a.result;
}

static bool
room(void *arg)
{
	const struct anchor_tpm *t = arg;
	struct statfs fs;

	return t->state < 0 || fstatfs(t->state, &fs) != 0 ||
	       (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= ROOM;
}

static enum tpm_result
define(void *arg, const uint8_t origin[TPM_ANCHOR_LEN], char why[ANCHOR_WHY])
{
	return ask(arg, ANCHOR_DEFINE, origin, NULL, why);
}

static enum tpm_result
read_(void *arg, struct tpm_anchor_value *ret, char why[ANCHOR_WHY])
{
	return ask(arg, ANCHOR_READ, NULL, ret, why);
}

static enum tpm_result
extend(void *arg, const uint8_t digest[TPM_ANCHOR_LEN], char why[ANCHOR_WHY])
{
	return ask(arg, ANCHOR_EXTEND, digest, NULL, why);
}

static enum tpm_result
count(void *arg, char why[ANCHOR_WHY])
{
	return ask(arg, ANCHOR_COUNT, NULL, NULL, why);
}

static const struct anchor_ops ops = {
    .define = define, .read = read_, .extend = extend, .count = count, .room = room};

int
anchor_tpm_init(struct anchor_tpm *t, struct anchor *a, const struct sealer *s,
    const struct master *m, const char *embedded)
{
	*t = (struct anchor_tpm){.fd = s->anchor, .master = m, .state = -1};
	if ((t->where = sec_alloc(sizeof(*t->where))) == NULL ||
	    !crypt_derive(
		m->key, NULL, 0, "caas store anchor in the TPM", t->where->secret)) {
		log_error("no memory for the anchor's secret");
		return -1;
	}
	t->where->place = ((uint32_t)m->store[0] | (uint32_t)m->store[1] << 8 |
			      (uint32_t)m->store[2] << 16) %
			  TPM_ANCHOR_PLACES;
	if (embedded != NULL &&
	    (t->state = open(embedded, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		log_error("%s: %s", embedded, strerror(errno));
		return -1;
	}
	memset(a, 0, sizeof(*a));
	a->ops = &ops;
	a->arg = t;
	a->patience = PATIENCE;
	return 0;
}

void
anchor_tpm_free(struct anchor_tpm *t)
{
	sec_free(t->where);
	t->where = NULL;
	if (t->state >= 0)
		close(t->state);
	t->state = -1;
}
