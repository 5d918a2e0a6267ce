/*
 * store.h - the store process: TPM, master key, sealed store, audit log.
 *
 * The only process that has the master key and the only one that touches the disk.  It
 * keeps SoftHSM2's token directories in memory (config->memory, a tmpfs that the
 * supervisor made) in step with the sealed store (config->state):
 *
 *   memory/slots/N/       directories.tokendir of slot N (holds at most one token)
 *   memory/gates/N        the gate file of slot N (vsmd/worker/gate.h)
 *   state/                see docs/store.md
 *
 * It hears of changes by inotify, so a commit reads only what changed.
 */
#ifndef CAAS_VSMD_STORE_H
#define CAAS_VSMD_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "tpm/tpm.h"

struct store_config {
	const char *state;  /* directory on disk, ours alone (0700) */
	const char *memory; /* directory on tmpfs */
	const char *tpm;    /* address for tpm_open() */
	struct tpm_policy policy;
	const char *approvals; /* directory of approvals */
	bool anchor;	       /* the TPM says which state was the last (anchor.h) */
	unsigned anchor_budget; /* writes of the anchor a day, 0: as many as come */
	const char *tpm_state; /* directory of an embedded TPM's state, or NULL */
	unsigned gate_patience; /* ms for which a gate may be held up; 0: a minute */
	uint64_t audit_rotate; /* bytes of a file of the audit log; 0: any number */
	unsigned audit_keep;   /* files of it; 0: all */
	unsigned pin_tries;    /* 0: no lock-out (sandbox) */
	bool sandbox; /* log less alarm about a local TPM's weakness, more elsewhere */
};

/*
 * Run the store process until M_S_STOP or the supervisor is gone: open, verify, restore
 * the directories, confine, say M_T_SLOTS, serve.  Returns the exit status; a failure to
 * open has been logged with the file's name and what to do.
 */
int store_main(int supervisor, const struct store_config *config);

#endif
