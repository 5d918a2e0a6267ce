/* fetch.h - the worker's half of FRAME_FETCH (protocol/fetch.h). */
#ifndef CAAS_VSMD_WORKER_FETCH_H
#define CAAS_VSMD_WORKER_FETCH_H

#include "vsmd/worker/state.h"

/* The search has ended, or has been left active (`more`): append what the reply holds
 * behind code and epoch.  CKR_OK, or why there is no such reply; what was appended is then
 * the caller's to drop. */
CK_RV fetch_write(struct request *r, const CK_OBJECT_HANDLE *handles, CK_ULONG n, bool more);

#endif
