/*
 * embedded_command.h - one raw command to an swtpm on a unix socket, within a time.
 *
 * For what must not hang in a library: is it there, and shut down.
 */
#ifndef CAAS_TPM_EMBEDDED_COMMAND_H
#define CAAS_TPM_EMBEDDED_COMMAND_H

#include <stdint.h>
#include <sys/types.h>

#define EMBEDDED_GET_TEST_RESULT 0x0000017c
#define EMBEDDED_SHUTDOWN	 0x00000145

/*
 * Send `command` (Shutdown with SU_CLEAR) to the socket at `path`; the TPM's return code
 * is put in *ret_rc.  0, or -1: it did not answer within `ms`, or `pid` (0: do not look)
 * ended first.
 */
int embedded_command(const char *path, uint32_t command, pid_t pid, int ms, uint32_t *ret_rc);

#endif
