/* Where tokens lie in clear: a tmpfs, private, empty at the start, gone at the end. */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <linux/magic.h>
#include <unistd.h>

#include "vsmd/supervisor/super.h"

struct place {
	struct super s;
	char dir[64], conf[128];
};

static void
ignore(void *arg, const char *line)
{
	(void)arg;
	fail_msg("%s", line);
}

static void
make(struct place *p)
{
	char text[256];

	memset(p, 0, sizeof(*p));
	snprintf(p->dir, sizeof(p->dir), "/tmp/memory-test.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(text, sizeof(text), "[vsmd]\nruntime = %s\n", p->dir);
	p->s.boot = p->s.config = config_parse("f", text, strlen(text), ignore, NULL);
	assert_non_null(p->s.boot);
}

static void
done(struct place *p)
{
	config_free(p->s.boot);
	assert_int_equal(rmdir(p->dir), 0);
}

static void
put(const char *dir, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

/* In a child that has no right to mount: as an ordinary user has it. */
static int
unprivileged(void (*what)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (getuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(91);
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
shared_memory(void)
{
	struct place p;
	struct stat st;
	struct statfs fs;
	char path[256], sub[300], link[128];

	make(&p);
	assert_int_equal(memory_make(&p.s, getuid(), getgid()), 0);
	assert_false(p.s.memory.mounted);
	assert_int_equal(stat(p.s.memory.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(statfs(p.s.memory.path, &fs), 0);
	assert_int_equal(fs.f_type, TMPFS_MAGIC);
	/* Killed here: the next start finds it by the link and removes it. */
	snprintf(path, sizeof(path), "%s", p.s.memory.path);
	snprintf(sub, sizeof(sub), "%s/slots", path);
	assert_int_equal(mkdir(sub, 0700), 0);
	put(sub, "token.object");
	snprintf(sub, sizeof(sub), "%s/slots/link", path);
	assert_int_equal(symlink("/", sub), 0);
	free(p.s.memory.path);
	free(p.s.memory.link);
	assert_int_equal(memory_make(&p.s, getuid(), getgid()), 0);
	assert_string_not_equal(p.s.memory.path, path);
	assert_int_equal(access(path, F_OK), -1);
	put(p.s.memory.path, "x");
	memory_empty(&p.s);
	snprintf(sub, sizeof(sub), "%s/x", p.s.memory.path);
	assert_int_equal(access(sub, F_OK), -1);
	snprintf(path, sizeof(path), "%s", p.s.memory.path);
	memory_remove(&p.s);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(link, sizeof(link), "%s/memory.link", p.dir);
	assert_int_equal(readlink(link, path, sizeof(path)), -1);
	done(&p);
}

static void
without_mounting(void **state)
{
	(void)state;
	assert_int_equal(unprivileged(shared_memory), 0);
}

/* A link that somebody bent is not followed to other people's files. */
static void
bent_link(void)
{
	struct place p;
	char victim[96], link[128], file[128];

	make(&p);
	snprintf(victim, sizeof(victim), "%s/victim", p.dir);
	assert_int_equal(mkdir(victim, 0700), 0);
	put(victim, "precious");
	snprintf(link, sizeof(link), "%s/memory.link", p.dir);
	assert_int_equal(symlink(victim, link), 0);
	assert_int_equal(memory_make(&p.s, getuid(), getgid()), 0);
	snprintf(file, sizeof(file), "%s/precious", victim);
	assert_int_equal(access(file, F_OK), 0);
	memory_remove(&p.s);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(victim), 0);
	done(&p);
}

static void
only_our_own(void **state)
{
	(void)state;
	assert_int_equal(unprivileged(bent_link), 0);
}

static void
private_mount(void **state)
{
	struct vsmd *v = *state;
	char path[128], line[512], want[128];
	bool mounted = false;
	FILE *f;

	if (getuid() != 0)
		skip();
	vsmd_config(v, NULL, NULL);
	vsmd_start(v, true);
	if (!vsmd_logged(v, "/run/memory\n")) {
		/* In a container that may not mount even root has none. */
		assert_true(vsmd_logged(v, "not in a private mount"));
		assert_int_equal(vsmd_stop(v), 0);
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/root%s/run/memory", (int)v->pid, v->dir);
	put(path, "key");
	/* From outside there is nothing. */
	snprintf(path, sizeof(path), "%s/run/memory/key", v->dir);
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)v->pid);
	snprintf(want, sizeof(want), " %s/run/memory rw,nosuid,nodev,noexec", v->dir);
	assert_non_null(f = fopen(path, "re"));
	while (fgets(line, sizeof(line), f) != NULL)
		mounted |= strstr(line, want) != NULL && strstr(line, "tmpfs") != NULL;
	fclose(f);
	assert_true(mounted);
	assert_int_equal(vsmd_stop(v), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_mounting),
	    cmocka_unit_test(only_our_own),
	    cmocka_unit_test_setup_teardown(private_mount, vsmd_setup, vsmd_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
