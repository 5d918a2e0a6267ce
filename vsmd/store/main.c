/* main.c - store_main(): open, close the door, serve; see store.h */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/proctitle.h"
#include "common/secmem.h"
#include "vsmd/confine/confine.h"
#include "vsmd/store/backup.h"
#include "vsmd/store/clock.h"
#include "vsmd/store/commit.h"
#include "vsmd/store/loop.h"
#include "vsmd/store/sealer.h"
#include "vsmd/store/dirwatch.h"

/* Nothing of this process reaches a disk: no core, no trace, no swap. */
static int
lock_down(const struct store_config *config, bool *ret_locked)
{
	struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    setrlimit(RLIMIT_CORE, &none) != 0) {
		log_error("cannot switch off core dumps: %s", strerror(errno));
		return -1;
	}
	/* With a limit a later allocation would fail instead of staying unlocked. */
	if (setrlimit(RLIMIT_MEMLOCK, &all) == 0 &&
	    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0) {
		*ret_locked = true;
		return 0;
	}
	if (config->sandbox)
		log_info("memory is not locked: keys may reach the swap device");
	else
		log_warn("memory is not locked, keys may reach the swap device: "
			 "set LimitMEMLOCK=infinity");
	return 0;
}

static int
open_vault(struct store *s)
{
	struct anchor *anchor = s->config->anchor ? &s->anchor : NULL;
	enum vault_state state;
	int dir, r;

	if (anchor == NULL)
		log_warn(
		    "anchor = off: an older copy of the whole state directory opens as "
		    "the last one does");
	if ((dir = vault_lock(s->config->state)) < 0)
		return -1;
	state = vault_look(dir);
	if (state == VAULT_DAMAGED || (state == VAULT_EMPTY && vault_prepare(dir) != 0) ||
	    master_open(s->config, dir, state == VAULT_EMPTY, &s->master) != 0)
		return -1;
	if (anchor != NULL && anchor_tpm_init(&s->anchor_tpm, anchor, s->sealer,
				  &s->master, s->config->tpm_state) != 0)
		return -1;
	r = state == VAULT_EMPTY
		? vault_create(&s->vault, dir, s->master.key, s->master.store, anchor)
		: vault_open(&s->vault, dir, s->master.key, anchor);
	/* Of a rolled-back store nothing is written, the diary neither. */
	if (r == 0 && !s->vault.rolled_back)
		r = store_open_audit(s);
	s->audit_committed = s->audit.at.seq;
	return r;
}

static void
say_rolled_back(struct store *s)
{
	log_error(
	    "the store is ROLLED BACK: %s: no token is served, and nothing is written; "
	    "put the right state directory back and restart, or, where this is all "
	    "there is, let the SO accept it: caas token accept-rollback --label LABEL",
	    s->vault.why);
	store_say_rolled_back(s);
}

static int
open_slot(struct store *s, struct slot *slot)
{
	slot->epoch = s->vault.journal.at.sequence;
	if (slot->rolled_back)
		log_error("slot %" PRIu32
			  ": this token is rolled back, and not served until "
			  "its SO accepts it: caas token accept-rollback --label LABEL",
		    slot->number);
	else if (s->vault.rolled_back)
		slot->rolled_back = true;
	return slot->rolled_back ? 0 : store_restore(s, slot);
}

static int
open_slots(struct store *s)
{
	if (memory_open(&s->memory, s->config->memory) != 0 ||
	    !slot_table_load(&s->slots, &s->vault.map) ||
	    !slot_table_limit(&s->slots, memory_slot_path_max(&s->memory)))
		return -1;
	if ((s->watch = dirwatch_open(&s->slots)) < 0) {
		log_error("inotify: %s", strerror(errno));
		return -1;
	}
	for (size_t i = 0; i < s->slots.n; i++)
		if (open_slot(s, s->slots.all[i]) != 0)
			return -1;
	return store_make_blank(s);
}

static int
close_door(const struct store *s)
{
	const struct confine_path paths[] = {
	    {s->config->state, true}, {s->config->memory, true}};
	const int own[] = {SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_rm_watch)};
	int calls[128];
	struct confine c = {
	    .role = "store", .paths = paths, .npaths = 2, .syscalls = calls};

	if (confine_files_count + sizeof(own) / sizeof(own[0]) >
	    sizeof(calls) / sizeof(calls[0]))
		return -1;
	for (size_t i = 0; i < confine_files_count; i++)
		calls[c.nsyscalls++] = confine_files[i];
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		calls[c.nsyscalls++] = own[i];
	return confine(&c);
}

/* What libraries open at first use, while there is a door to open it through. */
static void
warm_up(void)
{
	uint8_t out[CRYPT_KEY], zero[CRYPT_KEY] = {0}, sig[CRYPT_SIGNATURE];
	struct tm tm;
	time_t now = time(NULL);

	json_object_seed(0);
	(void)crypt_derive(zero, NULL, 0, "warm", out);
	(void)crypt_scrypt("", 0, zero, 16, 10, out);
	(void)crypt_random(out, sizeof(out));
	(void)crypt_public(zero, out);
	(void)crypt_sign(zero, "", 0, sig);
	(void)crypt_verify(out, "", 0, sig);
	tzset();
	(void)gmtime_r(&now, &tm);
}

static int
run(struct store *s)
{
	struct audit_event start = {.principal = "",
	    .peer = "",
	    .slot = -1,
	    .token = "",
	    .event = "store-start",
	    .detail = s->master.tpm};

	if (open_vault(s) != 0 || open_slots(s) != 0)
		return 1;
	warm_up();
	if (close_door(s) != 0)
		return 1;
	if (!s->vault.rolled_back &&
	    (audit_append(&s->audit, &start) != 0 || audit_sync(&s->audit) != 0))
		log_warn("audit log: %s", strerror(errno));
	/* What vouches for a new log is the store. */
	if (s->audit.begun)
		(void)commit_rest(s);
	log_info("open: sequence %" PRIu64 ", %zu tokens, %s",
	    s->vault.journal.at.sequence, slot_table_tokens(&s->slots), s->master.tpm);
	store_say_seed(s);
	store_say_slots(s);
	if (s->vault.rolled_back)
		say_rolled_back(s);
	s->anchor_tpm.failed = store_say_tpm_failed;
	s->anchor_tpm.failed_arg = s;
	return loop_run(s);
}

int
store_main(int supervisor, const struct store_config *config)
{
	struct store *s = calloc(1, sizeof(*s));
	struct sealer sealer;
	int status;

	log_name("vsmd-store");
	proctitle_set("vsmd-store", config->state);
	if (s == NULL || sealer_start(&sealer, config) != 0 ||
	    lock_down(config, &s->locked) != 0) {
		free(s);
		return 1;
	}
	s->config = config;
	s->supervisor = supervisor;
	s->sealer = &sealer;
	s->watch = s->memory.slots = s->memory.gates = -1;
	s->audit.fd = s->audit.dir = -1;
	s->vault.journal.fd = -1;
	s->anchor_tpm.state = -1;
	wear_init(&s->wear, config->anchor_budget, clock_ms());
	revoked_init(&s->revoked);
	txn_init(&s->group);
	transfers_init(&s->transfers, BACKUP_MAX);
	status = run(s);

	for (struct attach *a = s->attached; a != NULL; a = a->next)
		a->dead = true;
	attached_reap(s);
	transfers_end(&s->transfers, NULL);
	txn_clear(&s->group);
	revoked_free(&s->revoked);
	slot_table_free(&s->slots);
	memory_close(&s->memory);
	audit_close(&s->audit);
	vault_close(&s->vault);
	anchor_tpm_free(&s->anchor_tpm);
	master_free(&s->master);
	sealer_end(&sealer);
	free(s);
	return status;
}
