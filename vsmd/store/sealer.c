/* sealer.c - see sealer.h */
#include "vsmd/store/sealer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "common/secmem.h"
#include "vsmd/confine/confine.h"

/* ask: bytes key, bytes old blob, bytes values; answer: u8 ok, bytes blob or sentence */

static enum tpm_result
seal(const struct store_config *config, struct tpm *t, const uint8_t *key, size_t key_len,
    const uint8_t *old, size_t old_len, const uint8_t *values, struct buf *blob)
{
	if (values == NULL)
		return tpm_seal(t, &config->policy, key, key_len, blob);
	buf_put_raw(blob, old, old_len);
	return tpm_predict(t, &config->policy, key, key_len, values, blob);
}

static bool
serve(const struct store_config *config, struct buf *in, struct buf *out)
{
	size_t key_len = 0, old_len = 0, values_len = 0;
	const uint8_t *key = buf_get_bytes(in, &key_len);
	const uint8_t *old = buf_get_bytes(in, &old_len);
	const uint8_t *values = buf_get_bytes(in, &values_len);
	enum tpm_result r;
	struct tpm *t = NULL;
	struct buf blob;

	if (!buf_end(in) || key_len != CRYPT_KEY ||
	    (values_len != 0 && values_len != config->policy.npcrs * 20))
		return false;
	buf_init(&blob, TPM_BLOB_MAX);
	if ((r = tpm_open(config->tpm, &t)) == TPM_OK)
		r = seal(config, t, key, key_len, old, old_len,
		    values_len > 0 ? values : NULL, &blob);
	buf_put_u8(out, r == TPM_OK && buf_ok(&blob));
	if (r == TPM_OK)
		buf_put_bytes(out, blob.data, blob.len);
	else
		buf_put_str(out, t != NULL ? tpm_error(t) : tpm_result_text(r));
	if (t != NULL)
		tpm_close(t);
	buf_free(&blob);
	return true;
}

static int
sealer_main(int fd, const struct store_config *config)
{
	struct rlimit none = {0, 0};
	struct buf in, out;
	int status = 0;

	log_name("vsmd-tpm");
	proctitle_set("vsmd-tpm", config->tpm);
	if (confine_keep_fds(&fd, 1) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    setrlimit(RLIMIT_CORE, &none) != 0) {
		log_error("cannot start: %s", strerror(errno));
		return 1;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	buf_init(&in, IPC_MAX);
	buf_init(&out, IPC_MAX);
	while (ipc_recv(fd, &in, NULL, NULL) == 0) {
		buf_reset(&out);
		if (!serve(config, &in, &out) || ipc_send(fd, &out, NULL, 0) != 0) {
			status = 1;
			break;
		}
		buf_reset(&in);
	}
	buf_free(&in);
	buf_free(&out);
	return status;
}

int
sealer_start(struct sealer *s, const struct store_config *config)
{
	int fds[2];
	pid_t pid;

	s->fd = -1;
	if (ipc_pair(fds) != 0 || (pid = fork()) < 0) {
		log_error("vsmd-tpm: cannot be started: %s", strerror(errno));
		return -1;
	}
	if (pid == 0) {
		close(fds[0]);
		_exit(sealer_main(fds[1], config));
	}
	close(fds[1]);
	s->fd = fds[0];
	return 0;
}

const char *
sealer_ask(struct sealer *s, const uint8_t key[CRYPT_KEY], const struct buf *old,
    const uint8_t *values, size_t values_len, struct buf *b, char why[256])
{
	const char *wrong = "the process vsmd-tpm is gone: restart vsmd";
	struct buf m;
	uint8_t ok;

	buf_init(&m, IPC_MAX);
	buf_put_bytes(&m, key, CRYPT_KEY);
	buf_put_bytes(&m, old != NULL ? old->data : NULL, old != NULL ? old->len : 0);
	buf_put_bytes(&m, values, values_len);
	if (s->fd < 0 || ipc_send(s->fd, &m, NULL, 0) != 0 ||
	    ipc_recv(s->fd, &m, NULL, NULL) != 0)
		goto out;
	ok = buf_get_u8(&m);
	if (ok == 1) {
		size_t len = 0;
		const uint8_t *p = buf_get_bytes(&m, &len);

		if (buf_end(&m)) {
			buf_put_raw(b, p, len);
			wrong = buf_ok(b) ? NULL : "out of memory";
		}
	} else {
		buf_get_str(&m, why, 256);
		if (buf_end(&m))
			wrong = why;
	}
out:
	buf_free(&m);
	return wrong;
}

void
sealer_stop(struct sealer *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
