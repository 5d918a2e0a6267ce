/*
 * audit.h - what the files of `caas audit` have in common.
 */
#ifndef CAAS_AUDIT_H
#define CAAS_AUDIT_H

#include <jansson.h>

#include "caas/cmd.h"

/* What a verification has found, for people or as JSON; j is released.  An exit code. */
int audit_findings(const struct args *args, json_t *j);
/* verify --log: files that were exported or copied, without a vsmd. */
int audit_offline(const struct args *args);

#endif
