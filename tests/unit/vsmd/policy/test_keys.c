/* keys.def against vsmd.conf(5), both ways, and against the example that is installed. */
#include "parse.h"

#include <stdbool.h>
#include <stdlib.h>

#include "vsmd/policy/policy.h"

static const struct {
	const char *section, *name;
} keys[] = {
#define KEY(section, name, times, set) {#section, name},
#include "vsmd/policy/keys.def"
#undef KEY
};
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = calloc(1, 1 << 18);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 18) - 1, f) > 0);
	fclose(f);
	return text;
}

/* The page names a key by `.It Cm NAME' in the list under `.Ss Section SECTION'. */
static void
manual_has_every_key(void **state)
{
	char *text = slurp(MAN_DIR "/vsmd.conf.5"), *line, *rest = text;
	char section[32] = "", name[64];
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
			if (strcasecmp(keys[i].section, section) == 0 &&
			    strcmp(keys[i].name, name) == 0)
				break;
		if (i == NKEYS)
			fail_msg(
			    "the page has %s in [%s], the parser has not", name, section);
		if (seen[i])
			fail_msg("the page has %s in [%s] twice", name, section);
		seen[i] = true;
	}
	for (size_t i = 0; i < NKEYS; i++)
		if (!seen[i])
			fail_msg(
			    "the page lacks %s of %s", keys[i].name, keys[i].section);
	free(text);
}

/* As it is installed, and with every commented key put in force.  Users that this machine
 * may lack are the only thing that may be wrong. */
static void
example_is_right(void **state)
{
	char *text = slurp(CONF_EXAMPLE), *open = calloc(1, 1 << 18), *line, *rest = text;
	struct config *c;
	size_t n = 0;

	(void)state;
	assert_non_null(open);
	complaints[0] = '\0';
	c = config_load(CONF_EXAMPLE, complain, NULL);
	assert_string_equal(complaints, "");
	assert_non_null(c);
	config_free(c);
	/* `#key' is an example, `# text' is prose. */
	while ((line = strsep(&rest, "\n")) != NULL)
		n += (size_t)snprintf(open + n, (1 << 18) - n, "%s\n",
		    line[0] == '#' && line[1] != ' ' && line[1] != '\0' ? line + 1
									: line);
	c = parse(open);
	rest = complaints;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (line[0] != '\0' && strstr(line, "there is no user") == NULL &&
		    strstr(line, "is nobody") == NULL)
			fail_msg("the example: %s", line);
	config_free(c);
	free(open);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(manual_has_every_key),
	    cmocka_unit_test(example_is_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
