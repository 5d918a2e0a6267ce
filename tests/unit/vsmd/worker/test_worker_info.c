/* test_worker_info.c - FRAME_INFO says what the calls say that it stands for */
#include "rig.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "protocol/info.h"
#include "vsmd/msg.h"
#include "vsmd/worker/state.h"

static struct rig rig;
static struct info got; /* by the last ask(); good until the next */
static struct buf body;
static struct arena arena;

static int
setup(void **state)
{
	(void)state;
	rig_start(&rig, true);
	buf_init(&body, FRAME_MAX_DEFAULT);
	arena_init(&arena, 1 << 20);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_free(&body);
	arena_free(&arena);
	rig_stop(&rig);
	return 0;
}

/* `extra` bytes behind the slot, or one too few. */
static void
send_ask(struct guest *g, bool fused, CK_SLOT_ID slot, int extra)
{
	struct buf b;

	buf_init(&b, 4096);
	frame_begin_flags(&b, ++g->next_id, FRAME_INFO, fused ? FRAME_FUSED : 0);
	info_ask_write(&b, slot);
	if (extra > 0)
		buf_put_u8(&b, 0);
	else if (extra < 0)
		buf_truncate(&b, b.len - 1);
	frame_end(&b);
	guest_send_raw(g, b.data, b.len);
	buf_free(&b);
}

static CK_RV
ask(struct guest *g, CK_SLOT_ID slot)
{
	struct frame f;

	send_ask(g, false, slot, 0);
	if (!guest_receive(g, &f) || f.call == FRAME_AGAIN)
		return CKR_DEVICE_REMOVED;
	assert_int_equal(f.id, g->next_id);
	assert_int_equal(f.call, FRAME_INFO);
	assert_int_equal(f.flags, 0);
	arena_free(&arena);
	buf_reset(&body);
	buf_put_raw(&body, g->in.data, g->in.len);
	assert_true(info_read(&body, &got, &arena));
	return got.rv;
}

/* What the calls say one by one is what came at once. */
static void
assert_same(struct guest *g)
{
	CK_MECHANISM_TYPE types[256];
	CK_MECHANISM_INFO info;
	CK_SLOT_INFO slot = {0};
	CK_TOKEN_INFO token = {0};
	CK_ULONG n = 256;

	assert_int_equal(ask(g, RIG_SLOT), CKR_OK);
	assert_int_equal(got.epoch, gate_epoch(&g->rig->gate));
	assert_int_equal(CALLX(g, C_GetSlotInfo, N(RIG_SLOT), P(&slot)), CKR_OK);
	assert_memory_equal(&got.slot, &slot, 108);
	assert_int_equal(CALLX(g, C_GetTokenInfo, N(RIG_SLOT), P(&token)), CKR_OK);
	/* All but the time, of which a second may have begun. */
	assert_memory_equal(&got.token, &token, offsetof(CK_TOKEN_INFO, utcTime));
	assert_int_equal(
	    CALLX(g, C_GetMechanismList, N(RIG_SLOT), PLP(types, &n)), CKR_OK);
	assert_int_equal(got.count, n);
	for (CK_ULONG i = 0; i < n; i++) {
		memset(&info, 0, sizeof(info));
		assert_int_equal(
		    CALLX(g, C_GetMechanismInfo, N(RIG_SLOT), N(types[i]), P(&info)), CKR_OK);
		assert_int_equal(got.mechs[i].type, types[i]);
		assert_memory_equal(&got.mechs[i].info, &info, sizeof(info));
	}
}

static void
test_same_as_one_by_one(void **state)
{
	struct grant grant = rig_grant();
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	assert_same(&g);
	assert_true(got.count > 50);
	guest_login(&g);
	assert_same(&g);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_policy(void **state)
{
	struct grant grant = rig_grant();
	struct guest g;

	(void)state;
	grant.classes = 1u << CLASS_NONE;
	grant.limit_mechs = true;
	grant.mechs[grant.nmechs++] = CKM_SHA256;
	grant.mechs[grant.nmechs++] = CKM_VENDOR_DEFINED;
	grant.mechs[grant.nmechs++] = CKM_RSA_PKCS;
	guest_attach(&g, &rig, &grant, 0);
	assert_same(&g);
	assert_int_equal(got.count, 2);
	assert_int_equal(guest_leave(&g), 0);
	grant.nmechs = 0;
	guest_attach(&g, &rig, &grant, 0);
	assert_same(&g);
	assert_int_equal(got.count, 0);
	assert_int_equal(guest_leave(&g), 0);
}

/* What the store says of wrong PINs is told, and what SoftHSM2 says of them. */
static void
test_token_flags(void **state)
{
	struct grant grant = rig_grant();
	struct guest g, other;

	(void)state;
	grant.flags |= GRANT_PIN_LOCKOUT | GRANT_CHANNEL_LOGIN;
	rig.store.flags = CKF_USER_PIN_FINAL_TRY;
	guest_attach(&g, &rig, &grant, 0);
	assert_same(&g);
	assert_true(got.token.flags & CKF_USER_PIN_FINAL_TRY);
	assert_true(got.token.flags & CKF_PROTECTED_AUTHENTICATION_PATH);
	rig.store.flags = 0;
	assert_same(&g);
	assert_false(got.token.flags & CKF_USER_PIN_FINAL_TRY);
	/* Another application's: the epoch does not tell. */
	guest_attach(&other, &rig, &grant, 0);
	guest_open(&other);
	assert_int_equal(guest_try_login(&other, CKU_USER, "wrong"), CKR_PIN_INCORRECT);
	assert_same(&g);
	assert_true(got.token.flags & CKF_USER_PIN_COUNT_LOW);
	assert_int_equal(guest_try_login(&other, CKU_USER, USER_PIN), CKR_OK);
	assert_same(&g);
	assert_false(got.token.flags & CKF_USER_PIN_COUNT_LOW);
	assert_int_equal(guest_leave(&other), 0);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_wrong_slot(void **state)
{
	static const CK_SLOT_ID wrong[] = {0, RIG_SLOT + 1, ~0ul};
	struct grant grant = rig_grant();
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ask(&g, wrong[i]), CKR_SLOT_ID_INVALID);
		assert_int_equal(got.count, 0);
	}
	assert_same(&g);
	assert_int_equal(guest_leave(&g), 0);
}

static void
test_breaches(void **state)
{
	static const struct {
		bool fused;
		int extra;
	} asks[] = {{true, 0}, {false, 1}, {false, -1}};
	struct grant grant = rig_grant();
	struct frame f;
	struct guest g;

	(void)state;
	for (int i = 0; i < 3; i++) {
		guest_attach(&g, &rig, &grant, 0);
		send_ask(&g, asks[i].fused, RIG_SLOT, asks[i].extra);
		assert_false(guest_receive(&g, &f));
		assert_int_equal(WEXITSTATUS(guest_wait_end(&g)), M_WORKER_BREACH);
	}
}

/* Before there is a token; once another worker has made it, this one serves no more. */
static void
test_blank(void **state)
{
	struct grant grant = rig_grant();
	static struct rig blank;
	struct guest g, maker;
	uint8_t label[32];

	(void)state;
	rig_start(&blank, false);
	guest_attach(&g, &blank, &grant, 0);
	assert_same(&g);
	assert_false(got.token.flags & CKF_TOKEN_INITIALIZED);
	assert_true(got.slot.flags & CKF_TOKEN_PRESENT);
	guest_attach(&maker, &blank, &grant, 0);
	memset(label, ' ', sizeof(label));
	assert_int_equal(
	    CALLX(&maker, C_InitToken, N(RIG_SLOT), PL(SO_PIN, strlen(SO_PIN)), P(label)),
	    CKR_OK);
	assert_same(&maker);
	assert_true(got.token.flags & CKF_TOKEN_INITIALIZED);
	assert_int_equal(ask(&g, RIG_SLOT), CKR_DEVICE_REMOVED);
	assert_int_equal(guest_wait_end(&g), 0);
	assert_int_equal(guest_leave(&maker), 0);
	rig_stop(&blank);
}

/* In one breath with others. */
static void
test_many_at_once(void **state)
{
	struct grant grant = rig_grant();
	struct frame f;
	struct guest g;

	(void)state;
	guest_attach(&g, &rig, &grant, 0);
	for (int i = 0; i < 50; i++)
		send_ask(&g, false, RIG_SLOT, 0);
	for (int i = 0; i < 50; i++) {
		assert_true(guest_receive(&g, &f));
		assert_in_range(f.id, 1, 50);
		arena_free(&arena);
		assert_true(info_read(&g.in, &got, &arena));
		assert_int_equal(got.rv, CKR_OK);
	}
	assert_int_equal(guest_leave(&g), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_same_as_one_by_one),
	    cmocka_unit_test(test_policy),
	    cmocka_unit_test(test_token_flags),
	    cmocka_unit_test(test_wrong_slot),
	    cmocka_unit_test(test_breaches),
	    cmocka_unit_test(test_blank),
	    cmocka_unit_test(test_many_at_once),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
