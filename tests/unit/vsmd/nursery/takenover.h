/* takenover.h - what a worker tries that was taken over */
#ifndef CAAS_TEST_TAKENOVER_H
#define CAAS_TEST_TAKENOVER_H

#include <stdbool.h>

enum attempt {
	TRY_OWN_SLOT, /* this one works: the others fail for a reason */
	TRY_PASSWD,
	TRY_OTHER_SLOT,
	TRY_WRITE_OTHER,
	TRY_MEMORY,
	TRY_PARENT_MEMORY,
	TRY_SOCKET,
	TRY_UNIX_SOCKET,
	TRY_KILL,
	TRY_PTRACE,
	TRY_EXEC,
	TRY_FORK,
	TRY_DUMPABLE
};

#endif
