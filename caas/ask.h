/*
 * ask.h - for commands that ask vsmd one thing.
 */
#ifndef CAAS_ASK_H
#define CAAS_ASK_H

#include "caas/client.h"

/* Connect, ask, close.  Steals `arguments`; NULL after the reason was said. */
json_t *ask_once(const struct args *args, const char *call, json_t *arguments);
/* As JSON or for people, by --json. */
void show_object(const struct args *args, const json_t *j);
/* The array that is the answer, or a member of it; NULL after saying so. */
json_t *answer_array(json_t *answer, const char *member);

#endif
