/*
 * super.h - the inside of the supervisor: what its files share.
 *
 * Each file owns one part of struct super.  A part with deadlines has x_tick(), which
 * the loop calls after every event and which returns when it wants to be called again
 * at the latest (milliseconds of CLOCK_MONOTONIC; NEVER for not at all).
 *
 * Threads: one.  Fork: a child forgets all of this (child.c).
 */
#ifndef CAAS_VSMD_SUPERVISOR_SUPER_H
#define CAAS_VSMD_SUPERVISOR_SUPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "protocol/hello.h"
#include "tpm/embedded.h"
#include "vsmd/metrics/page.h"
#include "vsmd/policy/config.h"
#include "vsmd/policy/grant.h"

#define NEVER INT64_MAX

struct super;

/* A descriptor in the loop; embedded in whatever it belongs to. */
struct watch {
	int fd;
	uint32_t events;
	void (*ready)(struct super *s, struct watch *w, uint32_t events);
};

enum phase {
	PHASE_OPEN, /* the store opens; nobody is served yet */
	PHASE_SERVE,
	PHASE_DRAIN, /* nobody is accepted, nurseries and administrators end */
	PHASE_CLOSE, /* the store ends */
	PHASE_DONE
};

/* greet.c: a peer that has connected and not yet said all of its hello. */
struct greet {
	struct watch watch;
	struct greet *next;
	struct channel *channel;
	struct peer peer;
	uint8_t bytes[HELLO_LEN];
	size_t got;
	int64_t until;
};

/* attach.c: an application whose nursery is not ready, or whose pipe is full. */
struct attach {
	struct attach *next;
	int channel;
	int store; /* worker's end of its pipe to the store, once that has been told; -1
		    */
	uint8_t hello[HELLO_LEN];
	char principal[GRANT_NAME];
	struct buf grant;
	int64_t until;
};

/* nurseries.c */
struct nursery {
	struct watch watch; /* fd -1 when the pipe is closed */
	struct nursery *next;
	uint32_t slot;
	pid_t pid;   /* also its process group, which holds its workers */
	bool reaped; /* the nursery itself; its group may live a moment longer */
	bool ready, retired;
	int64_t ready_by;
	struct {
		char (*principals)[GRANT_NAME]; /* handed over, in order */
		size_t n;
	} starting;
	struct {
		struct worker {
			pid_t pid;
			char principal[GRANT_NAME];
		} * list;
		size_t n;
	} workers;
};

enum slot_state {
	SLOT_OPEN,
	SLOT_KILLING,	/* M_T_DISCARD came: its processes end */
	SLOT_REBUILDING /* M_S_DISCARDED went: until the next M_T_SLOTS */
};

/* slots.c */
struct slot {
	uint32_t id;
	bool listed; /* in the last M_T_SLOTS */
	bool initialized;
	char label[GRANT_NAME];
	char serial[GRANT_NAME];
	char *directory;
	enum slot_state state;
	int64_t kill_by; /* SLOT_KILLING: when its processes get SIGKILL; NEVER: they did */
	struct nursery *nursery; /* the one that takes new applications, or NULL */
	struct attach *queue;
	unsigned failures; /* nurseries in a row that ended before they were ready */
	int64_t retry_at;
	int counters; /* descriptor of what its workers count (counters.h), or -1 */
};

struct count {
	char principal[GRANT_NAME];
	unsigned n;
};

/* vchanproc.c: an address whose channels a process of its own keeps. */
struct vchan {
	struct watch watch; /* fd -1 when the pipe is closed */
	const char *address;
	uint32_t domid;
	pid_t pid; /* 0: none */
	bool ready;
	unsigned failures;
	int64_t retry_at, since;
};

struct super {
	const char *file;
	struct config *config; /* of now */
	struct config *boot;   /* what the processes were started with */
	enum phase phase;
	int64_t phase_until;
	int exit_status;
	int epoll;
	uint8_t instance[HELLO_APP_LEN];
	int64_t started;

	struct watch signals;
	bool signalled_stop, signalled_reload, signalled_child;
	unsigned stops;

	struct watch listeners[CONFIG_MAX_LISTEN];
	struct listener *listening[CONFIG_MAX_LISTEN];
	size_t nlisteners;
	int64_t accept_again; /* after descriptors ran out */
	struct vchan vchans[CONFIG_MAX_LISTEN];
	size_t nvchans;

	struct greet *greets;
	struct slot **slots;
	size_t nslots;
	uint64_t epoch;
	struct nursery *nurseries;

	struct {
		struct watch watch;
		pid_t pid; /* 0: none */
		bool ready, stopping;
		unsigned failures;
		int64_t retry_at, since;
	} store;

	struct {
		bool wanted;
		struct embedded_tpm tpm; /* pid 0: not running */
		unsigned failures;
		int64_t retry_at, since;
	} tpm;

	struct {
		struct watch watch;
		pid_t pid; /* 0: none */
		bool ending;
		unsigned failures;
		int64_t retry_at, since;
		int64_t window; /* ms: since when it has asked so often */
		size_t asked;
	} metrics;
	uint64_t tally[NUMBERS_SUPERVISOR]; /* what happened, by enum number */

	pid_t *admins;
	size_t nadmins;

	struct {
		struct count *counts;
		size_t n;
		unsigned total;
		unsigned by_files; /* applications that there are descriptors for; 0: any */
	} limits;

	struct {
		char *path; /* where token directories are in clear */
		bool mounted;
		char *link; /* names `path` for the next start, when not mounted */
	} memory;
	int lock_runtime, lock_state;

	struct {
		uint64_t interval; /* ms; 0: no watchdog */
		int64_t next;
	} watchdog;
};

/* run.c */
int64_t now_ms(void);
int watch_add(struct super *s, struct watch *w, int fd, uint32_t events);
void watch_events(struct super *s, struct watch *w, uint32_t events);
/* Out of the loop; the descriptor stays open and is the caller's. */
int watch_remove(struct super *s, struct watch *w);
void super_phase(struct super *s, enum phase phase, int64_t seconds);
/* Begin an orderly stop; the first status that is not 0 stays. */
void super_stop(struct super *s, int status);

/* signals.c */
int signals_init(struct super *s);
void signals_close(struct super *s);
/* In a child: back to the defaults, nothing blocked. */
void signals_child(void);
/* Collect every child that ended. */
void signals_reap(struct super *s);

/* child.c: fork one of our processes.  0 in the child, which has the title and the
 * descriptors in `keep` (at most 3) and dies with the supervisor; -1 after logging. */
pid_t child_fork(struct super *s, const char *name, const int *keep, size_t nkeep);

/* listen.c */
int listen_open(struct super *s);
void listen_close(struct super *s);
int64_t listen_tick(struct super *s, int64_t now);

/* greet.c */
void greet_begin(struct super *s, struct channel *channel, const struct peer *peer);
int64_t greet_tick(struct super *s, int64_t now);
void greet_close_all(struct super *s, enum hello_status status);
/* Peers that have not said all of their hello. */
unsigned greet_count(const struct super *s);
/* Of the identity that has the most of them. */
unsigned greet_most(const struct super *s);
/* Answer with a refusal (or HELLO_OK and the slots) and close. */
void greet_refuse(struct super *s, struct channel *channel, enum hello_status status);

/* slots.c */
struct slot *slot_find(const struct super *s, uint32_t id);
/* M_T_SLOTS after its first byte.  False: malformed. */
bool slots_update(struct super *s, struct buf *b);
/*
 * M_T_DISCARD after its first byte.  False: malformed.  Workers whose commit failed tell
 * their guests so, and end by themselves; a moment later the others are killed.
 */
bool slots_discard(struct super *s, struct buf *b);
int64_t slots_tick(struct super *s, int64_t now);
/* A process group of the slot is gone: go on with a discard. */
void slots_nursery_gone(struct super *s, uint32_t id);
/* The store is gone: nothing is rebuilt, everything is refused. */
void slots_store_gone(struct super *s);
void slots_free(struct super *s);
bool slot_visible(const struct super *s, const struct slot *slot, const char *principal,
    const struct hello_hint *hint);

/* attach.c.  The channel and the grant's place in the limits are attach_add()'s. */
void attach_add(struct super *s, struct slot *slot, int channel, const uint8_t *hello,
    const struct grant *grant);
void attach_flush(struct super *s, struct slot *slot);
void attach_refuse_all(struct super *s, struct slot *slot, enum hello_status status);
int64_t attach_tick(struct super *s, int64_t now);

/* nurseries.c */
int nursery_fork(struct super *s, struct slot *slot);
/* No more applications; it ends once its workers have. */
void nursery_retire(struct super *s, struct slot *slot);
void nursery_kill(struct nursery *n);
void nurseries_kill_slot(struct super *s, uint32_t id);
bool nurseries_of_slot(const struct super *s, uint32_t id);
void nurseries_kill_all(struct super *s);
/* Close their pipes: they end in order. */
void nurseries_end_all(struct super *s);
/* The process was a nursery or a worker. */
bool nurseries_exited(struct super *s, pid_t pid, int status);
int64_t nurseries_tick(struct super *s, int64_t now);

/* workers.c: what a nursery says about its workers.  False: a breach. */
bool workers_handed_over(struct nursery *n, const char *principal);
bool workers_started(struct super *s, struct nursery *n, pid_t pid);
bool workers_failed(struct super *s, struct nursery *n, const char *why);
bool workers_exited(struct super *s, struct nursery *n, pid_t pid, int status);
bool workers_of(const struct nursery *n, pid_t pid);
/* Has or gets the slot any? */
bool workers_of_slot(const struct super *s, uint32_t slot);
void workers_forget_all(struct super *s, struct nursery *n);
/* Workers of the slot, and the sessions that they say they have: of all, and of the one with
 * the most. */
uint32_t workers_count(const struct super *s, uint32_t slot);
uint64_t workers_sessions(
    const struct super *s, const struct slot *slot, const struct counters *counters);
uint32_t workers_most_sessions(const struct super *s);
/* KiB of data of the largest worker; -1: the kernel does not say. */
int64_t workers_most_memory(const struct super *s);
/* Threads of the one that has the most; -1: the same. */
int64_t workers_most_threads(const struct super *s);

/* adminproc.c */
void admin_start(struct super *s, struct channel *channel, const uint8_t *hello,
    const struct grant *grant);
bool admin_exited(struct super *s, pid_t pid, int status);
void admin_kill_all(struct super *s);

/* storeproc.c */
int store_start(struct super *s);
/* -1: its pipe is full or it is gone. */
int store_send(struct super *s, const struct buf *b, const int *fds, size_t nfds);
void store_end(struct super *s);
void store_kill(struct super *s);
bool store_exited(struct super *s, pid_t pid, int status);
int64_t store_tick(struct super *s, int64_t now);
/* The pipe was full: tell attach.c when it no longer is. */
void store_wait_room(struct super *s);

/* tpmproc.c */
int tpm_start(struct super *s);
bool tpm_exited(struct super *s, pid_t pid, int status);
int64_t tpm_tick(struct super *s, int64_t now);
/* It is in failure mode: end it, so that it is started anew. */
void tpm_kill(struct super *s);
void tpm_end(struct super *s);

/* vchanproc.c: an address for which transport_stays().  Waits until somebody listens there; -1
 * after logging. */
int vchan_open(struct super *s, const char *address);
/* No new channels; those that there are end with their workers. */
void vchan_close_all(struct super *s);
bool vchan_exited(struct super *s, pid_t pid, int status);
int64_t vchan_tick(struct super *s, int64_t now);

/* metricsproc.c */
bool metrics_exited(struct super *s, pid_t pid, int status);
void metrics_kill(struct super *s);
/* End it; the next has the configuration of now. */
void metrics_restart(struct super *s);
int64_t metrics_tick(struct super *s, int64_t now);

/* limits.c */
#define GREETS_MAX 256	   /* peers that have not said hello */
#define GREETS_MAX_EACH 32 /* of one identity */
#define GREETS_DEADLINE 5000 /* ms for the whole hello */
#define ADMINS_MAX 16
/* Look how many descriptors there are. */
void limits_init(struct super *s);
/* Most applications at a time, as configured and as there are descriptors. */
unsigned limits_applications(const struct super *s);
bool limits_take(struct super *s, const char *principal);
void limits_drop(struct super *s, const char *principal);
bool limits_greet(const struct super *s, const struct peer *peer);
void limits_free(struct super *s);

/* memory.c: -1 after logging. */
int memory_make(struct super *s, uid_t uid, gid_t gid);
/* Forget every token in clear. */
void memory_empty(struct super *s);
void memory_remove(struct super *s);

/* places.c: the directories and their locks; -1 after logging. */
int places_open(struct super *s, uid_t uid, gid_t gid);
void places_close(struct super *s);

/* harden.c */
void harden_limits(void);
/* Give up root for the user of the configuration; -1 after logging. */
int harden_user(const struct config_settings *c, uid_t *ret_uid, gid_t *ret_gid);
int harden_drop(const struct config_settings *c);
int harden_deny(void);

/* reload.c */
void reload(struct super *s);

/* notify.c */
void notify_ready(struct super *s);
void notify_reloading(void);
void notify_stopping(void);
void notify_status(const char *status);
void notify_watchdog_init(struct super *s);
int64_t notify_tick(struct super *s, int64_t now);

/* status.c: the supervisor's part of `caas status`, JSON; free() it.  NULL: no memory. */
char *status_json(const struct super *s);

#endif
