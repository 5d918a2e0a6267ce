/* canary.c - see canary.h: what is no PKCS#11 */
#include "canary.h"

#include <err.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "caas/client.h"
#include "planted.h"

static const char usage[] = "usage: caas-e2e-canary make|tell|hold|restore FILE ... | MODULE";

/* What is given or held here stays in clear: it is a process of its own. */
static struct secret
in_clear(const char *name)
{
	const struct planted *p = planted_find(name);
	struct secret s = {.text = calloc(1, p->len + 1), .len = p->len};

	if (s.text == NULL)
		err(2, NULL);
	planted_bare(p, (uint8_t *)s.text);
	return s;
}

static void
wait_for_end(void)
{
	char c;

	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

static void
hold(const char *name)
{
	struct secret s = in_clear(name);

	/* A part of it, which is what a careless wipe leaves. */
	if (s.len > 16)
		memset(s.text + 12, 0, s.len - 12);
}

static json_int_t
ask(struct client *c, const struct client_request *r)
{
	json_t *j = client_ask(c, r, NULL);
	json_int_t handle;

	if (j == NULL)
		exit(1);
	handle = json_integer_value(json_object_get(j, "handle"));
	json_decref(j);
	return handle;
}

static void
restore(const char *backup)
{
	static char blob[1 << 20];
	struct client *c = client_open(getenv("CAAS_VSM_ADDRESS"), CLIENT_SILENCE);
	struct secret passphrase = in_clear("passphrase"), so = in_clear("pin.so");
	FILE *f = fopen(backup, "re");
	json_int_t handle;
	size_t n;

	if (c == NULL || f == NULL)
		err(2, "%s", backup);
	n = fread(blob, 1, sizeof(blob), f);
	fclose(f);
	handle = ask(c, &(struct client_request){.call = "restore-begin",
	    .args = json_pack("{s:I}", "size", (json_int_t)n)});
	(void)ask(c, &(struct client_request){.call = "restore-write",
	    .args = json_pack("{s:I, s:I}", "handle", handle, "offset", (json_int_t)0),
	    .blob = blob, .blob_len = n});
	(void)ask(c, &(struct client_request){.call = "restore-finish",
	    .args = json_pack("{s:I}", "handle", handle), .passphrase = &passphrase,
	    .so_pin = &so});
	printf("restored\n");
	wait_for_end();
	client_close(c);
}

int
main(int argc, char *argv[])
{
	if (argc == 2)
		return canary_app(argv[1]);
	if (argc < 3)
		errx(2, "%s", usage);
	if (strcmp(argv[1], "make") == 0) {
		canary_make(argv[2]);
		return 0;
	}
	(void)planted_read(argv[2], NULL);
	if (strcmp(argv[1], "restore") == 0 && argc == 4) {
		restore(argv[3]);
	} else if (strcmp(argv[1], "tell") == 0) {
		for (int i = 3; i < argc; i++)
			printf("%s\n", in_clear(argv[i]).text);
	} else if (strcmp(argv[1], "hold") == 0) {
		for (int i = 3; i < argc; i++)
			hold(argv[i]);
		printf("held\n");
		wait_for_end();
	} else {
		errx(2, "%s", usage);
	}
	return 0;
}
