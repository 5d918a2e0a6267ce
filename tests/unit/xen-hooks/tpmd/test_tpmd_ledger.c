/* ledger.c: which file is the state, older ones, others', TPMs and disks that fail. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../vsmd/store/dirs.h"
#include "fake_root.h"

#define BASE "/tmp"

struct place {
	char *path;
	int dir;
	struct fake_root root;
	struct ledger l;
};

static void
begin(struct place *p)
{
	memset(p, 0, sizeof(*p));
	p->path = dirs_make(BASE);
	assert_true((p->dir = open(p->path, O_RDONLY | O_DIRECTORY)) >= 0);
	fake_root_ledger(&p->root, &p->l, p->dir);
	assert_int_equal(ledger_make(&p->l), 0);
}

static void
end(struct place *p)
{
	ledger_close(&p->l);
	close(p->dir);
	dirs_remove(p->path);
}

static int
again(struct place *p)
{
	ledger_close(&p->l);
	fake_root_ledger(&p->root, &p->l, p->dir);
	return ledger_open(&p->l);
}

static struct row *
row(struct rows *r)
{
	static const uint8_t id[ROW_ID] = {5};
	const char *why;
	struct row *found = rows_find(r, "web", ROW_ANCHOR, id);

	return found != NULL ? found : rows_add(r, "web", ROW_ANCHOR, id, &why);
}

/* The state is that number. */
static void
change(struct place *p, uint64_t n)
{
	struct rows *r = ledger_change(&p->l);

	assert_non_null(r);
	row(r)->value.count = n;
}

static int
commit(struct place *p, uint64_t n)
{
	change(p, n);
	return ledger_commit(&p->l);
}

static uint64_t
now(const struct place *p)
{
	const struct rows *r = ledger_rows(&p->l);

	return r->n == 0 ? 0 : r->row[0].value.count;
}

static void
goes_on(void **state)
{
	struct place p;

	(void)state;
	begin(&p);
	assert_int_equal(now(&p), 0);
	assert_int_equal(again(&p), 0);
	assert_int_equal(now(&p), 0);
	for (uint64_t n = 1; n <= 5; n++) {
		assert_int_equal(commit(&p, n), 0);
		assert_int_equal(now(&p), n);
		if (n % 2 == 0)
			assert_int_equal(again(&p), 0);
		assert_int_equal(now(&p), n);
		assert_int_equal(p.l.sequence, n);
	}
	assert_int_equal(ledger_check(&p.l), 0);
	assert_int_equal(p.root.extends, 5);
	end(&p);
}

static void
costs_one_extension(void **state)
{
	struct place p;

	(void)state;
	begin(&p);
	for (uint64_t n = 1; n <= 100; n++)
		change(&p, n);
	assert_int_equal(ledger_commit(&p.l), 0);
	assert_int_equal(ledger_commit(&p.l), 0); /* nothing was changed */
	assert_int_equal(p.root.extends, 1);
	assert_int_equal(now(&p), 100);
	end(&p);
}

static void
discards(void **state)
{
	struct place p;

	(void)state;
	begin(&p);
	assert_int_equal(commit(&p, 1), 0);
	change(&p, 2);
	assert_int_equal(now(&p), 2);
	ledger_discard(&p.l);
	assert_int_equal(now(&p), 1);
	assert_int_equal(ledger_commit(&p.l), 0);
	assert_int_equal(p.root.extends, 1);
	end(&p);
}

/* Every pair of files of before is refused, whatever is put together. */
static void
rolled_back(void **state)
{
	struct place p;
	char *kept[6];

	(void)state;
	begin(&p);
	for (uint64_t n = 1; n <= 6; n++) {
		kept[n - 1] = dirs_make(BASE);
		assert_int_equal(commit(&p, n), 0);
		dirs_copy(p.path, kept[n - 1]);
	}
	for (int n = 0; n < 5; n++) {
		dirs_empty(p.path);
		dirs_copy(kept[n], p.path);
		/* The files of turn 5 are 5's and 6's. */
		if (n == 4) {
			dirs_unlink(p.path, "state.0");
			dirs_unlink(p.path, "state.1");
		}
		assert_int_equal(again(&p), -1);
		assert_non_null(strstr(p.l.why, "older copy"));
	}
	dirs_empty(p.path);
	assert_int_equal(again(&p), -1);
	dirs_copy(kept[5], p.path);
	assert_int_equal(again(&p), 0);
	assert_int_equal(now(&p), 6);
	for (int i = 0; i < 6; i++)
		dirs_remove(kept[i]);
	end(&p);
}

/* A file that was written and never anchored does not become the state later. */
static void
never_anchored(void **state)
{
	struct place p;
	uint8_t *file;
	size_t len;

	(void)state;
	begin(&p);
	assert_int_equal(commit(&p, 1), 0); /* state.0 */
	p.root.fail_before = 1;
	assert_int_equal(commit(&p, 13), -1);
	assert_true(p.l.doubt);
	file = dirs_load(p.path, "state.1", &len);
	assert_int_equal(ledger_settle(&p.l), 0);
	assert_int_equal(now(&p), 1);
	assert_int_equal(commit(&p, 2), 0);
	assert_int_equal(commit(&p, 3), 0);
	dirs_save(p.path, "state.1", file, len);
	assert_int_equal(again(&p), 0);
	assert_int_equal(now(&p), 3);
	dirs_save(p.path, "state.0", file, len);
	assert_int_equal(again(&p), -1);
	free(file);
	end(&p);
}

static void
altered(void **state)
{
	struct place p;
	uint8_t *file;
	size_t len;

	(void)state;
	begin(&p);
	assert_int_equal(commit(&p, 1), 0);
	file = dirs_load(p.path, "state.0", &len);
	for (size_t i = 0; i < len; i++) {
		file[i] ^= 1;
		dirs_save(p.path, "state.0", file, len);
		assert_int_equal(again(&p), -1);
		file[i] ^= 1;
		dirs_save(p.path, "state.0", file, i);
		assert_int_equal(again(&p), -1);
	}
	dirs_save(p.path, "state.0", file, len);
	assert_int_equal(again(&p), 0);
	/* The state of another DomT, which this TPM would have said is the last. */
	p.l.key = (const uint8_t *)"the key of some other DomT's st";
	assert_int_equal(ledger_open(&p.l), -1);
	free(file);
	end(&p);
}

static void
tpm_fails(void **state)
{
	struct place p;

	(void)state;
	begin(&p);
	assert_int_equal(commit(&p, 1), 0);
	/* It was done although it was told to have failed. */
	p.root.fail_after = 1;
	assert_int_equal(commit(&p, 2), 0);
	assert_int_equal(now(&p), 2);
	/* Nobody knows, until it answers. */
	p.root.fail_after = 1;
	p.l.patience = 0;
	change(&p, 3);
	p.root.done = NULL;
	p.root.silent = 0;
	p.root.fail_before = 0;
	{
		p.root.fail_after = 0;
		p.root.silent = 3;
		assert_int_equal(ledger_commit(&p.l), -1);
	}
	assert_true(p.l.doubt);
	p.root.silent = 1;
	assert_int_equal(ledger_settle(&p.l), -1);
	assert_int_equal(commit(&p, 4), -1); /* nothing else before that */
	assert_int_equal(ledger_settle(&p.l), 0);
	assert_int_equal(now(&p), 2);
	/* With patience it is tried again. */
	p.l.patience = 5000;
	p.root.fail_before = 2;
	assert_int_equal(commit(&p, 5), 0);
	p.root.silent = 2;
	assert_int_equal(commit(&p, 6), 0);
	assert_int_equal(p.root.extends, 4);
	assert_int_equal(again(&p), 0);
	assert_int_equal(now(&p), 6);
	p.root.silent = 1;
	assert_int_equal(again(&p), -1);
	end(&p);
}

/* Done, told to have failed, and then silence: it is found to be done later. */
static struct fake_root *gone_silent;

static void
go_silent(const struct fake_root *f)
{
	(void)f;
	gone_silent->silent = 1;
}

static void
in_doubt_and_done(void **state)
{
	struct place p;

	(void)state;
	begin(&p);
	assert_int_equal(commit(&p, 1), 0);
	gone_silent = &p.root;
	p.root.done = go_silent;
	p.root.fail_after = 1;
	assert_int_equal(commit(&p, 2), -1);
	assert_true(p.l.doubt);
	p.root.done = NULL;
	assert_int_equal(ledger_settle(&p.l), 0);
	assert_int_equal(now(&p), 2);
	assert_int_equal(again(&p), 0);
	assert_int_equal(now(&p), 2);
	end(&p);
}

/* Two with one TPM and copies of one disk: the second one is told, and stops. */
static void
two_of_them(void **state)
{
	struct place p, q;

	(void)state;
	begin(&p);
	assert_int_equal(commit(&p, 1), 0);
	memset(&q, 0, sizeof(q));
	q.path = dirs_make(BASE);
	assert_true((q.dir = open(q.path, O_RDONLY | O_DIRECTORY)) >= 0);
	dirs_copy(p.path, q.path);
	fake_root_ledger(&p.root, &q.l, q.dir);
	assert_int_equal(ledger_open(&q.l), 0);
	assert_int_equal(ledger_check(&q.l), 0);
	assert_int_equal(commit(&p, 2), 0);
	assert_int_equal(ledger_check(&q.l), -1);
	assert_true(q.l.strayed);
	assert_int_equal(ledger_open(&q.l), -1);
	assert_int_equal(ledger_check(&p.l), 0);
	end(&q);
	end(&p);
}

static void
disk_fails(void **state)
{
	struct place p;

	(void)state;
	begin(&p);
	assert_int_equal(commit(&p, 1), 0);
	/* In the place of the file to come there is what cannot be removed. */
	assert_int_equal(mkdirat(p.dir, "state.1", 0700), 0);
	assert_int_equal(commit(&p, 2), -1);
	assert_non_null(strstr(p.l.why, "state.1"));
	assert_false(p.l.doubt);
	assert_int_equal(now(&p), 1);
	assert_int_equal(unlinkat(p.dir, "state.1", AT_REMOVEDIR), 0);
	assert_int_equal(commit(&p, 3), 0);
	assert_int_equal(p.root.extends, 2);
	assert_int_equal(again(&p), 0);
	assert_int_equal(now(&p), 3);
	end(&p);
}

/* Whoever removed the anchor is not helped by a new one. */
static void
unanchored(void **state)
{
	struct place p;

	(void)state;
	begin(&p);
	assert_int_equal(commit(&p, 1), 0);
	p.root.defined = false;
	assert_int_equal(again(&p), -1);
	assert_int_equal(ledger_make(&p.l), 0);
	assert_int_equal(again(&p), 0);
	assert_int_equal(now(&p), 0); /* a new one, and nothing of the old */
	end(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(goes_on),
	    cmocka_unit_test(costs_one_extension),
	    cmocka_unit_test(discards),
	    cmocka_unit_test(rolled_back),
	    cmocka_unit_test(never_anchored),
	    cmocka_unit_test(altered),
	    cmocka_unit_test(tpm_fails),
	    cmocka_unit_test(in_doubt_and_done),
	    cmocka_unit_test(two_of_them),
	    cmocka_unit_test(disk_fails),
	    cmocka_unit_test(unanchored),
	};

	return cmocka_run_group_tests_name("tpmd ledger", tests, NULL, NULL);
}
