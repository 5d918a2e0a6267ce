/* place.c - see place.h */
#include "caas/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caas/cmd.h"
#include "vsmd/policy/config.h"

/* sun_path has 108 bytes; the TPM's sockets in run/ have the longest names. */
#define DIR_MOST 72

char *
place_config_text(const char *dir, const char *rundir)
{
	char *text;

	if (asprintf(&text,
		"# Written once by `caas sandbox up'; edits stay.  See vsmd.conf(5).\n"
		"[vsmd]\n"
		"sandbox = yes\n"
		"listen = unix:%s/vsmd.sock\n"
		"socket-mode = 0666\n"
		"state = %s/state\n"
		"runtime = %s/run\n"
		"tpm = embedded\n"
		"pin-tries = 0\n"
		"\n"
		"# Every user of this machine may use and administer every token.\n"
		"[principal all]\n"
		"uid = *\n"
		"role = admin\n"
		"\n"
		"[grant all *]\n"
		"allow = all\n"
		"extract = allow\n",
		rundir, dir, rundir) < 0)
		return NULL;
	return text;
}

static int
make_directory(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0 && chmod(path, mode) == 0)
		return CMD_OK;
	if (errno == EEXIST && lstat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	    st.st_uid == geteuid())
		return CMD_OK;
	return cmd_fail("cannot make %s: %s: choose another --dir", path,
	    errno == EEXIST ? "it is there and not a directory of ours"
			    : strerror(errno));
}

static int
make_parents(char *path)
{
	for (char *s = strchr(path + 1, '/'); s != NULL; s = strchr(s + 1, '/')) {
		int rc;

		*s = '\0';
		rc = mkdir(path, 0755) < 0 && errno != EEXIST;
		*s = '/';
		if (rc)
			return cmd_fail("cannot make the directories above %s: %s", path,
			    strerror(errno));
	}
	return CMD_OK;
}

/* Absolute and without symbolic links, so that it can be compared and configured. */
static int
resolve(struct place *p, const char *dir, bool make, bool *ret_fresh)
{
	char path[PATH_MAX];
	struct stat st;

	if ((size_t)snprintf(path, sizeof(path), "%s", dir) >= sizeof(path) ||
	    dir[0] == '\0')
		return cmd_fail("--dir is empty or too long: choose another");
	if (make) {
		*ret_fresh = mkdir(path, 0755) == 0;
		if (!*ret_fresh && errno == ENOENT) {
			if (make_parents(path) != CMD_OK)
				return CMD_FAILED;
			*ret_fresh = mkdir(path, 0755) == 0;
		}
		if (!*ret_fresh && errno != EEXIST)
			return cmd_fail("cannot make %s: %s", path, strerror(errno));
	}
	if (realpath(path, p->dir) == NULL || stat(p->dir, &st) < 0 ||
	    !S_ISDIR(st.st_mode)) {
		p->dir[0] = '\0';
		return make ? cmd_fail("cannot use %s: %s", path,
				  errno != 0 ? strerror(errno) : "not a directory")
			    : CMD_FAILED;
	}
	/* Its configuration says what is run as us. */
	if (st.st_uid != geteuid())
		return cmd_fail("%s belongs to another user: choose another --dir", p->dir);
	if (st.st_mode & S_IWOTH)
		return cmd_fail("%s can be written by everybody: chmod o-w it, or choose "
				"another --dir",
		    p->dir);
	snprintf(p->conf, sizeof(p->conf), "%s/vsmd.conf", p->dir);
	snprintf(p->log, sizeof(p->log), "%s/vsmd.log", p->dir);
	snprintf(p->pid, sizeof(p->pid), "%s/vsmd.pid", p->dir);
	return CMD_OK;
}

/* The directory above DIR that others cannot pass, or NULL. */
static const char *
closed_parent(const char *dir, char buf[PATH_MAX])
{
	struct stat st;

	snprintf(buf, PATH_MAX, "%s", dir);
	for (char *s = strrchr(buf, '/'); s != NULL && s != buf; s = strrchr(buf, '/')) {
		*s = '\0';
		if (stat(buf, &st) == 0 && (st.st_mode & S_IXOTH) == 0)
			return buf;
	}
	return NULL;
}

/* What lies beneath has modes of its own: others get nothing but the way through. */
static void
open_way(const char *dir, bool fresh)
{
	struct stat st;

	if (stat(dir, &st) == 0 && (st.st_mode & 0011) != 0011 &&
	    chmod(dir, (st.st_mode & 07777) | 0011) == 0 && !fresh)
		cmd_note("note: %s can now be passed by all users, so that servers reach "
			 "the socket",
		    dir);
}

static int
choose_rundir(const char *dir, char ret[PATH_MAX])
{
	char buf[PATH_MAX];
	const char *closed = closed_parent(dir, buf);

	if (closed == NULL && strlen(dir) <= DIR_MOST) {
		snprintf(ret, PATH_MAX, "%s", dir);
		return CMD_OK;
	}
	snprintf(ret, PATH_MAX, "/tmp/caas-XXXXXX");
	if (mkdtemp(ret) == NULL || chmod(ret, 0711) < 0)
		return cmd_fail(
		    "cannot make a directory for sockets in /tmp: %s", strerror(errno));
	if (closed != NULL)
		cmd_note(
		    "note: other users cannot pass %s: the socket is in %s", closed, ret);
	else
		cmd_note("note: %s is too long for a socket's name: the socket is in %s",
		    dir, ret);
	return CMD_OK;
}

static void
report(void *arg, const char *line)
{
	(void)arg;
	cmd_note("%s", line);
}

static int
write_config(const struct place *p)
{
	char rundir[PATH_MAX], *text;
	struct config *c;
	FILE *f;
	int rc;

	if (choose_rundir(p->dir, rundir) != CMD_OK)
		return CMD_FAILED;
	text = place_config_text(p->dir, rundir);
	if (text == NULL)
		return cmd_fail("no memory: free some");
	/* A name that the file's syntax cannot hold must not become another path. */
	c = config_parse(p->conf, text, strlen(text), report, NULL);
	rc = c != NULL &&
	     strncmp(config_settings(c)->state, p->dir, strlen(p->dir)) == 0 &&
	     strcmp(config_settings(c)->state + strlen(p->dir), "/state") == 0;
	config_free(c);
	if (!rc) {
		free(text);
		return cmd_fail(
		    "%s cannot stand in a configuration file: choose a shorter or "
		    "simpler --dir",
		    p->dir);
	}
	f = fopen(p->conf, "wxe");
	rc = f != NULL && fputs(text, f) >= 0;
	rc = f != NULL && fclose(f) == 0 && rc;
	free(text);
	return rc ? CMD_OK : cmd_fail("cannot write %s: %s", p->conf, strerror(errno));
}

static int
read_config(struct place *p)
{
	struct config *c = config_load(p->conf, report, NULL);
	const struct config_settings *s;

	if (c == NULL)
		return cmd_fail(
		    "%s has errors: mend it, or remove it to get a fresh one", p->conf);
	s = config_settings(c);
	snprintf(
	    p->address, sizeof(p->address), "%s", s->nlisten > 0 ? s->listen[0] : "");
	snprintf(p->runtime, sizeof(p->runtime), "%s", s->runtime);
	config_free(c);
	if (p->address[0] == '\0')
		return cmd_fail("%s has no `listen': add one", p->conf);
	return CMD_OK;
}

/* Secrets below have 0700 from the start; the directory under /tmp may have been swept.
 */
static int
make_below(const struct place *p)
{
	char path[PATH_MAX + 16], *slash;

	snprintf(path, sizeof(path), "%s/state", p->dir);
	if (make_directory(path, 0700) != CMD_OK)
		return CMD_FAILED;
	snprintf(path, sizeof(path), "%s", p->runtime);
	slash = strrchr(path, '/');
	if (slash != NULL && slash != path && strncmp(path, "/tmp/caas-", 10) == 0) {
		*slash = '\0';
		if (make_directory(path, 0711) != CMD_OK)
			return CMD_FAILED;
	}
	return make_directory(p->runtime, 0700);
}

static int
take_lock(struct place *p)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/lock", p->dir);
	p->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (p->lock < 0 || flock(p->lock, LOCK_EX) < 0)
		return cmd_fail("cannot lock %s: %s", path, strerror(errno));
	return CMD_OK;
}

int
place_open(struct place *p, const char *dir, bool make)
{
	bool fresh = false;

	*p = (struct place){.lock = -1};
	if (resolve(p, dir, make, &fresh) != CMD_OK)
		return CMD_FAILED;
	if (!make && access(p->conf, F_OK) < 0) {
		p->dir[0] = '\0';
		return CMD_FAILED;
	}
	if (take_lock(p) != CMD_OK)
		return CMD_FAILED;
	if (make)
		open_way(p->dir, fresh);
	if (access(p->conf, F_OK) < 0 && write_config(p) != CMD_OK)
		return CMD_FAILED;
	if (read_config(p) != CMD_OK)
		return CMD_FAILED;
	return make ? make_below(p) : CMD_OK;
}

void
place_close(struct place *p)
{
	if (p->lock >= 0)
		close(p->lock);
	p->lock = -1;
}

/* Sockets and the like, and directories that are empty; nothing with content. */
static void
sweep(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    unlinkat(dirfd(d), e->d_name, 0) < 0)
			unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	if (d != NULL)
		closedir(d);
}

void
place_tidy(const struct place *p)
{
	char path[PATH_MAX], *slash;

	if (strncmp(p->address, "unix:", 5) == 0)
		unlink(p->address + 5);
	unlink(p->pid);
	snprintf(path, sizeof(path), "%s", p->runtime);
	if (strncmp(path, "/tmp/caas-", 10) != 0)
		return;
	sweep(path);
	slash = strrchr(path, '/');
	if (rmdir(path) == 0 && slash != NULL) {
		*slash = '\0';
		rmdir(path);
	}
}
