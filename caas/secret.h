/*
 * secret.h - PINs and passphrases: from an option, a file, standard input, or a person.
 *
 * Memory: a secret is in secmem; secret_free() wipes it.
 */
#ifndef CAAS_SECRET_H
#define CAAS_SECRET_H

#include "caas/cmd.h"

#define SECRET_MAX 1024

struct secret {
	char *text; /* terminated; NULL before secret_get() */
	size_t len;
};

/*
 * The secret that --`value` or --`file` give, or that is asked for on the terminal when
 * neither was given and standard input is one; `what` names it ("user PIN").  `twice`:
 * a person types it twice.  CMD_OK, CMD_FAILED or CMD_USAGE.
 */
int secret_get(const struct args *a, enum option_id value, enum option_id file,
    const char *what, bool twice, struct secret *ret);
void secret_free(struct secret *s);

/* tty.c: read a line without echo from the terminal open as fd into `line` (size bytes,
 * terminated).  Its length, or -1 when interrupted, ended, or too long. */
int tty_read_secret(int fd, const char *prompt, char *line, size_t size);
/* tty.c: ask a yes-or-no question on the terminal; false without one. */
bool tty_confirm(const char *question);

#endif
