/*
 * call.h - a call that the worker answers.
 *
 * Threads: any.
 */
#ifndef CAAS_P11_CALL_H
#define CAAS_P11_CALL_H

#include "protocol/calls.h"

/* A row that is SLOT or SESSION; args are the C parameters, one struct arg for each. */
CK_RV call_worker(const struct call *call, const struct arg *args);
/* A row that is UNSERVED. */
CK_RV call_nobody(void);

#endif
