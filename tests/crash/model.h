/*
 * model.h - what the tokens hold, as the harness sees it, and as a store shows it.
 *
 * Both are written as the same text, so that what should be and what is can be compared,
 * and read.  Everything that a guest or an administrator can see is in it: slots, labels,
 * serials, every file, PINs, wrong PINs, tickets, names of requests, what is rolled back.
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include "vsm.h"

#define MODEL_TOKENS 6
#define MODEL_FILES 12
#define MODEL_TICKETS 4
#define MODEL_NAMES 4
#define MODEL_TEXT 4096

struct model_file {
	char name[24];
	unsigned version; /* says what is in it */
	size_t size;
};

struct model_token {
	bool there, rolled_back;
	uint32_t slot;
	char label[16], serial[17];
	struct model_file files[MODEL_FILES];
	size_t nfiles;
	unsigned so_pin, user_pin; /* versions; user_pin 0: none */
	unsigned wrong[2];	   /* in a row: SO, user */
	unsigned epoch;		   /* of logins */
	unsigned revoked;	   /* bits: tickets that were logged out, durably */
	unsigned named;		   /* bits: requests whose names are known */
};

struct model {
	struct model_token tokens[MODEL_TOKENS];
	bool rolled_back; /* the store is */
	unsigned loose;	  /* bits: tickets whose logout no commit has followed yet */
};

/* Logins that were made in the history, with what opens them. */
struct model_ticket {
	uint32_t slot;
	unsigned epoch;
	struct buf data;
};
extern struct model_ticket model_tickets[MODEL_TICKETS];

struct model_token *model_find(struct model *m, const char *label);
struct model_file *model_file(struct model_token *t, const char *name);
/* Make or change a file. */
void model_put(struct model_token *t, const char *name, unsigned version, size_t size);
void model_remove(struct model_token *t, const char *name);
/* A commit was made: logouts before it are durable. */
void model_committed(struct model *m);
/* The bytes of a file. */
void model_bytes(const struct model_file *f, uint8_t *out);
void model_once(unsigned name, uint8_t out[16]);

/* As text.  Tickets that are loose are as `revoked` says. */
void model_write(const struct model *m, bool revoked, char out[MODEL_TEXT]);
/* What a running store shows; false when it ends meanwhile. */
bool model_look(struct vsm *v, char out[MODEL_TEXT]);
/* Is that text one of the model's?  Then what was loose in it is settled. */
bool model_is(struct model *m, const char *text);

#endif
