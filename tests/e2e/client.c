/* client.c - reads commands, runs them, says how they ended; see client.h */
#include "client.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol/names.h"

static const struct {
	const char *name;
	command *run;
} commands[] = {
    {"init", do_init},
    {"finalize", do_finalize},
    {"slots", do_slots},
    {"slot", do_slot},
    {"token", do_token},
    {"slotinfo", do_slotinfo},
    {"tokeninfo", do_tokeninfo},
    {"open", do_open},
    {"close", do_close},
    {"login", do_login},
    {"logout", do_logout},
    {"setpin", do_setpin},
    {"initpin", do_initpin},
    {"inittoken", do_inittoken},
    {"mech", do_mech},
    {"state", do_state},
    {"genec", do_genec},
    {"genrsa", do_genrsa},
    {"genaes", do_genaes},
    {"import", do_import},
    {"find", do_find},
    {"count", do_count},
    {"sign", do_sign},
    {"create", do_create},
    {"get", do_get},
    {"set", do_set},
    {"destroy", do_destroy},
    {"value", do_value},
    {"wrap", do_wrap},
    {"decrypt", do_decrypt},
    {"digest", do_digest},
    {"hmac", do_hmac},
    {"aes", do_aes},
    {"hook", do_hook},
};

struct job {
	struct client *client;
	char line[2048];
	pthread_t thread;
	bool runs;
};

void
say(struct client *c, const char *format, ...)
{
	size_t n = strlen(c->says);
	va_list ap;

	va_start(ap, format);
	vsnprintf(c->says + n, sizeof(c->says) - n, format, ap);
	va_end(ap);
}

unsigned long
number(const char *word, unsigned long other)
{
	return word != NULL ? strtoul(word, NULL, 0) : other;
}

static long
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Words between blanks; "" is an empty one. */
static void
split(char *line, char *argv[MOST_WORDS])
{
	char *rest = line, *word;
	size_t n = 0;

	for (size_t i = 0; i < MOST_WORDS; i++)
		argv[i] = NULL;
	while (n < MOST_WORDS && (word = strsep(&rest, " \n")) != NULL)
		if (*word != '\0')
			argv[n++] = strcmp(word, "\"\"") == 0 ? word + 2 : word;
}

static void
run(struct client *c, char *line, const char *prefix)
{
	char *argv[MOST_WORDS];
	long begin = now_ms();
	CK_RV rv;

	split(line, argv);
	if (argv[0] == NULL)
		return;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, argv[0]) != 0)
			continue;
		c->says[0] = '\0';
		rv = commands[i].run(c, argv);
		printf(
		    "%s%s ms=%ld%s\n", prefix, ck_rv_name(rv), now_ms() - begin, c->says);
		fflush(stdout);
		return;
	}
	printf("no command %s\n", argv[0]);
	fflush(stdout);
}

static void *
background(void *arg)
{
	struct job *j = arg;

	run(j->client, j->line, "bg ");
	return NULL;
}

/* The thread has a session of its own; its slot and key are those of the moment. */
static void
begin_job(struct job *j, const struct client *c, const char *line)
{
	CK_SESSION_HANDLE session = j->client->session;

	if (j->runs)
		pthread_join(j->thread, NULL);
	*j->client = *c;
	j->client->session = session;
	snprintf(j->line, sizeof(j->line), "%s", line);
	if (session == CK_INVALID_HANDLE)
		(void)c->p11->C_OpenSession(c->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
		    NULL, NULL, &j->client->session);
	j->runs = pthread_create(&j->thread, NULL, background, j) == 0;
	printf("CKR_OK ms=0\n");
	fflush(stdout);
}

static void
join(struct job *j)
{
	if (j->runs)
		pthread_join(j->thread, NULL);
	j->runs = false;
}

int
main(int argc, char **argv)
{
	struct client c = {0}, other = {0};
	struct job job = {.client = &other};
	CK_C_GetFunctionList get;
	char line[2048];
	void *dl;

	if (argc != 2) {
		fprintf(stderr, "usage: caas-e2e-client MODULE <COMMANDS\n");
		return 2;
	}
	dl = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
	if (dl == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	*(void **)&get = dlsym(dl, "C_GetFunctionList");
	if (get == NULL || get(&c.p11) != CKR_OK) {
		fprintf(stderr, "%s: no PKCS#11 module\n", argv[1]);
		return 1;
	}
	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (strncmp(line, "bg ", 3) == 0)
			begin_job(&job, &c, line + 3);
		else if (strcmp(line, "join\n") == 0)
			join(&job);
		else
			run(&c, line, "");
	}
	join(&job);
	return 0;
}
