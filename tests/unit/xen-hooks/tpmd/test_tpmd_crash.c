/*
 * ledger.c when the power goes: what it does to the disk and the TPM is recorded, and at each
 * point every disk that may be found (tests/crash/disk.h) is opened by a real ledger.  It opens,
 * holds what was acknowledged, or that and what was under way, and goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../crash/disk.h"
#include "../../vsmd/store/dirs.h"
#include "fake_root.h"

#define COMMITS 4
#define ENTRIES 256
#define DATA	(1u << 20)
#define FDS	64

/* The record. */
static struct {
	bool on;
	int dir;
	uint32_t node_of[FDS]; /* by descriptor; 0: none of ours */
	uint32_t nodes;
	struct entry entries[ENTRIES];
	size_t n, ndata;
	uint8_t data[DATA];
	/* Calls that fail, counted from 1; 0: none. */
	unsigned fail_at, points;
} rec;

int __real_openat(int dir, const char *name, int flags, ...);
int __real_unlinkat(int dir, const char *name, int flags);
int __real_fsync(int fd);
int __real_close(int fd);
ssize_t __real_pwrite(int fd, const void *p, size_t n, off_t off);
int __wrap_openat(int dir, const char *name, int flags, ...);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_fsync(int fd);
int __wrap_close(int fd);
ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t off);

static struct entry *
entry(enum disk_call call)
{
	struct entry *e = &rec.entries[rec.n++];

	assert_true(rec.n < ENTRIES);
	*e = (struct entry){.call = call};
	return e;
}

static void
with_data(struct entry *e, const void *p, size_t len)
{
	assert_true(rec.ndata + len <= DATA);
	e->data = rec.ndata;
	e->len = len;
	memcpy(rec.data + rec.ndata, p, len);
	rec.ndata += len;
}

static bool
fails(void)
{
	if (!rec.on || ++rec.points != rec.fail_at)
		return false;
	errno = EIO;
	return true;
}

int
__wrap_openat(int dir, const char *name, int flags, ...)
{
	bool ours = rec.on && dir == rec.dir && (flags & O_CREAT) != 0;
	struct entry *e;
	int fd;

	if (ours && fails())
		return -1;
	fd = __real_openat(dir, name, flags, 0600);
	if (ours && fd >= 0) {
		assert_true(fd < FDS);
		rec.node_of[fd] = ++rec.nodes;
		e = entry(CALL_CREATE);
		e->node = rec.nodes;
		snprintf(e->name, sizeof(e->name), "%s", name);
	}
	return fd;
}

int
__wrap_unlinkat(int dir, const char *name, int flags)
{
	bool ours = rec.on && dir == rec.dir;
	int rc;

	if (ours && fails())
		return -1;
	rc = __real_unlinkat(dir, name, flags);
	if (ours && rc == 0)
		snprintf(entry(CALL_UNLINK)->name, RECORD_NAME, "%s", name);
	return rc;
}

int
__wrap_fsync(int fd)
{
	if (rec.on) {
		bool failed = fails();
		struct entry *e = entry(fd == rec.dir ? CALL_SYNC_DIR : CALL_SYNC);

		e->node = fd == rec.dir ? 0 : rec.node_of[fd];
		e->failed = failed;
		if (failed)
			return -1;
	}
	return __real_fsync(fd);
}

ssize_t
__wrap_pwrite(int fd, const void *p, size_t n, off_t off)
{
	struct entry *e;

	if (rec.on && rec.node_of[fd] != 0) {
		bool failed = fails();

		e = entry(CALL_WRITE);
		e->node = rec.node_of[fd];
		e->off = (uint64_t)off;
		with_data(e, p, failed ? n / 2 : n);
		if (failed) {
			assert_int_equal(__real_pwrite(fd, p, n / 2, off), n / 2);
			errno = EIO;
			return -1;
		}
	}
	return __real_pwrite(fd, p, n, off);
}

int
__wrap_close(int fd)
{
	if (fd >= 0 && fd < FDS)
		rec.node_of[fd] = 0;
	return __real_close(fd);
}

static void
tpm_done(const struct fake_root *f)
{
	if (rec.on)
		with_data(entry(CALL_TPM), f->value.value, TPM_ANCHOR_LEN);
}

/* The numbers of the states that may be found from here on. */
static void
mark(uint64_t least, uint64_t most)
{
	entry(CALL_MARK)->off = least << 8 | most;
}

static const uint8_t id[ROW_ID] = {5};

static void
change(struct ledger *l, uint64_t n)
{
	struct rows *r = ledger_change(l);
	const char *why;
	struct row *row;

	assert_non_null(r);
	row = rows_find(r, "web", ROW_ANCHOR, id);
	if (row == NULL)
		row = rows_add(r, "web", ROW_ANCHOR, id, &why);
	row->value.count = n;
}

static uint64_t
number(const struct ledger *l)
{
	const struct rows *r = ledger_rows(l);

	return r->n == 0 ? 0 : r->row[0].value.count;
}

struct history {
	char *path;
	struct disk_tree start;
	struct fake_root root;
	struct ledger l;
};

/* Commits, one of them failing where it is told to; what is refused is not tried again. */
static void
record_history(struct history *h, unsigned fail_at)
{
	static const struct tpm_anchor_value none;
	uint64_t is = 0;

	memset(h, 0, sizeof(*h));
	memset(&rec, 0, sizeof(rec));
	h->path = dirs_make("/tmp");
	rec.dir = open(h->path, O_RDONLY | O_DIRECTORY);
	assert_true(rec.dir >= 0);
	fake_root_ledger(&h->root, &h->l, rec.dir);
	assert_int_equal(ledger_make(&h->l), 0);
	h->root.done = tpm_done;
	assert_memory_not_equal(h->root.value.value, none.value, TPM_ANCHOR_LEN);
	rec.on = true;
	rec.fail_at = fail_at;
	with_data(entry(CALL_TPM), h->root.value.value, TPM_ANCHOR_LEN);
	for (uint64_t n = 1; n <= COMMITS; n++) {
		mark(is, n);
		change(&h->l, n);
		if (ledger_commit(&h->l) == 0)
			is = n;
		assert_int_equal(ledger_settle(&h->l), 0);
		assert_int_equal(number(&h->l), is);
		mark(is, is);
	}
	rec.on = false;
	ledger_close(&h->l);
}

static void
end_history(struct history *h)
{
	(void)__real_close(rec.dir);
	dirs_remove(h->path);
	disk_free(&h->start);
}

/* Opened as it was found.  False: it is not what it has to be. */
static bool
good(const char *path, const struct disk_tree *found, uint64_t least, uint64_t most)
{
	struct fake_root root = {.defined = true};
	int dir = open(path, O_RDONLY | O_DIRECTORY);
	struct ledger l;
	uint64_t n;
	bool ok;

	memcpy(root.value.value, found->nv, TPM_ANCHOR_LEN);
	fake_root_ledger(&root, &l, dir);
	ok = ledger_open(&l) == 0;
	n = ok ? number(&l) : 0;
	ok = ok && (n == least || n == most);
	if (ok) {
		/* It goes on, and what it goes on with is there again. */
		change(&l, 100);
		ok = ledger_commit(&l) == 0;
		ledger_close(&l);
		fake_root_ledger(&root, &l, dir);
		ok = ok && ledger_open(&l) == 0 && number(&l) == 100;
	}
	ledger_close(&l);
	(void)__real_close(dir);
	return ok;
}

static struct disk disk;

/* All disks at this point; how many were not as they have to be. */
static unsigned
look(const char *path, uint64_t least, uint64_t most, unsigned *ret_disks)
{
	uint8_t fates[DISK_PENDING] = {0};
	struct disk_tree found;
	unsigned bad = 0;
	size_t i;

	memset(&found, 0, sizeof(found));
	do {
		disk_find_after(&disk, fates, &found);
		dirs_empty(path);
		disk_write(&found, path, NULL);
		bad += !good(path, &found, least, most);
		++*ret_disks;
		for (i = 0; i < disk.npending && ++fates[i] == disk_fates(&disk, i); i++)
			fates[i] = 0;
	} while (i < disk.npending);
	disk_free(&found);
	return bad;
}

/* `without`: such calls are left out of the record, as if they were not made. */
static unsigned
replay(struct history *h, enum disk_call without, unsigned *ret_disks)
{
	uint64_t least = 0, most = 0;
	char *path = dirs_make("/tmp");
	unsigned bad = 0;

	disk_begin(&disk, &h->start, rec.data);
	for (size_t i = 0; i < rec.n; i++) {
		const struct entry *e = &rec.entries[i];

		if (e->call == CALL_MARK) {
			least = e->off >> 8;
			most = e->off & 0xff;
		} else if (e->call != without) {
			assert_true(disk_step(&disk, e));
		}
		bad += look(path, least, most, ret_disks);
	}
	disk_end(&disk);
	dirs_remove(path);
	return bad;
}

static void
power_goes(void **state)
{
	struct history h;
	unsigned disks = 0;

	(void)state;
	record_history(&h, 0);
	assert_int_equal(replay(&h, CALL_MKDIR, &disks), 0);
	print_message("%u disks\n", disks);
	assert_true(disks > 100);
	end_history(&h);
}

/* It would be seen: each kind of sync is needed. */
static void
without_syncs(void **state)
{
	static const enum disk_call calls[] = {CALL_SYNC, CALL_SYNC_DIR};
	struct history h;
	unsigned disks = 0;

	(void)state;
	for (int i = 0; i < 2; i++) {
		record_history(&h, 0);
		assert_true(replay(&h, calls[i], &disks) > 0);
		end_history(&h);
	}
}

/* Each call fails, once; what was refused is not there, and then the power goes. */
static void
calls_fail(void **state)
{
	struct history h;
	unsigned disks = 0, at = 0;

	(void)state;
	for (at = 1;; at++) {
		record_history(&h, at);
		assert_int_equal(replay(&h, CALL_MKDIR, &disks), 0);
		end_history(&h);
		if (rec.points < at)
			break;
	}
	print_message("%u calls, %u disks\n", at, disks);
	assert_true(at > COMMITS * 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(power_goes),
	    cmocka_unit_test(without_syncs),
	    cmocka_unit_test(calls_fail),
	};

	return cmocka_run_group_tests_name("tpmd crash", tests, NULL, NULL);
}
