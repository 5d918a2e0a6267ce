/* main.c - caas-soak: the roles, and one of them done; see soak.h */
#include <dlfcn.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/soak/soak.h"

struct soak soak = {.name = "soak", .token = "soak", .life = 1, .seed = 1};

static const char usage[] =
    "usage: caas-soak --module FILE --dir DIR [--token LABEL] [--name NAME] [--life N]\n"
    "       [--seed N] [--threads N] "
    "make|sign|objects|keygen|bulk|login|pin|cycle|fork|check|sweep|count\n";

/* Roles without threads work in the session that was logged in. */
static const struct role roles[] = {
    {"make", NULL, make_step, NULL, 0, true},
    {"sign", sign_prepare, sign_step, NULL, 4, false},
    {"objects", objects_prepare, objects_step, NULL, 2, false},
    {"keygen", NULL, keygen_step, NULL, 2, false},
    {"bulk", NULL, bulk_step, NULL, 2, false},
    {"login", NULL, login_step, NULL, 0, false},
    {"pin", NULL, pin_step, NULL, 0, false},
    {"cycle", NULL, cycle_step, NULL, 0, false},
    {"fork", fork_prepare, fork_step, fork_finish, 0, false},
    {"check", NULL, check_step, NULL, 0, true},
    {"sweep", NULL, sweep_step, NULL, 0, true},
    {"count", NULL, count_step, NULL, 0, true},
};

/* count: what was done so far; 1 when a role did nothing */
void
count_step(struct job *j)
{
	(void)j;
	for (size_t i = 0; i < COUNT(roles); i++)
		if (!roles[i].once)
			printf("%s %lu\n", roles[i].name,
			    atomic_load(&soak.shared->steps[i]));
	printf("changes of the PIN %u\n", atomic_load(&soak.shared->pin_done));
}

static void
on_term(int sig)
{
	(void)sig;
	atomic_store(&soak.stop, true);
}

static struct shared *
map_shared(void)
{
	char path[512];
	void *p;
	int fd;

	snprintf(path, sizeof(path), "%s/shared", soak.dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || ftruncate(fd, sizeof(struct shared)) < 0)
		return NULL;
	p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static bool
load(void)
{
	void *dl = dlopen(soak.module, RTLD_NOW | RTLD_LOCAL);
	CK_C_GetFunctionList get;

	if (dl == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return false;
	}
	*(void **)&get = dlsym(dl, "C_GetFunctionList");
	return get != NULL && get(&soak.p11) == CKR_OK;
}

static bool
options(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"module", required_argument, NULL, 'm'},
	    {"token", required_argument, NULL, 't'},
	    {"dir", required_argument, NULL, 'd'},
	    {"name", required_argument, NULL, 'n'},
	    {"life", required_argument, NULL, 'l'},
	    {"seed", required_argument, NULL, 's'},
	    {"threads", required_argument, NULL, 'T'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (c) {
		case 'm':
			soak.module = optarg;
			break;
		case 't':
			soak.token = optarg;
			break;
		case 'd':
			soak.dir = optarg;
			break;
		case 'n':
			soak.name = optarg;
			break;
		case 'l':
			soak.life = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			soak.seed = strtoul(optarg, NULL, 10);
			break;
		case 'T':
			soak.threads = (unsigned)strtoul(optarg, NULL, 10);
			break;
		default:
			return false;
		}
	for (size_t i = 0; optind == argc - 1 && i < COUNT(roles); i++)
		if (strcmp(roles[i].name, argv[optind]) == 0)
			soak.role = &roles[i];
	return soak.role != NULL && soak.dir != NULL && soak.module != NULL;
}

/* Every name, life and seed has choices of its own. */
static uint64_t
own_seed(void)
{
	char text[128];
	uint64_t x;

	snprintf(text, sizeof(text), "%s %s %u %lu", soak.token, soak.name, soak.life,
	    soak.seed);
	chance_named(text, (CK_BYTE *)&x, sizeof(x));
	return x | 1;
}

static void
work(struct job *j)
{
	const struct role *r = soak.role;
	size_t number = (size_t)(r - roles);
	unsigned threads = soak.threads != 0 ? soak.threads : r->threads;

	app_initialize(j);
	app_open(j);
	app_login(j);
	if (r->prepare != NULL)
		r->prepare(j);
	if (r->once) {
		r->step(j);
	} else if (r->threads > 0) {
		j->own = (void *)number;
		app_threads(j, r->step, threads);
	} else {
		for (; !atomic_load(&soak.stop); j->step++) {
			r->step(j);
			atomic_fetch_add(&soak.shared->steps[number], 1);
		}
	}
	if (r->finish != NULL)
		r->finish(j);
	MUST(j, C_Finalize, NULL);
}

int
main(int argc, char **argv)
{
	struct job job = {0};

	signal(SIGTERM, on_term);
	if (!options(argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	if ((soak.shared = map_shared()) == NULL || !load()) {
		fprintf(stderr, "caas-soak: %s or %s cannot be used\n", soak.module,
		    soak.dir);
		return 1;
	}
	job.rng = own_seed();
	if (soak.role->step == count_step)
		count_step(&job);
	else
		work(&job);
	return 0;
}
