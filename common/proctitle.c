/* proctitle.c - see proctitle.h */
#include "common/proctitle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *area;
static size_t area_len;

void
proctitle_init(int argc, char **argv)
{
	char *end, **copy;
	size_t n = 0;

	if (argc < 1)
		return;
	end = argv[argc - 1] + strlen(argv[argc - 1]) + 1;
	/* The strings of argv and environ lie one behind the other. */
	while (environ[n] != NULL) {
		if (environ[n] == end)
			end += strlen(environ[n]) + 1;
		n++;
	}
	if ((copy = calloc(n + 1, sizeof(*copy))) == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		if ((copy[i] = strdup(environ[i])) == NULL)
			return;
	environ = copy;
	area = argv[0];
	area_len = (size_t)(end - argv[0]);
}

void
proctitle_set(const char *name, const char *detail)
{
	(void)prctl(PR_SET_NAME, name);
	if (area == NULL)
		return;
	memset(area, 0, area_len);
	snprintf(area, area_len, "%s%s%s", name, detail ? ": " : "", detail ? detail : "");
}
