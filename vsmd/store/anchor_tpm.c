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

/*
 * ask:    u64 number, u8 what, bytes blob (whose TPM it is), u32 place, bytes secret,
 *         bytes digest (of DEFINE and EXTEND)
 * answer: u64 number, u8 tpm_result, bytes value, u64 count, str name, str why
 */
enum what { DEFINE = 1, READ, EXTEND, COUNT };

struct answer {
	enum tpm_result result;
	struct tpm_anchor_value value;
	char name[ANCHOR_NAME], why[ANCHOR_WHY];
};

static enum tpm_result
turn(struct tpm *t, uint8_t what, const struct tpm_anchor *a, const uint8_t *digest,
    struct tpm_anchor_value *ret)
{
	switch ((enum what)what) {
	case DEFINE:
		return tpm_anchor_define(t, a, digest);
	case READ:
		return tpm_anchor_read(t, a, ret);
	case EXTEND:
		return tpm_anchor_extend(t, a, digest);
	case COUNT:
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
	struct tpm_anchor_value value = {.count = 0};
	struct tpm_anchor a = {.place = 0};
	const uint8_t *blob, *secret, *digest;
	size_t blob_len = 0, secret_len = 0, digest_len = 0;
	uint64_t number = buf_get_u64(in);
	uint8_t what = buf_get_u8(in);
	char name[ANCHOR_NAME] = "";
	enum tpm_result r;

	blob = buf_get_bytes(in, &blob_len);
	a.place = buf_get_u32(in);
	secret = buf_get_bytes(in, &secret_len);
	digest = buf_get_bytes(in, &digest_len);
	if (!buf_end(in) || what < DEFINE || what > COUNT ||
	    secret_len != TPM_ANCHOR_LEN ||
	    digest_len != (what == DEFINE || what == EXTEND ? TPM_ANCHOR_LEN : 0))
		return false;
	memcpy(a.secret, secret, TPM_ANCHOR_LEN);
	r = reach(address, ret_tpm, blob, blob_len);
	if (r == TPM_OK)
		r = turn(*ret_tpm, what, &a, digest, &value);
	sec_wipe(&a.secret, sizeof(a.secret));
	if (*ret_tpm != NULL)
		tpm_anchor_name(*ret_tpm, &a, name, sizeof(name));
	buf_put_u64(out, number);
	buf_put_u8(out, (uint8_t)r);
	buf_put_bytes(out, value.value, TPM_ANCHOR_LEN);
	buf_put_u64(out, value.count);
	buf_put_str(out, name);
	buf_put_str(out, r == TPM_OK	    ? ""
			 : *ret_tpm != NULL ? tpm_error(*ret_tpm)
					    : tpm_result_text(r));
	if (r != TPM_OK && *ret_tpm != NULL) {
		tpm_close(*ret_tpm); /* the next question begins afresh */
		*ret_tpm = NULL;
	}
	return true;
}

static bool
read_answer(struct buf *b, uint64_t *ret_number, struct answer *ret)
{
	const uint8_t *value;
	size_t len = 0;
	uint8_t r;

	*ret_number = buf_get_u64(b);
	r = buf_get_u8(b);
	value = buf_get_bytes(b, &len);
	ret->value.count = buf_get_u64(b);
	buf_get_str(b, ret->name, sizeof(ret->name));
	buf_get_str(b, ret->why, sizeof(ret->why));
	if (!buf_end(b) || len != TPM_ANCHOR_LEN || r > TPM_FAILED)
		return false;
	memcpy(ret->value.value, value, TPM_ANCHOR_LEN);
	ret->result = (enum tpm_result)r;
	return true;
}

static void __attribute__((noreturn)) gone(void)
{
	log_error("vsmd-tpm is gone: restarting");
	_exit(1); /* nothing is left to be done here, and the door is closed */
}

/* The answer to the last question, or false when none comes in that time. */
static bool
await(struct anchor_tpm *t, int ms, struct answer *ret)
{
	struct pollfd p = {.fd = t->fd, .events = POLLIN};
	int64_t until = clock_ms() + ms;
	uint64_t number = 0;
	struct buf b;
	bool ok = true;

	buf_init(&b, IPC_MAX);
	while (ok && number != t->asked) {
		int64_t left = until - clock_ms();
		int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			gone();
		ok = n > 0;
		if (ok && (ipc_recv(t->fd, &b, NULL, NULL) != 0 ||
			      !read_answer(&b, &number, ret)))
			gone();
	}
	buf_free(&b);
	t->waiting = !ok;
	return ok;
}

static void
send_question(struct anchor_tpm *t, enum what what, const uint8_t *digest)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u64(&b, ++t->asked);
	buf_put_u8(&b, (uint8_t)what);
	buf_put_bytes(&b, t->master->blob.data, t->master->blob.len);
	buf_put_u32(&b, t->where->place);
	buf_put_bytes(&b, t->where->secret, TPM_ANCHOR_LEN);
	buf_put_bytes(&b, digest, digest != NULL ? TPM_ANCHOR_LEN : 0);
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
ask(struct anchor_tpm *t, enum what what, const uint8_t *digest,
    struct tpm_anchor_value *ret, char why[ANCHOR_WHY])
{
	struct answer a;

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
	return ask(arg, DEFINE, origin, NULL, why);
}

static enum tpm_result
read_(void *arg, struct tpm_anchor_value *ret, char why[ANCHOR_WHY])
{
	return ask(arg, READ, NULL, ret, why);
}

static enum tpm_result
extend(void *arg, const uint8_t digest[TPM_ANCHOR_LEN], char why[ANCHOR_WHY])
{
	return ask(arg, EXTEND, digest, NULL, why);
}

static enum tpm_result
count(void *arg, char why[ANCHOR_WHY])
{
	return ask(arg, COUNT, NULL, NULL, why);
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
