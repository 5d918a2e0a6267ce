/* serve.c: what a question does to the rows, and what it answers. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../vsmd/store/dirs.h"
#include "fake_root.h"
#include "xen-hooks/tpmd/serve.h"

struct place {
	char *path;
	int dir;
	struct fake_root root;
	struct ledger l;
	struct service s;
	unsigned drawn;
	struct domt_answer a;
	struct buf bytes;
};

static const uint8_t wrap[32] = "wrap", identity[DOMT_IDENTITY] = "identity";
static const uint8_t secret[32] = "secret", other[32] = "another", digest[32] = "digest";

static enum tpm_result
draw(void *arg, uint8_t ret[32], char why[LEDGER_WHY])
{
	struct place *p = arg;

	snprintf(why, LEDGER_WHY, "the fake TPM has no randomness");
	memset(ret, (int)++p->drawn, 32);
	return p->root.silent > 0 ? TPM_ABSENT : TPM_OK;
}

static void
begin(struct place *p)
{
	memset(p, 0, sizeof(*p));
	p->path = dirs_make("/tmp");
	assert_true((p->dir = open(p->path, O_RDONLY | O_DIRECTORY)) >= 0);
	fake_root_ledger(&p->root, &p->l, p->dir);
	assert_int_equal(ledger_make(&p->l), 0);
	p->s = (struct service){.ledger = &p->l, .wrap = wrap, .identity = identity, .random = draw, .random_arg = p};
	buf_init(&p->bytes, DOMT_MESSAGE_MAX);
}

static void
end(struct place *p)
{
	buf_free(&p->bytes);
	ledger_close(&p->l);
	close(p->dir);
	dirs_remove(p->path);
}

static struct control_pair
who(const char *pair, int image)
{
	struct control_pair p = {.domid = 7};

	snprintf(p.pair, sizeof(p.pair), "%s", pair);
	memset(p.digest, image, sizeof(p.digest));
	return p;
}

/* One question in a round of its own. */
static enum tpm_result
ask(struct place *p, struct control_pair w, struct domt_question q)
{
	buf_reset(&p->bytes);
	assert_int_equal(serve_begin(&p->s), 0);
	serve_one(&p->s, &w, &q, &p->a, &p->bytes);
	assert_int_equal(p->a.what, q.what);
	assert_true(p->a.result == TPM_OK || p->a.why[0] != '\0');
	if (serve_end(&p->s) < 0)
		return TPM_BUSY;
	return p->a.result;
}

static struct domt_question
anchor(enum domt_what what, const uint8_t *of)
{
	return (struct domt_question){
	    .what = what, .place = 5, .secret = {of, 32}, .digest = {digest, 32}};
}

static void
anchors(void **state)
{
	struct control_pair web = who("web", 1), ca = who("ca", 1);
	uint8_t want[TPM_ANCHOR_LEN] = {0};
	struct place p;

	(void)state;
	begin(&p);
	assert_int_equal(ask(&p, web, anchor(DOMT_READ, secret)), TPM_UNANCHORED);
	assert_int_equal(ask(&p, web, anchor(DOMT_EXTEND, secret)), TPM_UNANCHORED);
	assert_int_equal(ask(&p, web, anchor(DOMT_DEFINE, secret)), TPM_OK);
	tpm_anchor_after(want, digest);
	assert_int_equal(ask(&p, web, anchor(DOMT_READ, secret)), TPM_OK);
	assert_memory_equal(p.a.value.value, want, TPM_ANCHOR_LEN);
	assert_int_equal(p.a.value.count, 0);
	assert_int_equal(ask(&p, web, anchor(DOMT_EXTEND, secret)), TPM_OK);
	assert_int_equal(ask(&p, web, anchor(DOMT_COUNT, secret)), TPM_OK);
	tpm_anchor_after(want, digest);
	/* Only with its secret, and only its pair. */
	for (enum domt_what what = DOMT_READ; what <= DOMT_COUNT; what++) {
		assert_int_equal(ask(&p, web, anchor(what, other)), TPM_UNANCHORED);
		assert_int_equal(ask(&p, ca, anchor(what, secret)), TPM_UNANCHORED);
	}
	assert_int_equal(ask(&p, ca, anchor(DOMT_DEFINE, secret)), TPM_OK);
	assert_int_equal(ask(&p, web, anchor(DOMT_READ, secret)), TPM_OK);
	assert_memory_equal(p.a.value.value, want, TPM_ANCHOR_LEN);
	assert_int_equal(p.a.value.count, 1);
	/* Made anew: the count goes on, and the old secret is none. */
	assert_int_equal(ask(&p, web, anchor(DOMT_DEFINE, other)), TPM_OK);
	assert_int_equal(ask(&p, web, anchor(DOMT_READ, secret)), TPM_UNANCHORED);
	assert_int_equal(ask(&p, web, anchor(DOMT_READ, other)), TPM_OK);
	assert_int_equal(p.a.value.count, 1);
	end(&p);
}

static enum tpm_result
seal(struct place *p, struct control_pair w, struct buf *blob)
{
	struct domt_question q = {.what = DOMT_SEAL, .ref = "vsmd-use:1", .secret = {secret, 32}};
	enum tpm_result r = ask(p, w, q);

	buf_reset(blob);
	if (r == TPM_OK)
		buf_put_raw(blob, p->a.bytes.data, p->a.bytes.len);
	return r;
}

static enum tpm_result
unseal(struct place *p, struct control_pair w, const struct buf *blob)
{
	struct domt_question q = {.what = DOMT_UNSEAL, .blob = {blob->data, blob->len}};
	enum tpm_result r = ask(p, w, q);

	if (r == TPM_OK) {
		assert_int_equal(p->a.bytes.len, 32);
		assert_memory_equal(p->a.bytes.data, secret, 32);
	}
	return r;
}

/* The one unsealed last, and the one sealed last; no older one. */
static void
blobs(void **state)
{
	struct control_pair web = who("web", 1);
	struct buf b[4];
	struct place p;
	unsigned before;

	(void)state;
	begin(&p);
	for (int i = 0; i < 4; i++)
		buf_init(&b[i], TPM_BLOB_MAX);
	assert_int_equal(seal(&p, web, &b[0]), TPM_OK);
	before = p.root.extends;
	assert_int_equal(unseal(&p, web, &b[0]), TPM_OK);
	assert_int_equal(p.root.extends, before); /* it changes nothing */
	assert_int_equal(seal(&p, web, &b[1]), TPM_OK);
	assert_int_equal(seal(&p, web, &b[2]), TPM_OK); /* [1] was never written */
	assert_int_equal(unseal(&p, web, &b[1]), TPM_BAD_BLOB);
	assert_int_equal(unseal(&p, web, &b[0]), TPM_OK); /* nor [2] */
	assert_int_equal(unseal(&p, web, &b[2]), TPM_BAD_BLOB);
	assert_int_equal(seal(&p, web, &b[3]), TPM_OK);
	assert_int_equal(unseal(&p, web, &b[3]), TPM_OK);
	assert_int_equal(unseal(&p, web, &b[0]), TPM_BAD_BLOB);
	assert_int_equal(unseal(&p, web, &b[3]), TPM_OK);
	assert_int_equal(unseal(&p, who("ca", 1), &b[3]), TPM_FOREIGN);
	/* Also after a start from the disk. */
	ledger_close(&p.l);
	fake_root_ledger(&p.root, &p.l, p.dir);
	assert_int_equal(ledger_open(&p.l), 0);
	assert_int_equal(unseal(&p, web, &b[0]), TPM_BAD_BLOB);
	assert_int_equal(unseal(&p, web, &b[3]), TPM_OK);
	for (int i = 0; i < 4; i++)
		buf_free(&b[i]);
	end(&p);
}

/* An image that may not open the key puts none in its place. */
static void
another_image(void **state)
{
	struct control_pair web = who("web", 1), evil = who("web", 2);
	struct buf b, e;
	struct place p;

	(void)state;
	begin(&p);
	buf_init(&b, TPM_BLOB_MAX);
	buf_init(&e, TPM_BLOB_MAX);
	assert_int_equal(seal(&p, web, &b), TPM_OK);
	assert_int_equal(unseal(&p, evil, &b), TPM_WRONG_STATE);
	assert_int_equal(seal(&p, evil, &e), TPM_WRONG_STATE);
	assert_int_equal(unseal(&p, web, &b), TPM_OK);
	/* Another pair may have the same ref. */
	assert_int_equal(seal(&p, who("ca", 2), &e), TPM_OK);
	assert_int_equal(unseal(&p, web, &b), TPM_OK);
	buf_free(&b);
	buf_free(&e);
	end(&p);
}

static void
small_ones(void **state)
{
	struct domt_question q = {.what = DOMT_RANDOM, .length = 1024};
	uint8_t first[1024];
	struct place p;

	(void)state;
	begin(&p);
	assert_int_equal(ask(&p, who("web", 3), q), TPM_OK);
	assert_int_equal(p.a.bytes.len, 1024);
	memcpy(first, p.a.bytes.data, 1024);
	assert_int_equal(ask(&p, who("web", 3), q), TPM_OK);
	assert_memory_not_equal(first, p.a.bytes.data, 1024);
	p.root.silent = 1;
	assert_int_equal(ask(&p, who("web", 3), q), TPM_ABSENT);
	p.root.silent = 0;
	q.what = DOMT_DIGEST_OF_IMAGE;
	assert_int_equal(ask(&p, who("web", 3), q), TPM_OK);
	assert_memory_equal(p.a.bytes.data, who("web", 3).digest, CONTROL_DIGEST);
	q = (struct domt_question){.what = DOMT_SEAL, .secret = {secret, 32}, .authority = {secret, 32}};
	assert_int_equal(ask(&p, who("web", 3), q), TPM_FAILED); /* no key in PEM */
	assert_int_equal(p.root.extends, 0);
	end(&p);
}

/* One extension for all of a round; and none of it holds when that fails. */
static void
rounds(void **state)
{
	struct control_pair web = who("web", 1);
	struct domt_question q = anchor(DOMT_DEFINE, secret);
	struct domt_answer a;
	struct buf bytes;
	struct place p;

	(void)state;
	begin(&p);
	buf_init(&bytes, DOMT_MESSAGE_MAX);
	assert_int_equal(serve_begin(&p.s), 0);
	for (uint32_t i = 0; i < 10; i++) {
		q.place = i;
		serve_one(&p.s, &web, &q, &a, &bytes);
		assert_int_equal(a.result, TPM_OK);
	}
	assert_int_equal(serve_end(&p.s), 0);
	assert_int_equal(p.root.extends, 1);
	q = anchor(DOMT_EXTEND, secret);
	assert_int_equal(serve_begin(&p.s), 0);
	serve_one(&p.s, &web, &q, &a, &bytes);
	p.root.fail_before = 1;
	assert_int_equal(serve_end(&p.s), -1);
	p.root.silent = 1;
	assert_int_equal(serve_begin(&p.s), -1); /* nobody knows */
	assert_int_equal(serve_begin(&p.s), 0);
	q = anchor(DOMT_READ, secret);
	serve_one(&p.s, &web, &q, &a, &bytes);
	assert_int_equal(serve_end(&p.s), 0);
	assert_int_equal(p.root.extends, 1);
	buf_free(&bytes);
	end(&p);
}

/* What is kept is told only while the TPM says that it is the last state. */
static void
not_the_last(void **state)
{
	struct control_pair web = who("web", 1);
	struct place p;

	(void)state;
	begin(&p);
	assert_int_equal(ask(&p, web, anchor(DOMT_DEFINE, secret)), TPM_OK);
	tpm_anchor_after(p.root.value.value, digest); /* another DomT */
	assert_int_equal(ask(&p, web, anchor(DOMT_READ, secret)), TPM_BUSY);
	assert_true(p.l.strayed);
	end(&p);
}

static void
greedy(void **state)
{
	struct control_pair web = who("web", 1);
	struct domt_question q = anchor(DOMT_DEFINE, secret);
	struct place p;

	(void)state;
	begin(&p);
	for (q.place = 0; q.place < ROWS_PER_PAIR; q.place++)
		assert_int_equal(ask(&p, web, q), TPM_OK);
	assert_int_equal(ask(&p, web, q), TPM_FAILED);
	assert_int_equal(ask(&p, who("ca", 1), q), TPM_OK);
	q.place = 0;
	assert_int_equal(ask(&p, web, q), TPM_OK); /* it is there */
	end(&p);
}

/* A pair's rows go, at once and on the disk, and its blobs with them; a new one has all its room. */
static void
forgets(void **state)
{
	struct control_pair web = who("web", 1), ca = who("ca", 1);
	struct domt_question q = anchor(DOMT_DEFINE, secret);
	unsigned before;
	struct buf b, c;
	struct place p;
	size_t n = 7;

	(void)state;
	begin(&p);
	buf_init(&b, TPM_BLOB_MAX);
	buf_init(&c, TPM_BLOB_MAX);
	assert_int_equal(seal(&p, web, &b), TPM_OK);
	assert_int_equal(seal(&p, ca, &c), TPM_OK);
	for (q.place = 1; q.place < ROWS_PER_PAIR; q.place++)
		assert_int_equal(ask(&p, web, q), TPM_OK);
	before = p.root.extends;
	assert_int_equal(serve_forget(&p.s, "mail", &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(p.root.extends, before);
	assert_int_equal(serve_forget(&p.s, "web", &n), 0);
	assert_int_equal(n, ROWS_PER_PAIR);
	assert_int_equal(p.root.extends, before + 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(unseal(&p, web, &b), TPM_BAD_BLOB);
		assert_int_equal(ask(&p, web, anchor(DOMT_READ, secret)), TPM_UNANCHORED);
		assert_int_equal(unseal(&p, ca, &c), TPM_OK);
		ledger_close(&p.l);
		fake_root_ledger(&p.root, &p.l, p.dir);
		assert_int_equal(ledger_open(&p.l), 0);
	}
	/* Another store of the same name: neither does it bring the old one back. */
	assert_int_equal(seal(&p, web, &c), TPM_OK);
	assert_int_equal(unseal(&p, web, &b), TPM_BAD_BLOB);
	for (q.place = 1; q.place < ROWS_PER_PAIR; q.place++)
		assert_int_equal(ask(&p, web, q), TPM_OK);
	buf_free(&b);
	buf_free(&c);
	end(&p);
}

/* Nobody is told that it is forgotten while it is not. */
static void
forgets_later(void **state)
{
	struct control_pair web = who("web", 1);
	struct place p;
	size_t n;

	(void)state;
	begin(&p);
	assert_int_equal(ask(&p, web, anchor(DOMT_DEFINE, secret)), TPM_OK);
	p.root.silent = 1000000;
	p.l.patience = 0;
	assert_int_equal(serve_forget(&p.s, "web", &n), -1);
	assert_true(p.l.why[0] != '\0');
	assert_int_equal(serve_forget(&p.s, "web", &n), -1);
	p.root.silent = 0;
	assert_int_equal(serve_forget(&p.s, "web", &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(serve_forget(&p.s, "web", &n), 0);
	assert_int_equal(n, 0);
	end(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(anchors),
	    cmocka_unit_test(blobs),
	    cmocka_unit_test(another_image),
	    cmocka_unit_test(small_ones),
	    cmocka_unit_test(rounds),
	    cmocka_unit_test(not_the_last),
	    cmocka_unit_test(greedy),
	    cmocka_unit_test(forgets),
	    cmocka_unit_test(forgets_later),
	};

	return cmocka_run_group_tests_name("tpmd serve", tests, NULL, NULL);
}
