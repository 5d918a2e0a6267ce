/*
 * message.h - what caas, domt-forward and domtd say to each other about pairs.
 *
 * A conversation is one connection of SOCK_SEQPACKET: one request, with at most one descriptor
 * beside it, then replies until one that is last.  A message is one JSON object in one packet,
 * of at most MESSAGE_MAX bytes; a member or a value that is not listed here is refused.
 *
 *	request   {"version":1, "do":"create", "pair":"web", "by":"uid 0 pid 81"}
 *	replies   {"progress":TEXT}   something has happened, or domtd is still at it
 *	          {"note":TEXT}       what an administrator has to know: what is not protected
 *	          {"pairs":[...]}     of list; there may be several
 *	          {"service":TEXT}    of list: DomT's TPM service
 *	          {"done":TEXT}       last: it is done
 *	          {"error":TEXT}      last: it is not, why, and what to do
 *
 * "by" is what domt-forward knows of who asks, for the log; of anybody else it is ignored.
 * "pair" is absent in list alone.  The descriptor is the file of save and restore, opened by who
 * asks: domtd opens no path that a request names.
 *
 * A connection that ends without a last reply leaves open what became of the request.
 *
 * Who waits for a reply hears something every MESSAGE_BEAT at least, and may take
 * MESSAGE_SILENCE for the end.
 */
#ifndef CAAS_XEN_MESSAGE_H
#define CAAS_XEN_MESSAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"

#define MESSAGE_VERSION 1
#define MESSAGE_MAX 32768
#define MESSAGE_REQUEST_MAX 1024
#define MESSAGE_BEAT 5000     /* ms */
#define MESSAGE_SILENCE 30000 /* ms */
#define PAIR_NAME 41	      /* of a pair, and its NUL */
#define MESSAGE_BY 64

enum request_kind {
	REQUEST_CREATE,
	REQUEST_LIST,
	REQUEST_DESTROY,
	REQUEST_SAVE,
	REQUEST_RESTORE,
	REQUEST_FORGET,
	REQUEST_KINDS
};

struct request {
	enum request_kind kind;
	char pair[PAIR_NAME]; /* "" for list */
	char by[MESSAGE_BY];  /* printable, or "" */
};

enum reply_kind {
	REPLY_PROGRESS,
	REPLY_NOTE,
	REPLY_PAIRS,
	REPLY_SERVICE,
	REPLY_DONE,
	REPLY_ERROR,
	REPLY_KINDS
};

/* The word after "do". */
const char *request_word(enum request_kind kind);
/* A file comes with it. */
bool request_has_file(enum request_kind kind);
/* Letters, digits and ._-, the first a letter or digit; it becomes part of file names. */
bool pair_name_ok(const char *name);

/* b is reset first; its bound must be MESSAGE_MAX or more. */
void request_write(struct buf *b, const struct request *r);
/* False: it is none; *ret is undefined. */
bool request_read(const struct buf *b, struct request *ret);

/* Text is made printable, and cut at MESSAGE_TEXT. */
#define MESSAGE_TEXT 1024
void reply_write(struct buf *b, enum reply_kind kind, const char *text);
/* `pairs` stays the caller's.  buf_ok() fails when they do not fit. */
void reply_pairs(struct buf *b, const json_t *pairs);
bool reply_last(enum reply_kind kind);
/* False: it is none.  The value, a string or an array of objects, is a new reference. */
bool reply_read(const struct buf *b, enum reply_kind *ret_kind, json_t **ret_value);

#endif
