/*
 * hook.h - a worker that was taken over: caas-takeover-hook.
 *
 * It is SoftHSM2's module but for two calls, and vsmd is told to load it (softhsm =).
 * C_SeedRandom with the text
 *
 *	hook NUMBER ATTEMPT ARGUMENT
 *
 * runs that attempt in the worker, and C_GenerateRandom of HOOK_SAYS bytes says what came of
 * it: OK, or what stood against it.  A worker that is killed by its attempt says so by the
 * next one, which gets the same call from the application, sees that the NUMBER was tried,
 * and does nothing: the workers of a slot share what was said.
 *
 * Attempts make their system calls by syscall(2): functions of libc may be vsmd's own here
 * (vsmd/worker/view.h).
 */
#ifndef CAAS_TEST_HOOK_H
#define CAAS_TEST_HOOK_H

#define HOOK_SAYS 2048
#define HOOK_GONE "killed"

/* A function of that name with what follows it in the command. */
typedef void attempt(char *arg);

struct attempt {
	const char *name;
	attempt *act;
};

/* What came of it, as printf. */
void said(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* OK, or the name of errno, of what a system call returned. */
void said_rc(long rc);
/* The next word of arg, and what follows; NULL: there is none. */
char *next_word(char **arg);
/* A number, or 0. */
long next_number(char **arg);

/* Ends with a name of NULL. */
extern const struct attempt file_attempts[], pipe_attempts[], call_attempts[];
/* A system call; false: there is none of that name.  `names' has them all. */
int call_attempt(const char *name, char *arg);

#endif
