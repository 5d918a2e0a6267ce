/* embedded_key.c - see embedded_key.h */
#include "tpm/embedded_key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/hex.h"
#include "common/log.h"
#include "common/secmem.h"

#define KEY_LEN 32
#define KEY	"state.key"
#define KEY_NEW "state.key.new"
#define STATE	"tpm2-00.permall" /* swtpm's name for it */

static bool
exists(const char *dir, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static int
sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (fd < 0)
		return -1;
	r = fsync(fd);
	close(fd);
	return r;
}

static int
write_key(int fd)
{
	uint8_t key[KEY_LEN];
	char hex[2 * KEY_LEN + 1];
	int r = -1;

	if (RAND_priv_bytes(key, sizeof(key)) == 1) {
		hex_put(hex, key, sizeof(key));
		if (write(fd, hex, 2 * KEY_LEN) == 2 * KEY_LEN)
			r = fsync(fd);
	}
	sec_wipe(key, sizeof(key));
	sec_wipe(hex, sizeof(hex));
	return r;
}

static int
make_key(const char *dir, const char *path)
{
	char tmp[PATH_MAX + 8];
	int fd, r;

	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -1 : write_key(fd);
	if (fd >= 0)
		close(fd);
	if (r == 0)
		r = rename(tmp, path);
	if (r == 0)
		r = sync_dir(dir);
	if (r != 0)
		log_error("embedded TPM: cannot write %s: %s", path, strerror(errno));
	return r;
}

int
embedded_key_open(const char *dir)
{
	bool settled = exists(dir, KEY), state = exists(dir, STATE);
	char path[PATH_MAX];
	int fd;

	if (settled && !state) {
		log_error("embedded TPM: %s/%s is gone: restore it from a copy; without it what "
		    "is sealed cannot be opened.  To begin anew, remove %s", dir, STATE, dir);
		return -1;
	}
	if (!settled && state && !exists(dir, KEY_NEW)) {
		log_error("embedded TPM: %s/%s is gone: restore it from a copy; without it the "
		    "TPM's state cannot be read.  To begin anew, remove %s", dir, KEY, dir);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/%s", dir, settled ? KEY : KEY_NEW);
	if (!settled && !exists(dir, KEY_NEW) && make_key(dir, path) != 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		log_error("embedded TPM: %s: %s", path, strerror(errno));
	return fd;
}

int
embedded_key_settle(const char *dir)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (exists(dir, KEY))
		return 0;
	snprintf(from, sizeof(from), "%s/%s", dir, KEY_NEW);
	snprintf(to, sizeof(to), "%s/%s", dir, KEY);
	if (rename(from, to) == 0 && sync_dir(dir) == 0)
		return 0;
	log_error("embedded TPM: cannot rename %s: %s", from, strerror(errno));
	return -1;
}
