/*
 * taken.c - have a worker that was taken over do something (tests/takeover/hook.h); see
 *client.h
 *
 *	hook NUMBER ATTEMPT [ARGUMENT...]
 */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "tests/takeover/hook.h"

CK_RV
do_hook(struct client *c, char *argv[MOST_WORDS])
{
	char line[2048] = "";
	CK_BYTE text[HOOK_SAYS];
	size_t n = 0;
	CK_RV rv;

	for (size_t i = 0; i < MOST_WORDS && argv[i] != NULL && n < sizeof(line); i++)
		n += (size_t)snprintf(
		    line + n, sizeof(line) - n, "%s%s", i > 0 ? " " : "", argv[i]);
	rv = c->p11->C_SeedRandom(c->session, (CK_BYTE *)line, strlen(line));
	if (rv == CKR_OK)
		rv = c->p11->C_GenerateRandom(c->session, text, sizeof(text));
	if (rv == CKR_OK)
		say(c, " %.*s", (int)strnlen((char *)text, sizeof(text)), (char *)text);
	return rv;
}
