/*
 * loop.c over vchans (tests/contract's fake): the builder tells a world, its crypto domains ask by
 * the domt: back end, and lose their channels when they are not in it any more.
 */
#include <fcntl.h>
#include <pthread.h>
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
#include "tpm/domt/session.h"
#include "vchan-transport/transport.h"
#include "xen-hooks/tpmd/loop.h"

/* The fake's domain is number 5. */
#define BUILDER "vchan:5:data/caas-domt/builder"
#define WAIT	10000

static unsigned extensions; /* a day, of the next loop */

static struct {
	char *path;
	int dir, signals[2];
	struct fake_root fake;
	struct root_keys keys;
	struct root root;
	struct ledger ledger;
	struct service service;
	struct loop *loop;
	pthread_t thread;
	bool ended_well;
} d;

static enum tpm_result
draw(void *arg, uint8_t ret[32], char why[LEDGER_WHY])
{
	(void)arg;
	(void)why;
	memset(ret, 3, 32);
	return TPM_OK;
}

static void *
run(void *arg)
{
	(void)arg;
	d.ended_well = loop_run(d.loop);
	return NULL;
}

static int
start(void **state)
{
	struct loop_config c = {.builder = 0, .note = "a note", .extensions = extensions};

	(void)state;
	memset(&d, 0, sizeof(d));
	d.path = dirs_make("/tmp");
	assert_true((d.dir = open(d.path, O_RDONLY | O_DIRECTORY)) >= 0);
	assert_int_equal(pipe(d.signals), 0);
	fake_root_ledger(&d.fake, &d.ledger, d.dir);
	assert_int_equal(ledger_make(&d.ledger), 0);
	memset(d.keys.identity, 9, sizeof(d.keys.identity));
	d.root.keys = &d.keys;
	d.root.address = "tpm2:none";
	assert_true(domt_identity(d.keys.identity, d.root.identity));
	d.service = (struct service){.ledger = &d.ledger,
	    .wrap = d.keys.wrap,
	    .identity = d.root.identity,
	    .random = draw};
	c.signals = d.signals[0];
	assert_non_null(d.loop = loop_new(&c, &d.service, &d.root));
	assert_int_equal(pthread_create(&d.thread, NULL, run, NULL), 0);
	return 0;
}

static int
stop(void **state)
{
	(void)state;
	if (write(d.signals[1], "x", 1) == 1)
		(void)pthread_join(d.thread, NULL);
	loop_free(d.loop);
	ledger_close(&d.ledger);
	close(d.signals[0]);
	close(d.signals[1]);
	close(d.dir);
	dirs_remove(d.path);
	return 0;
}

/* The builder's, to be closed; *ret is what it heard. */
static struct channel *
say(const struct control_world *w, struct control_answer *ret)
{
	struct channel *c = transport_connect(BUILDER, WAIT);
	uint8_t head[4], body[512];
	struct iovec iov;
	struct buf b;
	uint32_t len;

	assert_non_null(c);
	buf_init(&b, CONTROL_MAX);
	buf_put_u32(&b, 0);
	control_world_write(&b, w);
	buf_set_u32(&b, 0, (uint32_t)(b.len - 4));
	iov = (struct iovec){b.data, b.len};
	assert_int_equal(channel_writev(c, &iov, 1, WAIT), 0);
	buf_free(&b);
	assert_int_equal(channel_read_all(c, head, 4, WAIT), 0);
	buf_view(&b, head, 4);
	len = buf_get_u32(&b);
	assert_in_range(len, 1, sizeof(body));
	assert_int_equal(channel_read_all(c, body, len, WAIT), 0);
	buf_view(&b, body, len);
	assert_true(control_answer_read(&b, ret));
	return c;
}

static struct channel *
tell(const struct control_pair *pairs, size_t n, struct control_answer *ret)
{
	struct control_world w = {.pairs = (struct control_pair *)(uintptr_t)pairs, .n = n};

	return say(&w, ret);
}

static struct control_pair
pair(const char *name, uint32_t domid)
{
	struct control_pair p = {.domid = domid};

	snprintf(p.pair, sizeof(p.pair), "%s", name);
	memset(p.digest, (int)domid, sizeof(p.digest));
	return p;
}

static void
serves(void **state)
{
	struct control_pair world[2] = {pair("web", 7), pair("ca", 8)};
	struct tpm_anchor a = {.place = 1};
	struct tpm_anchor_value v;
	struct control_answer heard;
	struct channel *builder;
	struct tpm *web, *ca;
	const struct tpm_policy p = {.locality = -1};
	uint8_t digest[32], secret[32] = "secret", back[32];
	struct buf blob;
	size_t len;
	int updated;

	(void)state;
	builder = tell(world, 2, &heard);
	assert_true(heard.ok);
	assert_string_equal(heard.text, "a note");
	channel_close(builder);
	assert_int_equal(tpm_open("domt:vchan:5:data/caas-domt/7", &web), TPM_OK);
	assert_int_equal(tpm_open("domt:vchan:5:data/caas-domt/8", &ca), TPM_OK);
	assert_int_equal(tpm_pcr_digest(web, &p, digest, &len), TPM_OK);
	assert_int_equal(digest[0], 7);
	assert_int_equal(tpm_pcr_digest(ca, &p, digest, &len), TPM_OK);
	assert_int_equal(digest[0], 8);
	buf_init(&blob, TPM_BLOB_MAX);
	assert_int_equal(
	    tpm_seal(web, &(struct tpm_policy){.locality = -1, .ref = "r"}, secret, 32, &blob),
	    TPM_OK);
	assert_int_equal(
	    tpm_unseal(web, blob.data, blob.len, NULL, back, sizeof(back), &len, &updated),
	    TPM_OK);
	assert_memory_equal(back, secret, sizeof(secret));
	assert_int_equal(
	    tpm_unseal(ca, blob.data, blob.len, NULL, back, sizeof(back), &len, &updated),
	    TPM_FOREIGN);
	buf_free(&blob);
	assert_int_equal(tpm_anchor_define(ca, &a, digest), TPM_OK);
	assert_int_equal(tpm_anchor_extend(ca, &a, digest), TPM_OK);
	assert_int_equal(tpm_anchor_read(ca, &a, &v), TPM_OK);
	/* web goes; ca does not notice. */
	builder = tell(&world[1], 1, &heard);
	assert_true(heard.ok);
	assert_int_not_equal(tpm_random(web, back, sizeof(back)), TPM_OK);
	assert_int_equal(tpm_random(ca, back, sizeof(back)), TPM_OK);
	channel_close(builder);
	tpm_close(web);
	tpm_close(ca);
}

/* A pair that went is forgotten, and what it kept on its disk opens never again. */
static void
forgets(void **state)
{
	struct control_pair web = pair("web", 7);
	struct control_world none = {.forget = "web"};
	struct tpm_anchor a = {.place = 1};
	uint8_t secret[32] = "secret", back[32];
	struct control_answer heard;
	struct tpm *t;
	struct buf blob;
	size_t len;
	int updated;

	(void)state;
	channel_close(tell(&web, 1, &heard));
	assert_int_equal(heard.rows, 0);
	assert_int_equal(tpm_open("domt:vchan:5:data/caas-domt/7", &t), TPM_OK);
	assert_int_equal(tpm_anchor_define(t, &a, secret), TPM_OK);
	buf_init(&blob, TPM_BLOB_MAX);
	assert_int_equal(
	    tpm_seal(t, &(struct tpm_policy){.locality = -1, .ref = "r"}, secret, 32, &blob),
	    TPM_OK);
	channel_close(say(&none, &heard));
	assert_true(heard.ok);
	assert_int_equal(heard.forgotten, 2);
	assert_int_equal(heard.rows, 0);
	/* Its channel went before that. */
	assert_int_not_equal(tpm_random(t, back, sizeof(back)), TPM_OK);
	tpm_close(t);
	channel_close(tell(&web, 1, &heard));
	assert_int_equal(tpm_open("domt:vchan:5:data/caas-domt/7", &t), TPM_OK);
	assert_int_equal(
	    tpm_unseal(t, blob.data, blob.len, NULL, back, sizeof(back), &len, &updated),
	    TPM_BAD_BLOB);
	tpm_close(t);
	buf_free(&blob);
}

/* Once the budget of extensions is spent, changes wait; what changes nothing does not. */
static void
budget(void **state)
{
	struct control_pair world[2] = {pair("web", 7), pair("ca", 8)};
	struct tpm_anchor a = {.place = 1};
	struct tpm_anchor_value v;
	struct control_answer heard;
	uint8_t bytes[32] = {1};
	struct tpm *web, *ca;

	(void)state;
	channel_close(tell(world, 2, &heard));
	assert_int_equal(tpm_open("domt:vchan:5:data/caas-domt/7", &web), TPM_OK);
	assert_int_equal(tpm_open("domt:vchan:5:data/caas-domt/8", &ca), TPM_OK);
	assert_int_equal(tpm_anchor_define(web, &a, bytes), TPM_OK);
	assert_int_not_equal(tpm_anchor_define(ca, &a, bytes), TPM_OK);
	assert_int_equal(tpm_random(ca, bytes, sizeof(bytes)), TPM_OK);
	assert_int_equal(tpm_anchor_read(web, &a, &v), TPM_OK);
	assert_int_equal(tpm_anchor_read(ca, &a, &v), TPM_UNANCHORED);
	assert_int_equal(d.ledger.commits, 1);
	tpm_close(web);
	tpm_close(ca);
}

/* One at once, and the next in some hours. */
static int
start_small(void **state)
{
	extensions = 10;
	return start(state);
}

static int
stop_small(void **state)
{
	extensions = 0;
	return stop(state);
}

/* The newest connection of the builder's is the only one. */
static void
newest(void **state)
{
	struct control_answer heard;
	struct channel *first = transport_connect(BUILDER, WAIT), *second;
	char c;

	(void)state;
	assert_non_null(first);
	second = tell(NULL, 0, &heard);
	assert_true(heard.ok);
	assert_true(channel_read(first, &c, 1, WAIT) <= 0);
	channel_close(first);
	channel_close(second);
}

/* Another DomT has gone on from here: it stops, rather than tell what may be old. */
static void
strays(void **state)
{
	struct control_pair web = pair("web", 7);
	struct tpm_anchor a = {.place = 1};
	struct tpm_anchor_value v;
	struct control_answer heard;
	struct channel *builder = tell(&web, 1, &heard);
	uint8_t digest[32] = {1};
	struct tpm *t;

	(void)state;
	channel_close(builder);
	assert_int_equal(tpm_open("domt:vchan:5:data/caas-domt/7", &t), TPM_OK);
	assert_int_equal(tpm_anchor_define(t, &a, digest), TPM_OK);
	/* The loop waits for a question. */
	tpm_anchor_after(d.fake.value.value, digest);
	assert_int_not_equal(tpm_anchor_read(t, &a, &v), TPM_OK);
	(void)pthread_join(d.thread, NULL);
	assert_false(d.ended_well);
	assert_true(d.ledger.strayed);
	assert_int_equal(pthread_create(&d.thread, NULL, run, NULL), 0); /* for stop() */
	tpm_close(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(serves, start, stop),
	    cmocka_unit_test_setup_teardown(forgets, start, stop),
	    cmocka_unit_test_setup_teardown(budget, start_small, stop_small),
	    cmocka_unit_test_setup_teardown(newest, start, stop),
	    cmocka_unit_test_setup_teardown(strays, start, stop),
	};

	return cmocka_run_group_tests_name("tpmd loop", tests, NULL, NULL);
}
