/*
 * server.h - domtd's one loop: requests, operations one after the other, and the world.
 *
 * It is also what the files of that loop share.
 */
#ifndef CAAS_DOMTD_SERVER_H
#define CAAS_DOMTD_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "xen-hooks/domtd/service.h"
#include "xen-hooks/message/message.h"

#define CLIENTS 32
#define WORD_MAX 64

struct options {
	const char *pairs;   /* directory of descriptions */
	const char *runtime; /* directory of the socket and the lock */
	const char *user;    /* of domt-forward */
	struct service service; /* DomT's */
};

enum client_state { CLIENT_NONE, CLIENT_ASKING, CLIENT_WAITING, CLIENT_SERVED };

struct client {
	enum client_state state;
	int fd, file; /* -1: none */
	uid_t uid;
	struct request r;
	uint64_t turn;	   /* who waits is served in this order */
	int64_t heard_by;  /* moment of the next beat; of the request, while ASKING */
};

/* The operation that runs. */
struct running {
	pid_t pid; /* 0: none */
	int pipe;
	struct client *client; /* NULL: it left, or nobody asked */
	char what[WORD_MAX];   /* "create web" */
	bool settle;	       /* or a guest that reboots is made again: nobody asked */
	bool ended; /* its last reply was there */
	bool anew;  /* DomT's service began anew since */
};

struct server {
	const struct options *o;
	uid_t forward; /* who may ask, beside root */
	int listener, signals, watch, lock;
	struct xs_handle *xs; /* of watch */
	struct client clients[CLIENTS];
	struct running running;
	uint64_t turn;
	int64_t look_at; /* moment of the next look at the world */
	bool told;	 /* what is not protected is in the log */

	/* DomT's service.  A mark (service.h) is of a world that it was told, by a process that
	 * looked no earlier. */
	uint8_t mark[SERVICE_MARK];  /* of the last look */
	uint8_t heard[SERVICE_MARK]; /* of what it has heard, while `tell_at` is not 0 */
	int64_t tell_at;	     /* it is told once more then; 0: it may have heard something else */
	int64_t follows;	     /* the domid whose word is watched, -1 */
	char service_text[SERVICE_TEXT]; /* what became of the last time */
	char failure[MESSAGE_TEXT];	 /* of settling, that is in the log */
};

/* Until SIGTERM or SIGINT. */
void server_run(struct server *s);

/* clients.c */
void clients_accept(struct server *s);
/* Its request is there, or it left. */
void client_read(struct server *s, struct client *c);
void client_say(struct server *s, struct client *c, enum reply_kind kind, const char *text);
/* A message as it is; a client that does not take it is closed. */
void client_pass(struct server *s, struct client *c, const struct buf *b);
void client_close(struct server *s, struct client *c);
/* Its operation was cut off.  Whether a save is in its file then is not known, so nothing that
 * is said is the last reply. */
void client_lost(struct server *s, struct client *c, const char *text);
/* Beats, and the end of who does not ask; ms until there is something to do, -1. */
int clients_tick(struct server *s);
/* Who waits longest; NULL. */
struct client *clients_next(struct server *s);

/* look.c */
void look_list(struct server *s, struct client *c);
/* What there is to do: something to settle; the pair whose guest reboots, or ""; DomT's service to
 * be told. */
struct todo {
	bool settle, tell;
	char make[PAIR_NAME];
};
void look(struct server *s, struct todo *ret);

#endif
