/*
 * drop.h - dom0 gives up what FLASK lets it do while the machine boots: it relabels
 * itself.
 *
 * There is no way back before the machine is booted again; the policy (boot.te) has none.
 */
#ifndef CAAS_XEN_HOOKS_FLASK_DROP_H
#define CAAS_XEN_HOOKS_FLASK_DROP_H

#include <stdbool.h>

#define DROP_LABEL "system_u:system_r:dom0_t"

/*
 * Label this domain, which must be dom0, with `label', and see that it has it.  With
 * `tpm' it first loses the pages of the TPM's localities 1 to 4, which only the next boot
 * gives back: a driver that has them mapped keeps its mapping.  Done already is done.
 * false: it has not been done, and a line in the log says why and what to do.
 */
bool drop(const char *label, bool tpm);

#endif
