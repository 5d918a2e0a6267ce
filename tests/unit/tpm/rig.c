/* rig.c - see rig.h */
#include "rig.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ftw.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void
rig_mkdir(char dir[64])
{
	snprintf(dir, 64, "/tmp/caas-tpm-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0); /* tcsd reads in it as another user */
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
rig_rmdir(const char *dir)
{
	(void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#define LISTENS 0x10000 /* __SO_ACCEPTCON of linux/net.h */

/* /proc tells who listens without taking swtpm's one connection. */
static bool
listens(const char *path)
{
	char line[256], *at;
	bool found = false;
	FILE *f = fopen("/proc/net/unix", "re");

	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		unsigned flags = 0;

		if ((at = strstr(line, path)) == NULL || at[strlen(path)] != '\n')
			continue;
		found = sscanf(line, "%*s %*s %*s %x", &flags) == 1 && (flags & LISTENS);
	}
	(void)fclose(f);
	return found;
}

static void
launch(struct rig *r)
{
	char state[128], data[128], ctrl[128], log[128], path[128];
	const char *argv[] = {"swtpm", "socket", "--tpm2", "--tpmstate", state, "--server", data,
	    "--ctrl", ctrl, "--flags", "not-need-init,startup-clear", "--log", log,
	    r->extra != NULL ? "--locality" : NULL, r->extra, NULL};

	snprintf(state, sizeof(state), "dir=%s,mode=0600", r->dir);
	snprintf(data, sizeof(data), "type=unixio,path=%s/s,mode=0600", r->dir);
	snprintf(ctrl, sizeof(ctrl), "type=unixio,path=%s/s.ctrl,mode=0600", r->dir);
	snprintf(log, sizeof(log), "file=%s/log,level=1", r->dir);
	snprintf(path, sizeof(path), "%s/s", r->dir);
	(void)unlink(path);
	r->pid = fork();
	if (r->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_true(r->pid > 0);
	for (int i = 0; !listens(path); i++) {
		assert_true(i < 6000); /* 30 s: swtpm installed and able to start */
		usleep(5000);
	}
	snprintf(r->address, sizeof(r->address), "tpm2:swtpm:path=%s", path);
}

void
rig_start(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	rig_mkdir(r->dir);
	launch(r);
}

void
rig_kill(struct rig *r, int sig)
{
	if (r->pid <= 0)
		return;
	(void)kill(r->pid, sig);
	(void)waitpid(r->pid, NULL, 0);
	r->pid = 0;
}

void
rig_restart(struct rig *r)
{
	rig_kill(r, SIGTERM);
	launch(r);
}

void
rig_free(struct rig *r)
{
	rig_kill(r, SIGTERM);
	rig_rmdir(r->dir);
}

void
rig_authority(const char *dir, const char *name, char priv[128], char pub[128])
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *f;

	snprintf(priv, 128, "%s/%s.key", dir, name);
	snprintf(pub, 128, "%s/%s.pub", dir, name);
	assert_non_null(key);
	assert_non_null(f = fopen(priv, "w"));
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	assert_non_null(f = fopen(pub, "w"));
	assert_int_equal(PEM_write_PUBKEY(f, key), 1);
	fclose(f);
	EVP_PKEY_free(key);
}

size_t
rig_read(const char *file, void *buf, size_t size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, buf, size);
	assert_true(n >= 0);
	close(fd);
	return (size_t)n;
}

void
rig_write(const char *file, const void *data, size_t len)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	close(fd);
}
