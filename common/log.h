/*
 * log.h - one line per event on standard error, for people and for machines.
 *
 * A line is `level process: message key=value ...`; when standard error is the
 * journal ($JOURNAL_STREAM) the level is the syslog prefix <N> instead.  The
 * message says what happened and, for an error, what to do.  Never log a PIN,
 * a key, or bytes that a guest chose without quoting them by log_quote().
 *
 * Lines that a peer can cause as often as it likes are limited (loglimit.h): in a process that
 * lives for one peer all of them, by log_caused_by(); elsewhere each such line by log_may().
 * What tells of the start, the disk and the TPM is not.
 *
 * Threads: any thread may log; a line is one write(2).  Fork: the child keeps
 * the settings and calls log_name() with its own name.
 */
#ifndef CAAS_COMMON_LOG_H
#define CAAS_COMMON_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "common/loglimit.h"

enum log_level { LOG_ERR_, LOG_WARN_, LOG_INFO_, LOG_DEBUG_ };

/* The name that stands before each line, e.g. "vsmd-store". Copied. */
void log_name(const char *name);
/* Lines above `level` are dropped.  The default is LOG_INFO_. */
void log_level(enum log_level level);
/* "error", "warning", "info", "debug" to a level; -1 when it is none of them. */
int log_level_parse(const char *s);

/* May a line be written that `who` has caused? */
bool log_may(const char *who);
/* All lines of this process but debugging are caused by `who`.  Copied. */
void log_caused_by(const char *who);
/* Count in this memory, which other processes count in too, instead of in this process's own. */
void log_share(struct log_limit *l);
/* Tell how many lines were left out, if it is time to.  ms until it will be; -1: none was. */
int log_left_out(void);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* log_error(), then exit(1). */
void log_fatal(const char *fmt, ...)
    __attribute__((format(printf, 1, 2), noreturn));

/* `len` bytes as printable text with \xNN for the rest, cut to fit; returns dst. */
const char *log_quote(char *dst, size_t size, const void *bytes, size_t len);

#endif
