/*
 * usage.h - mistakes on the command line of a program, and numbers on it.
 *
 * Both exit with status 2, after "PROGRAM: what is wrong" and where to look, on standard error.
 * Threads: one, before others are there.
 */
#ifndef CAAS_COMMON_USAGE_H
#define CAAS_COMMON_USAGE_H

void usage_mistake(const char *program, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));
/* `s` of --OPTION, digits alone, in base 8 or 10. */
unsigned long usage_number(const char *program, const char *option, const char *s, int base,
    unsigned long min, unsigned long max);

#endif
