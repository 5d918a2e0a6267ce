/* auditlog.c - see auditlog.h */
#include "auditlog.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dirs.h"
#include "vsmd/store/clock.h"

static const uint8_t store_id[STORE_ID] = {9, 9, 9};

static const uint8_t master[CRYPT_KEY] = {5};

struct auditlog *
auditlog_make(const struct audit_limits *limits)
{
	struct auditlog *f = calloc(1, sizeof(*f));

	f->path = dirs_make("/tmp");
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY);
	f->keys = keys_derive(master);
	f->limits = *limits;
	map_init(&f->map);
	assert_int_equal(
	    audit_open(&f->audit, f->dir, f->keys, store_id, &f->map, &f->limits), 0);
	auditlog_commit(f);
	return f;
}

void
auditlog_free(struct auditlog *f)
{
	audit_close(&f->audit);
	close(f->dir);
	dirs_remove(f->path);
	keys_free(f->keys);
	map_free(&f->map);
	free(f);
}

const char *
auditlog_name(uint64_t file)
{
	static char name[64];

	snprintf(name, sizeof(name), "audit/audit.log.%" PRIu64, file);
	return name;
}

void
auditlog_add(struct auditlog *f, const char *event)
{
	struct audit_event e = {.principal = "web",
	    .peer = "uid 33 pid 7",
	    .slot = 3,
	    .token = "a \"token\"",
	    .event = event,
	    .detail = "d\xff\n",
	    .rv = 0x30};

	assert_int_equal(audit_append(&f->audit, &e), 0);
}

void
auditlog_run(struct auditlog *f, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		auditlog_add(f, "C_Sign");
		if (i % 5 == 4)
			audit_tend(&f->audit, clock_ms() + 2 * (int64_t)AUDIT_EPOCH_MS);
	}
}

void
auditlog_commit(struct auditlog *f)
{
	struct txn t;
	struct buf body;

	assert_int_equal(audit_sync(&f->audit), 0);
	txn_init(&t);
	audit_put_head(&f->audit, &t);
	buf_init(&body, 1 << 20);
	txn_write(&t, &body);
	assert_true(buf_ok(&body) && txn_apply(&body, &f->map));
	audit_stored(&f->audit);
	buf_free(&body);
	txn_clear(&t);
}

void
auditlog_reopen(struct auditlog *f)
{
	audit_close(&f->audit);
	assert_int_equal(
	    audit_open(&f->audit, f->dir, f->keys, store_id, &f->map, &f->limits), 0);
}

void
auditlog_open_in_child(struct auditlog *f)
{
	f->keys = keys_derive(master);
	f->audit = (struct audit){.fd = -1, .dir = -1};
	auditlog_reopen(f);
}

enum audit_verdict
auditlog_verify(const struct auditlog *f, struct audit_judge *ret)
{
	struct audit_check *c = audit_check_begin(&f->audit);
	enum audit_verdict v;

	assert_non_null(c);
	while ((v = audit_check_step(&f->audit, c, 2)) == AUDIT_MORE)
		;
	*ret = c->judge;
	audit_check_free(c);
	return v;
}

static void
add_file(struct lines *l, uint64_t file, const char *text, size_t len)
{
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl != NULL ? (size_t)(nl - text) + 1 : len;
		char *line = strndup(text, n);

		lines_insert(l, l->n, line, file);
		free(line);
		text += n;
		len -= n;
	}
}

struct lines
lines_load(const struct auditlog *f)
{
	struct lines l = {0};

	for (uint64_t file = audit_base(&f->audit) + 1; file <= f->audit.file; file++) {
		size_t len;
		uint8_t *text = dirs_load(f->path, auditlog_name(file), &len);

		add_file(&l, file, (char *)text, len);
		free(text);
	}
	return l;
}

void
lines_save(const struct auditlog *f, const struct lines *l)
{
	for (uint64_t file = audit_base(&f->audit) + 1; file <= f->audit.file; file++) {
		size_t len = 0;
		char *text = calloc(1, 1 << 20);

		for (size_t i = 0; i < l->n; i++)
			if (l->file[i] == file) {
				memcpy(text + len, l->line[i], strlen(l->line[i]));
				len += strlen(l->line[i]);
			}
		dirs_save(f->path, auditlog_name(file), text, len);
		free(text);
	}
}

void
lines_free(struct lines *l)
{
	while (l->n > 0)
		lines_remove(l, l->n - 1);
	free(l->line);
	free(l->file);
}

void
lines_remove(struct lines *l, size_t i)
{
	free(l->line[i]);
	memmove(l->line + i, l->line + i + 1, (l->n - i - 1) * sizeof(*l->line));
	memmove(l->file + i, l->file + i + 1, (l->n - i - 1) * sizeof(*l->file));
	l->n--;
}

void
lines_insert(struct lines *l, size_t i, const char *line, uint64_t file)
{
	l->line = realloc(l->line, (l->n + 1) * sizeof(*l->line));
	l->file = realloc(l->file, (l->n + 1) * sizeof(*l->file));
	memmove(l->line + i + 1, l->line + i, (l->n - i) * sizeof(*l->line));
	memmove(l->file + i + 1, l->file + i, (l->n - i) * sizeof(*l->file));
	l->line[i] = strdup(line);
	l->file[i] = file;
	l->n++;
}
