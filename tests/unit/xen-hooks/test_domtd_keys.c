/* keys.def against caas-pair(5), both ways, and against the example that is installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "xen-hooks/domtd/parse.h"

#define TEXT_MAX 65536

/* The section of the page in which a key is explained. */
#define PAGE_PAIR "pair"
#define PAGE_BOTH "domc"
#define PAGE_DOMU "domu"

static const struct {
	const char *section, *name;
} keys[] = {
#define KEY(section, name, times, set) {PAGE_##section, name},
#include "xen-hooks/domtd/keys.def"
#undef KEY
};
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, TEXT_MAX);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, TEXT_MAX - 1, f) > 0);
	fclose(f);
	return text;
}

/* The page names a key by `.It Cm NAME' in the list under `.Ss Section SECTION'. */
static void
manual_has_every_key(void **state)
{
	char *text = slurp(PAGE), *line, *rest = text, section[32] = "", name[64];
	bool seen[NKEYS] = {false};

	(void)state;
	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t i;

		if (sscanf(line, ".Ss Section %31[a-z]", section) == 1)
			continue;
		if (strncmp(line, ".Sh", 3) == 0)
			section[0] = '\0';
		if (section[0] == '\0' || sscanf(line, ".It Cm %63s", name) != 1)
			continue;
		for (i = 0; i < NKEYS; i++)
			if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
				break;
		if (i == NKEYS)
			fail_msg("the page has %s in [%s], the parser has not", name, section);
		if (seen[i])
			fail_msg("the page has %s in [%s] twice", name, section);
		seen[i] = true;
	}
	for (size_t i = 0; i < NKEYS; i++)
		if (!seen[i])
			fail_msg("the page lacks %s of [%s]", keys[i].name, keys[i].section);
	free(text);
}

static void
report(void *arg, const char *line)
{
	(void)arg;
	fail_msg("%s", line);
}

/* As it is installed, and with every commented key put in force. */
static void
example_is_right(void **state)
{
	char *text = slurp(EXAMPLE), *open = calloc(1, TEXT_MAX), *line, *rest;
	struct description *d =
	    description_parse("example", "web", text, strlen(text), report, NULL);
	size_t n = 0;

	(void)state;
	assert_non_null(open);
	description_free(d);
	rest = text;
	/* `#key' is an example, `# text' is prose, and a command begins with a tab. */
	while ((line = strsep(&rest, "\n")) != NULL)
		n += (size_t)snprintf(open + n, TEXT_MAX - n, "%s\n",
		    line[0] == '#' && line[1] >= 'a' && line[1] <= 'z' ? line + 1 : line);
	description_free(description_parse("example", "web", open, n, report, NULL));
	free(open);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(manual_has_every_key), cmocka_unit_test(example_is_right)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
