/*
 * task.h - a process for each operation: libxl blocks, and forks, and domtd answers meanwhile.
 *
 * It has a libxl and an XenStore connection of its own, says replies of message.h on a pipe, the
 * last one of which is REPLY_DONE or REPLY_ERROR, and exits.  REPLY_SERVICE, which it says when it
 * has spoken with DomT's service, or tried to, is for domtd.  It is ended with domtd, and by the
 * kernel when the time of the description is over; what it leaves behind the next look finds.
 */
#ifndef CAAS_DOMTD_TASK_H
#define CAAS_DOMTD_TASK_H

#include <sys/types.h>

#include "xen-hooks/domtd/service.h"
#include "xen-hooks/message/message.h"

struct task {
	const char *pairs;	 /* directory of descriptions */
	const struct request *r; /* NULL: settle, and tell DomT's service what there is */
	int file;		 /* of save and restore, -1: none; stays the caller's */
	int lock;		 /* held by this process too */
	const struct service *service; /* of DomT, or NULL */
};

/* The process, and our end of its pipe; -1 after logging. */
pid_t task_start(const struct task *t, int *ret_pipe);

#endif
