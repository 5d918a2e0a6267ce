/* sealer.c - see sealer.h */
#include "vsmd/store/sealer.h"

#include <errno.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/ipc.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "common/secmem.h"
#include "vsmd/confine/confine.h"
#include "vsmd/store/anchor_tpm.h"
#include "vsmd/store/clock.h"
#include "vsmd/store/tpm_msg.h"

#define XEN_DEVICES "/dev/xen"
#define REST 5000 /* ms without a question after which the TPM is left alone */
#define GONE "the process vsmd-tpm is gone: restart vsmd"

static enum tpm_result
seal(const struct store_config *config, struct tpm *t, const struct seal_ask *a,
    struct buf *blob)
{
	struct tpm_policy policy = config->policy;
	enum tpm_result r;

	policy.ref = a->ref;
	/* Without this the key would go to whoever answers at that address. */
	if ((r = tpm_pin(t, a->blob, a->blob_len)) != TPM_OK)
		return r;
	if (a->values_len == 0)
		return tpm_seal(t, &policy, a->key, CRYPT_KEY, blob);
	buf_put_raw(blob, a->blob, a->blob_len);
	return tpm_predict(t, &policy, a->key, CRYPT_KEY, a->values, blob);
}

static bool
serve(const struct store_config *config, struct tpm **ret_tpm, struct buf *in,
    struct buf *out)
{
	struct seal_answer answer = {.ok = false};
	struct tpm *t = *ret_tpm;
	enum tpm_result r = TPM_OK;
	struct seal_ask ask;
	struct buf blob;

	if (!seal_ask_read(in, &ask) ||
	    (ask.values_len != 0 && ask.values_len != config->policy.npcrs * 20))
		return false;
	buf_init(&blob, TPM_BLOB_MAX);
	if (t == NULL)
		r = tpm_open(config->tpm, &t);
	if (r == TPM_OK)
		r = seal(config, t, &ask, &blob);
	if (r == TPM_OK && !buf_ok(&blob))
		r = TPM_FAILED;
	answer.ok = r == TPM_OK;
	answer.blob = blob.data;
	answer.blob_len = blob.len;
	if (!answer.ok)
		snprintf(answer.why, sizeof(answer.why), "%s",
		    t != NULL ? tpm_error(t) : tpm_result_text(r));
	seal_answer_write(out, &answer);
	/* Whoever asks next begins afresh, but an anchor that is in use. */
	if (t != NULL && (*ret_tpm == NULL || r != TPM_OK)) {
		tpm_close(t);
		*ret_tpm = NULL;
	}
	buf_free(&blob);
	return true;
}

/*
 * What the TPM is reached by that has a path which must be opened: its device, or Xen's, by
 * which a vchan to DomT is made; "" when it is a socket, which needs none; NULL when paths
 * cannot be confined.
 */
static const char *
tpm_path(const char *tpm)
{
	static const char device[] = "tpm2:device:", socket[] = "tpm2:swtpm:path=";

	if (strncmp(tpm, device, strlen(device)) == 0)
		return tpm + strlen(device);
	if (strncmp(tpm, "domt:", 5) == 0)
		return XEN_DEVICES;
	return strncmp(tpm, socket, strlen(socket)) == 0 ? "" : NULL;
}

/*
 * Where the TPM is a device, a socket with a path, or DomT, files are confined to programs,
 * their configuration and the TPM; over TCP they are not, since Landlock would forbid
 * TCP as well.  Missing paths are left out: not every machine has them all.
 */
static int
confine_paths(const struct store_config *config)
{
	struct confine_path paths[8];
	struct confine c = {.role = "vsmd-tpm", .paths = paths};
	const char *wanted[] = {"/usr", "/lib", "/lib64", "/opt", "/etc",
	    config->policy.authority, tpm_path(config->tpm)};

	if (wanted[6] == NULL)
		return 0;
	if (strcmp(wanted[6], XEN_DEVICES) == 0)
		c.flags = CONFINE_DEVICES; /* grants are mapped by ioctl(2) */
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (wanted[i] != NULL && access(wanted[i], R_OK) == 0)
			paths[c.npaths++] = (struct confine_path){wanted[i], i == 6};
	return confine_landlock(&c);
}

/* The TPM's libraries call what they like, but no other program. */
static int
confine_calls(void)
{
	static const int denied[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork),
	    SCMP_SYS(vfork), SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(tgkill),
	    SCMP_SYS(ptrace), SCMP_SYS(listen), SCMP_SYS(accept), SCMP_SYS(accept4)};
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int rc = f != NULL ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && i < sizeof(denied) / sizeof(denied[0]); i++) {
		rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
		if (rc == -EDOM) /* not on this architecture */
			rc = 0;
	}
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	if (rc != 0)
		errno = -rc;
	return rc;
}

static int
close_door(const struct store_config *config)
{
	struct rlimit none = {0, 0}, limit;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    setrlimit(RLIMIT_CORE, &none) != 0 || confine_paths(config) != 0 ||
	    confine_calls() != 0)
		return -1;
	/* A limit would make the libraries' allocations fail: all or nothing. */
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
		(void)mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
	return 0;
}

/* Serve one message of a pipe; false when that was the last. */
static bool
turn(const struct store_config *config, int fd, bool anchor, struct tpm **t, struct buf *in,
    struct buf *out)
{
	buf_reset(in);
	buf_reset(out);
	if (ipc_recv(fd, in, NULL, NULL) != 0)
		return false;
	return (anchor ? anchor_tpm_serve(config->tpm, t, in, out)
		       : serve(config, t, in, out)) &&
	       ipc_send(fd, out, NULL, 0) == 0;
}

static int
sealer_main(const int fds[2], const struct store_config *config)
{
	struct pollfd p[2] = {{.fd = fds[0], .events = POLLIN},
	    {.fd = fds[1], .events = POLLIN}};
	struct tpm *t = NULL;
	struct buf in, out;
	bool more = true, resting = false;

	log_name("vsmd-tpm");
	proctitle_set("vsmd-tpm", config->tpm);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (confine_keep_fds(fds, 2) != 0 || close_door(config) != 0) {
		log_error("cannot start: %s", strerror(errno));
		return 1;
	}
	buf_init(&in, IPC_MAX);
	buf_init(&out, IPC_MAX);
	while (more) {
		int n = poll(p, 2, t != NULL && !resting ? REST : -1);

		if (n < 0 && errno != EINTR)
			break;
		if (n == 0)
			tpm_anchor_rest(t);
		resting = n == 0;
		for (size_t i = 0; n > 0 && i < 2 && more; i++)
			if (p[i].revents != 0)
				more = turn(config, p[i].fd, i == 1, &t, &in, &out);
	}
	if (t != NULL)
		tpm_close(t);
	buf_free(&in);
	buf_free(&out);
	return 0;
}

static void
close_pair(int fds[2])
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int
sealer_start(struct sealer *s, const struct store_config *config)
{
	int seal_fds[2] = {-1, -1}, anchor_fds[2] = {-1, -1};
	pid_t pid;

	*s = (struct sealer){.fd = -1, .anchor = -1};
	if (ipc_pair(seal_fds) != 0 || ipc_pair(anchor_fds) != 0 || (pid = fork()) < 0) {
		log_error("vsmd-tpm: cannot be started: %s", strerror(errno));
		close_pair(seal_fds);
		close_pair(anchor_fds);
		return -1;
	}
	if (pid == 0) {
		const int mine[2] = {seal_fds[1], anchor_fds[1]};

		close(seal_fds[0]);
		close(anchor_fds[0]);
		_exit(sealer_main(mine, config));
	}
	close(seal_fds[1]);
	close(anchor_fds[1]);
	s->fd = seal_fds[0];
	s->anchor = anchor_fds[0];
	return 0;
}

const char *
sealer_ask(struct sealer *s, const struct master *m, const uint8_t *values, size_t len)
{
	struct seal_ask ask = {.key = m->key,
	    .blob = m->blob.data,
	    .blob_len = m->blob.len,
	    .values = values,
	    .values_len = len};
	const char *wrong = NULL;
	struct buf b;

	if (s->fd < 0)
		return GONE;
	memcpy(ask.ref, m->ref, sizeof(ask.ref));
	buf_init(&b, IPC_MAX);
	seal_ask_write(&b, &ask);
	if (ipc_send(s->fd, &b, NULL, 0) != 0)
		wrong = GONE;
	else
		s->until = clock_ms() + SEALER_PATIENCE;
	buf_free(&b);
	return wrong;
}

const char *
sealer_answer(struct sealer *s, struct buf *b, char why[TPM_MSG_WHY])
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	const char *wrong = NULL;
	struct seal_answer answer;
	struct buf m;

	if (poll(&p, 1, 0) == 0) {
		/* Whatever it says later belongs to nobody. */
		sealer_stop(s);
		return "the TPM does not answer: see to it, then restart vsmd";
	}
	buf_init(&m, IPC_MAX);
	if (ipc_recv(s->fd, &m, NULL, NULL) != 0 || !seal_answer_read(&m, &answer)) {
		sealer_stop(s);
		wrong = GONE;
	} else if (answer.ok) {
		buf_put_raw(b, answer.blob, answer.blob_len);
		wrong = buf_ok(b) ? NULL : "out of memory";
	} else {
		memcpy(why, answer.why, TPM_MSG_WHY);
		wrong = why;
	}
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

void
sealer_end(struct sealer *s)
{
	sealer_stop(s);
	if (s->anchor >= 0)
		close(s->anchor);
	s->anchor = -1;
}
