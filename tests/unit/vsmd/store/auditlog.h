/*
 * auditlog.h - an audit log without its store: files in a directory of the test's own,
 * and the map as the store would have it at the last commit.
 *
 * Every function fails the test itself when something is wrong.
 */
#ifndef STORE_TEST_AUDITLOG_H
#define STORE_TEST_AUDITLOG_H

#include "vsmd/store/audit_verify.h"

struct auditlog {
	char *path;
	int dir;
	struct store_keys *keys;
	struct map map;
	struct audit_limits limits;
	struct audit audit;
};

struct auditlog *auditlog_make(const struct audit_limits *limits);
void auditlog_free(struct auditlog *f);
/* "audit/audit.log.N"; good until the next call. */
const char *auditlog_name(uint64_t file);
void auditlog_add(struct auditlog *f, const char *event);
/* n records, each followed by what the loop of the store does; hours go by between. */
void auditlog_run(struct auditlog *f, unsigned n);
/* Sync, and have the map as a commit leaves it. */
void auditlog_commit(struct auditlog *f);
void auditlog_reopen(struct auditlog *f);
/* In a forked child, which has no secrets: open it anew. */
void auditlog_open_in_child(struct auditlog *f);
enum audit_verdict auditlog_verify(const struct auditlog *f, struct audit_judge *ret);

/* All lines of all files, as one array of strings with their newlines. */
struct lines {
	char **line;
	uint64_t *file;
	size_t n;
};
struct lines lines_load(const struct auditlog *f);
/* Write the files anew. */
void lines_save(const struct auditlog *f, const struct lines *l);
void lines_free(struct lines *l);
void lines_remove(struct lines *l, size_t i);
void lines_insert(struct lines *l, size_t i, const char *line, uint64_t file);

#endif
