/* caas/output.c: what people see */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "caas/output.h"

static char seen[4096];

/* Standard output goes to a file from begin() to end(). */
static int saved = -1;
static FILE *file;

static void
begin(void)
{
	fflush(stdout);
	file = tmpfile();
	assert_non_null(file);
	saved = dup(STDOUT_FILENO);
	dup2(fileno(file), STDOUT_FILENO);
}

static void
end(void)
{
	size_t n;

	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(file);
	n = fread(seen, 1, sizeof(seen) - 1, file);
	seen[n] = '\0';
	fclose(file);
}

static void
table(void **state)
{
	static const struct column columns[] = {
	    {"SLOT", "slot"}, {"LABEL", "label"}, {"X", "x"}};
	json_t *j = json_loads(
	    "[{\"slot\":1,\"label\":\"w\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
	    "\",\"x\":true},"
	    "{\"slot\":12345,\"label\":\"a\\u001b[2J\"}]",
	    0, NULL);

	(void)state;
	assert_non_null(j);
	begin();
	output_table(j, columns, 3);
	end();
	assert_string_equal(seen,
	    " SLOT  LABEL   X\n"
	    "    1  w\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9  yes\n"
	    "12345  a?[2J   -\n");
	json_decref(j);
}

static void
object(void **state)
{
	json_t *j = json_loads("{\"a\":1,\"b\":{\"c\":\"x y\"},\"d\":[1,2]}", 0, NULL);

	(void)state;
	begin();
	output_object(j);
	end();
	assert_string_equal(seen, "a:                       1\n"
				  "b.c:                     x y\n"
				  "d:                       1, 2\n");
	json_decref(j);
}

static void
rows_in_an_object(void **state)
{
	json_t *j = json_loads("{\"a\":{\"rows\":[{\"pid\":7,\"ready\":true},"
			       "{\"pid\":1234,\"ready\":false}],\"none\":[]}}",
	    0, NULL);

	(void)state;
	begin();
	output_object(j);
	end();
	assert_string_equal(seen, "a.rows:\n"
				  "   pid  ready\n"
				  "     7  yes\n"
				  "  1234  no\n"
				  "a.none:                  -\n");
	json_decref(j);
}

/* A vsmd that is hostile chooses these too. */
static void
names_are_clean(void **state)
{
	json_t *j = json_loads("{\"a\\u001b[2J\":{\"b\\u009b\":1},"
			       "\"rows\":[{\"c\\u007f\":2}]}",
	    0, NULL);

	(void)state;
	assert_non_null(j);
	begin();
	output_object(j);
	end();
	assert_string_equal(seen, "a?[2J.b?:                1\n"
				  "rows:\n"
				  "  c?\n"
				  "   2\n");
	json_decref(j);
}

static void
what_terminals_obey(void **state)
{
	char clean[32];

	(void)state;
	output_clean(clean, sizeof(clean), "a\x1b[2J\xc2\x9b" "b\xe2\x80\xae" "c\xc3\xa9");
	assert_string_equal(clean, "a?[2J?b?c\xc3\xa9");
	output_clean(clean, 3, "abc");
	assert_string_equal(clean, "ab");
}

static void
pairs(void **state)
{
	json_t *spaced = json_string("x \"y\\"), *plain = json_string("x");

	(void)state;
	begin();
	output_pair("k", spaced);
	output_pair("k", plain);
	end();
	assert_string_equal(seen, "k=\"x \\\"y\\\\\"k=x");
	json_decref(spaced);
	json_decref(plain);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(table),
	    cmocka_unit_test(object),
	    cmocka_unit_test(rows_in_an_object),
	    cmocka_unit_test(names_are_clean),
	    cmocka_unit_test(what_terminals_obey),
	    cmocka_unit_test(pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
