/* root.c, on a TPM of the test's own: made once, found again, and nothing in its place. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tpm/rig.h"
#include "../../vsmd/store/dirs.h"
#include "tpm/authority.h"
#include "vsmd/store/file.h"
#include "xen-hooks/tpmd/root.h"

struct place {
	struct rig *rig;
	char *path;
	struct root r;
	struct ledger l;
};

static int
start_tpm(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig_start(rig);
	*state = rig;
	return 0;
}

static int
stop_tpm(void **state)
{
	rig_free(*state);
	free(*state);
	return 0;
}

static void
begin(struct place *p, void **state)
{
	memset(p, 0, sizeof(*p));
	p->rig = *state;
	p->path = dirs_make("/tmp");
}

/* root_close() has to follow. */
static int
opens(struct place *p, bool bound)
{
	memset(&p->r, 0, sizeof(p->r));
	memset(&p->l, 0, sizeof(p->l));
	p->r.address = p->rig->address;
	p->r.policy = (struct tpm_policy){.locality = -1, .npcrs = bound, .pcrs = {16}};
	assert_true((p->r.dir = open(p->path, O_RDONLY | O_DIRECTORY)) >= 0);
	return root_open(&p->r, &p->l);
}

static void
closes(struct place *p)
{
	root_close(&p->r, &p->l);
	close(p->r.dir);
}

static void
end(struct place *p)
{
	dirs_remove(p->path);
}

static void
commit(struct place *p)
{
	static const uint8_t id[ROW_ID] = {1};
	struct rows *r = ledger_change(&p->l);
	const char *why;

	assert_non_null(r);
	assert_non_null(rows_add(r, "web", ROW_ANCHOR, id, &why));
	assert_int_equal(ledger_commit(&p->l), 0);
}

static void
made_once(void **state)
{
	uint8_t identity[DOMT_IDENTITY], wrap[32], a[32], b[32];
	char why[LEDGER_WHY];
	struct place p;

	begin(&p, state);
	assert_int_equal(opens(&p, false), 0);
	memcpy(identity, p.r.identity, sizeof(identity));
	memcpy(wrap, p.r.keys->wrap, sizeof(wrap));
	assert_memory_not_equal(p.r.keys->wrap, p.r.keys->state, 32);
	assert_memory_not_equal(p.r.keys->wrap, p.r.keys->identity, 32);
	commit(&p);
	closes(&p);
	assert_false(dirs_has(p.path, "root.sealed.next"));
	assert_int_equal(opens(&p, false), 0);
	assert_memory_equal(identity, p.r.identity, sizeof(identity));
	assert_memory_equal(wrap, p.r.keys->wrap, sizeof(wrap));
	assert_int_equal(p.l.now.n, 1);
	assert_int_equal(root_random(&p.r, a, why), TPM_OK);
	assert_int_equal(root_random(&p.r, b, why), TPM_OK);
	assert_memory_not_equal(a, b, 32);
	root_rest(&p.r);
	assert_int_equal(ledger_check(&p.l), 0);
	closes(&p);
	end(&p);
}

/* What an interrupted start leaves is made anew; two of them on one TPM are two. */
static void
interrupted(void **state)
{
	uint8_t first[DOMT_IDENTITY];
	struct place p;

	begin(&p, state);
	assert_int_equal(opens(&p, false), 0);
	memcpy(first, p.r.identity, sizeof(first));
	assert_int_equal(renameat(p.r.dir, "root.sealed", p.r.dir, "root.sealed.next"), 0);
	closes(&p);
	assert_int_equal(opens(&p, false), 0);
	assert_memory_not_equal(first, p.r.identity, sizeof(first));
	commit(&p);
	closes(&p);
	end(&p);
}

static void
refuses(void **state)
{
	struct tpm_anchor a;
	struct place p;
	uint8_t *sealed;
	size_t len;

	begin(&p, state);
	assert_int_equal(opens(&p, false), 0);
	commit(&p);
	a = p.r.keys->anchor;
	closes(&p);
	/* The secret is gone, and a state is there. */
	sealed = dirs_load(p.path, "root.sealed", &len);
	dirs_unlink(p.path, "root.sealed");
	assert_int_equal(opens(&p, false), -1);
	assert_non_null(strstr(p.r.why, "nothing is made anew"));
	assert_false(dirs_has(p.path, "root.sealed"));
	closes(&p);
	/* Altered, and empty. */
	sealed[len / 2] ^= 1;
	dirs_save(p.path, "root.sealed", sealed, len);
	assert_int_equal(opens(&p, false), -1);
	closes(&p);
	dirs_save(p.path, "root.sealed", sealed, 0);
	assert_int_equal(opens(&p, false), -1);
	closes(&p);
	sealed[len / 2] ^= 1;
	dirs_save(p.path, "root.sealed", sealed, len);
	assert_int_equal(opens(&p, false), 0);
	/* Whoever owns the TPM has put another anchor there. */
	memset(a.secret, 9, sizeof(a.secret));
	assert_int_equal(tpm_anchor_define(p.r.tpm, &a, a.secret), TPM_OK);
	closes(&p);
	assert_int_equal(opens(&p, false), -1);
	closes(&p);
	free(sealed);
	end(&p);
}

static void
another_tpm(void **state)
{
	struct rig other = {.pid = 0}, *mine;
	struct place p;

	begin(&p, state);
	mine = p.rig;
	assert_int_equal(opens(&p, false), 0);
	closes(&p);
	rig_start(&other);
	p.rig = &other;
	assert_int_equal(opens(&p, false), -1);
	closes(&p);
	rig_free(&other);
	p.rig = mine;
	assert_int_equal(opens(&p, false), 0);
	closes(&p);
	end(&p);
}

/* In another state it opens with an approval, and is sealed again to that. */
static void
approved(void **state)
{
	char private[128], public[128], dir[64], file[128];
	struct tpm_policy p13 = {.locality = -1, .npcrs = 1, .pcrs = {16}, .ref = "domt-root"};
	uint8_t digest[32];
	struct place p;
	struct tpm *t;
	size_t len;

	begin(&p, state);
	rig_mkdir(dir);
	rig_authority(dir, "a", private, public);
	memset(&p.r, 0, sizeof(p.r));
	memset(&p.l, 0, sizeof(p.l));
	p.r.address = p.rig->address;
	p.r.policy = (struct tpm_policy){
	    .locality = -1, .npcrs = 1, .pcrs = {16}, .authority = public};
	assert_true((p.r.dir = open(p.path, O_RDONLY | O_DIRECTORY)) >= 0);
	assert_int_equal(root_open(&p.r, &p.l), 0);
	commit(&p);
	closes(&p);
	assert_int_equal(tpm_open(p.rig->address, &t), TPM_OK);
	assert_int_equal(tpm_extend(t, 16, "update", 6), TPM_OK);
	assert_int_equal(tpm_pcr_digest(t, &p13, digest, &len), TPM_OK);
	tpm_close(t);
	assert_int_equal(opens(&p, true), -1);
	closes(&p);
	snprintf(file, sizeof(file), "%s/approval", dir);
	assert_int_equal(tpm_approve(private, &p13, digest, file), 0);
	for (int i = 0; i < 2; i++) {
		memset(&p.r, 0, sizeof(p.r));
		memset(&p.l, 0, sizeof(p.l));
		p.r.address = p.rig->address;
		p.r.policy = (struct tpm_policy){
		    .locality = -1, .npcrs = 1, .pcrs = {16}, .authority = public};
		/* The second time it is not needed any more. */
		p.r.approvals = i == 0 ? dir : NULL;
		assert_true((p.r.dir = open(p.path, O_RDONLY | O_DIRECTORY)) >= 0);
		assert_int_equal(root_open(&p.r, &p.l), 0);
		assert_int_equal(p.l.now.n, 1);
		closes(&p);
	}
	rig_rmdir(dir);
	end(&p);
}

/* The TPM goes and comes back: the same process goes on. */
static void
comes_back(void **state)
{
	struct place p;

	begin(&p, state);
	assert_int_equal(opens(&p, false), 0);
	rig_kill(p.rig, SIGKILL);
	assert_int_equal(ledger_check(&p.l), -1);
	assert_false(p.l.strayed);
	assert_false(root_lost(&p.r));
	rig_restart(p.rig);
	for (int i = 0; i < 50 && ledger_check(&p.l) < 0; i++)
		usleep(100000);
	commit(&p);
	closes(&p);
	end(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(made_once),
	    cmocka_unit_test(interrupted),
	    cmocka_unit_test(refuses),
	    cmocka_unit_test(another_tpm),
	    cmocka_unit_test(approved),
	    cmocka_unit_test(comes_back),
	};

	return cmocka_run_group_tests_name("tpmd root", tests, start_tpm, stop_tpm);
}
