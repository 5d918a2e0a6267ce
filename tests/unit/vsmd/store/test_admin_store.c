/* test_admin_store.c - the administrator's calls on a store process */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipc.h"
#include "dirs.h"
#include "group.h"
#include "hsm.h"
#include "vsmd/msg.h"
#include "vsmd/store/backup.h"

static char text[65536];

static bool
ask(int fd, const char *call, const char *args)
{
	return rig_admin(fd, call, args, "", "", NULL, 0, text, sizeof(text), NULL);
}

static long
number(const char *name)
{
	json_t *j = json_loads(text, 0, NULL);
	long n = json_is_integer(json_object_get(j, name))
		     ? (long)json_integer_value(json_object_get(j, name))
		     : -1;

	json_decref(j);
	return n;
}

static void
make_token(struct rig *r, uint32_t number_, const char *label, unsigned objects)
{
	int fd = group_token(r, number_, label);

	if (objects > 0) {
		hsm_create(rig_slot(r, number_)->directory, "user-pin", objects);
		assert_int_equal(rig_commit(fd, NULL, NULL, NULL), CKR_OK);
	}
	close(fd);
}

static void
delete_token(struct rig *r, int admin, const char *args, uint32_t slot)
{
	struct buf b;

	buf_init(&b, IPC_MAX);
	buf_put_u8(&b, M_A_ASK);
	buf_put_str(&b, "token-delete");
	buf_put_str(&b, args);
	buf_put_bytes(&b, NULL, 0);
	buf_put_bytes(&b, NULL, 0);
	assert_int_equal(ipc_send(admin, &b, NULL, 0), 0);
	assert_int_equal(rig_discard(r), slot);
	assert_int_equal(ipc_recv(admin, &b, NULL, NULL), 0);
	assert_int_equal(buf_get_u8(&b), M_A_ANSWER);
	assert_int_equal(buf_get_u8(&b), 1);
	buf_free(&b);
}

static void
backup(int admin, const char *passphrase, struct buf *out)
{
	char args[64];
	long handle, size;

	assert_true(rig_admin(admin, "backup-begin", "{\"label\":\"web\"}", passphrase,
	    "", NULL, 0, text, sizeof(text), NULL));
	handle = number("handle");
	size = number("size");
	assert_true(size > 0);
	buf_reset(out);
	while (out->len < (size_t)size) {
		snprintf(args, sizeof(args), "{\"handle\":%ld,\"offset\":%zu}", handle,
		    out->len);
		assert_true(rig_admin(admin, "backup-read", args, "", "", NULL, 0, text,
		    sizeof(text), out));
		assert_true(number("size") > 0);
	}
	snprintf(args, sizeof(args), "{\"handle\":%ld}", handle);
	assert_true(ask(admin, "backup-end", args));
	assert_false(ask(admin, "backup-end", args));
}

static bool
restore(int admin, const char *passphrase, const char *so_pin, const struct buf *data)
{
	char args[64];
	long handle;

	snprintf(args, sizeof(args), "{\"size\":%zu}", data->len);
	if (!ask(admin, "restore-begin", args))
		return false;
	handle = number("handle");
	for (size_t off = 0; off < data->len;) {
		size_t n = data->len - off < 40000 ? data->len - off : 40000;

		snprintf(
		    args, sizeof(args), "{\"handle\":%ld,\"offset\":%zu}", handle, off);
		assert_true(rig_admin(admin, "restore-write", args, "", "",
		    data->data + off, n, text, sizeof(text), NULL));
		off += n;
	}
	snprintf(args, sizeof(args), "{\"handle\":%ld}", handle);
	return rig_admin(admin, "restore-finish", args, passphrase, so_pin, NULL, 0, text,
	    sizeof(text), NULL);
}

static void
only_administrators(void **state)
{
	int fd;
	RIG(r);

	fd = rig_attach(r, 0, true, "web", 0);
	assert_false(ask(fd, "status", "{}"));
	assert_non_null(strstr(text, "role admin"));
	close(fd);
	fd = group_admin(r);
	assert_true(ask(fd, "status", "{}"));
	assert_int_equal(number("tokens"), 0);
	assert_false(ask(fd, "no-such-call", "{}"));
	assert_false(ask(fd, "status", "{\"x\":1}"));
	assert_false(ask(fd, "token-delete", "{\"label\":\"none\"}"));
	close(fd);
}

/* The process of metrics may ask for the status, and not for anything else, nor often. */
static void
status_alone(void **state)
{
	bool open = true;
	struct buf b;
	int fd;
	RIG(r);

	fd = rig_attach(r, 0, true, "vsmd-metrics", GRANT_STATUS);
	assert_true(ask(fd, "status", "{}"));
	assert_int_equal(number("commits_failed"), 0);
	close(fd);
	fd = rig_attach(r, 0, true, "vsmd-metrics", GRANT_STATUS);
	assert_false(ask(fd, "token-list", "{}"));
	assert_non_null(strstr(text, "role admin"));
	/* Its pipe is closed for one that comes too soon. */
	buf_init(&b, IPC_MAX);
	for (int i = 0; i < 1000 && open; i++) {
		buf_reset(&b);
		buf_put_u8(&b, M_A_ASK);
		buf_put_str(&b, "status");
		buf_put_str(&b, "{}");
		buf_put_bytes(&b, NULL, 0);
		buf_put_bytes(&b, NULL, 0);
		open = ipc_send(fd, &b, NULL, 0) == 0 && ipc_recv(fd, &b, NULL, NULL) == 0;
	}
	assert_false(open);
	buf_free(&b);
	close(fd);
}

static void
status_counts(void **state)
{
	int fd;
	RIG(r);

	make_token(r, 0, "web", 7);
	fd = group_admin(r);
	assert_true(ask(fd, "status", "{}"));
	assert_int_equal(number("tokens"), 1);
	assert_int_equal(number("objects"), 7);
	assert_true(number("sequence") >= 1);
	assert_true(number("audit_records") >= 2);
	assert_non_null(strstr(text, "a fake TPM"));
	close(fd);
}

static void
backup_and_restore(void **state)
{
	struct buf data;
	int fd;
	RIG(r);

	make_token(r, 0, "web", 200); /* more than one part */
	fd = group_admin(r);
	buf_init(&data, BACKUP_MAX);
	backup(fd, "a passphrase", &data);
	assert_true(data.len > 48 * 1024);
	assert_null(memmem(data.data, data.len, "user-pin", 8));
	assert_false(restore(fd, "a passphrase", "so-pin", &data)); /* it is there */
	delete_token(r, fd, "{\"label\":\"web\"}", 0);
	assert_false(restore(fd, "wrong", "so-pin", &data));
	assert_non_null(strstr(text, "passphrase is wrong"));
	assert_false(restore(fd, "a passphrase", "wrong", &data));
	assert_non_null(strstr(text, "SO PIN"));
	data.data[data.len / 2] ^= 1;
	assert_false(restore(fd, "a passphrase", "so-pin", &data));
	data.data[data.len / 2] ^= 1;
	assert_true(restore(fd, "a passphrase", "so-pin", &data));
	assert_int_equal(number("slot"), 2);
	rig_slots(r);
	assert_string_equal(rig_slot(r, 2)->label, "web");
	assert_int_equal(hsm_count(rig_slot(r, 2)->directory, "user-pin"), 200);
	/* The blank slot is the one it was, and both live on. */
	assert_false(rig_slot(r, 1)->initialized);
	make_token(r, 1, "other", 0);
	assert_int_equal(rig_stop(r), 0);
	close(fd);
	assert_true(rig_start(r));
	assert_int_equal(hsm_count(rig_slot(r, 2)->directory, "user-pin"), 200);
	assert_non_null(rig_slot(r, 1));
	assert_false(rig_slot(r, 3)->initialized);
	buf_free(&data);
}

/* A restore is no way to guess an SO PIN; what it does has slot and label in the audit. */
static void
guessing_by_restoring(void **state)
{
	struct buf data;
	int fd;
	RIG(r);

	make_token(r, 0, "web", 0);
	fd = group_admin(r);
	buf_init(&data, BACKUP_MAX);
	backup(fd, "", &data);
	delete_token(r, fd, "{\"label\":\"web\"}", 0);
	for (int i = 0; i < 3; i++) {
		assert_false(restore(fd, "", "wrong", &data));
		assert_non_null(strstr(text, "not the one of this token"));
	}
	assert_true(restore(fd, "", "so-pin", &data));
	rig_slots(r);
	assert_true(ask(fd, "audit-read", "{\"from\":1,\"count\":100}"));
	assert_non_null(strstr(
	    text, "\"slot\":2,\"time\":")); /* keys are sorted: the record's own */
	for (int i = 0; i < 4; i++)
		assert_false(restore(fd, "", "wrong", &data));
	assert_false(restore(fd, "", "so-pin", &data));
	assert_non_null(strstr(text, "try again in"));
	close(fd);
	buf_free(&data);
}

static void
backup_under_the_stores_key(void **state)
{
	struct rig other;
	struct buf data;
	int fd;
	RIG(r);

	make_token(r, 0, "web", 1);
	fd = group_admin(r);
	buf_init(&data, BACKUP_MAX);
	backup(fd, "", &data);
	delete_token(r, fd, "{\"label\":\"web\"}", 0);
	assert_true(restore(fd, "", "so-pin", &data));
	rig_slots(r);
	close(fd);

	rig_init(&other);
	assert_true(rig_start(&other));
	fd = group_admin(&other);
	assert_false(restore(fd, "", "so-pin", &data));
	assert_non_null(strstr(text, "another store"));
	close(fd);
	rig_free(&other);
	buf_free(&data);
}

static void
transfers_belong_to_their_pipe(void **state)
{
	int a, b;
	RIG(r);

	make_token(r, 0, "web", 0);
	a = group_admin(r);
	b = group_admin(r);
	for (int i = 0; i < 4; i++)
		assert_true(ask(a, "restore-begin", "{\"size\":1000}"));
	assert_false(ask(b, "restore-begin", "{\"size\":1000}"));
	assert_false(rig_admin(b, "restore-write", "{\"handle\":1,\"offset\":0}", "", "",
	    "x", 1, text, sizeof(text), NULL));
	assert_false(rig_admin(a, "restore-write", "{\"handle\":1,\"offset\":5}", "", "",
	    "x", 1, text, sizeof(text), NULL));
	close(a);
	assert_true(ask(b, "status", "{}")); /* a's end was seen before this or after */
	assert_true(ask(b, "restore-begin", "{\"size\":1000}"));
	assert_false(ask(b, "restore-begin", "{\"size\":100000000}"));
	close(b);
}

static void
audit_over_the_pipe(void **state)
{
	json_t *list;
	int fd;
	RIG(r);

	make_token(r, 0, "web", 0);
	fd = group_admin(r);
	assert_true(ask(fd, "audit-verify", "{}"));
	assert_non_null(strstr(text, "\"ok\":true"));
	assert_true(ask(fd, "audit-read", "{\"from\":1,\"count\":100}"));
	list = json_loads(text, 0, NULL);
	assert_true(json_array_size(list) >= 3);
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(list, 0), "event")),
	    "audit-begin");
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(list, 1), "event")),
	    "store-start");
	json_decref(list);
	/* A seal, and no second one where nothing has happened. */
	for (int i = 0; i < 2; i++) {
		assert_true(ask(fd, "audit-seal", "{}"));
		assert_int_equal(number("epoch"), 2);
		assert_non_null(strstr(text, "\"hash\":\""));
	}
	assert_true(ask(fd, "audit-verify", "{}"));
	assert_non_null(strstr(text, "\"ok\":true"));
	assert_int_equal(number("sealed"), number("records"));
	close(fd);
}

static void
tpm_reseal(void **state)
{
	int fd;
	RIG(r);

	fd = group_admin(r);
	dirs_save(r->state, "tpm-state", "B1", 2);
	assert_true(ask(fd, "tpm-reseal", "{}"));
	assert_false(ask(fd, "tpm-predict", "{\"pcrs\":{\"0\":\"00\"}}"));
	close(fd);
	assert_int_equal(rig_stop(r), 0);
	assert_true(rig_start(r)); /* opens in state B */
}

/* Whoever answers at the TPM's address must be the one that sealed, even when what lies
 * on the disk says that it is. */
static void
tpm_reseal_by_another(void **state)
{
	uint8_t *blob;
	size_t len;
	int fd;
	RIG(r);

	fd = group_admin(r);
	dirs_save(r->state, "tpm-state", "A2", 2);
	assert_false(ask(fd, "tpm-reseal", "{}"));
	assert_non_null(strstr(text, "sealed by another TPM"));
	blob = dirs_load(r->state, "master.sealed", &len);
	assert_int_equal(blob[1], '1');
	blob[1] = '2';
	dirs_save(r->state, "master.sealed", blob, len);
	assert_false(ask(fd, "tpm-reseal", "{}"));
	blob[1] = '1';
	dirs_save(r->state, "master.sealed", blob, len);
	free(blob);
	assert_true(ask(fd, "audit-read", "{\"from\":1,\"count\":100}"));
	assert_non_null(strstr(text, "tpm-seal-failed"));
	dirs_save(r->state, "tpm-state", "A1", 2);
	assert_true(ask(fd, "tpm-reseal", "{}"));
	close(fd);
}

/* Approvals are for one store: its name is in what is sealed, from the first time on. */
static void
sealed_for_this_store(void **state)
{
	char ref[64] = "vsmd-use:";
	uint8_t *blob;
	size_t len;
	json_t *j;
	int fd;
	RIG(r);

	fd = group_admin(r);
	for (int i = 0; i < 2; i++) {
		assert_true(ask(fd, "status", "{}"));
		j = json_loads(text, 0, NULL);
		snprintf(ref + 9, sizeof(ref) - 9, "%s",
		    json_string_value(json_object_get(j, "store")));
		assert_int_equal(strlen(ref), 9 + 36);
		assert_string_equal(ref, json_string_value(json_object_get(
					     json_object_get(j, "tpm"), "ref")));
		json_decref(j);
		blob = dirs_load(r->state, "master.sealed", &len);
		assert_true(len > strlen(ref));
		assert_memory_equal(blob + len - strlen(ref), ref, strlen(ref));
		free(blob);
		assert_true(ask(fd, "tpm-reseal", "{}"));
	}
	close(fd);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, group_setup, group_teardown)
	const struct CMUnitTest tests[] = {
	    T(only_administrators),
	    T(status_alone),
	    T(status_counts),
	    T(backup_and_restore),
	    T(backup_under_the_stores_key),
	    T(guessing_by_restoring),
	    T(transfers_belong_to_their_pipe),
	    T(audit_over_the_pipe),
	    T(tpm_reseal),
	    T(tpm_reseal_by_another),
	    T(sealed_for_this_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
