/*
 * greedy.c - takes as much of one thing as it gets, says what the last answer was, and holds
 * what it has until its standard input ends.
 *
 *	caas-e2e-greedy MODULE TOKEN PIN sessions|objects|memory|digests
 *
 * Prints `THING=N CODE`: how many it got, and what the next was refused with.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plain.h"
#include "protocol/names.h"

#define MOST 100000
#define LARGE 262144

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static CK_SESSION_HANDLE first;

static CK_RV
open_session(void)
{
	CK_SESSION_HANDLE s;

	return p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s);
}

static CK_RV
make(CK_BBOOL *token, void *value, CK_ULONG len)
{
	CK_OBJECT_CLASS data = CKO_DATA;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &data, sizeof(data)}, {CKA_TOKEN, token, 1},
	    {CKA_PRIVATE, &no, 1}, {CKA_VALUE, value, len}};
	CK_OBJECT_HANDLE o;

	return p11->C_CreateObject(first, t, 4, &o);
}

static CK_RV
make_object(void)
{
	static char value[] = "x";

	return make(&yes, value, 1);
}

static CK_RV
make_large(void)
{
	static char value[LARGE];

	return make(&no, value, sizeof(value));
}

static CK_RV
digest(void)
{
	CK_MECHANISM sha = {CKM_SHA256, NULL, 0};
	CK_BYTE out[32];
	CK_ULONG len = sizeof(out);
	CK_RV rv = p11->C_DigestInit(first, &sha);

	return rv != CKR_OK ? rv : p11->C_Digest(first, (CK_BYTE *)"x", 1, out, &len);
}

int
main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		CK_RV (*take)(void);
	} things[] = {{"sessions", open_session}, {"objects", make_object},
	    {"memory", make_large}, {"digests", digest}};
	CK_RV rv = CKR_OK;
	size_t thing = 0;
	unsigned n = 0;
	char byte;

	for (; argc == 5 && thing < 4 && strcmp(things[thing].name, argv[4]) != 0; thing++)
		;
	if (argc != 5 || thing == 4)
		errx(2, "usage: caas-e2e-greedy MODULE TOKEN PIN sessions|objects|memory|digests");
	load(argv[1]);
	must(p11->C_Initialize(NULL), "C_Initialize");
	find_slot(argv[2]);
	must(p11->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &first),
	    "C_OpenSession");
	must(p11->C_Login(first, CKU_USER, (CK_UTF8CHAR *)argv[3], strlen(argv[3])), "C_Login");
	while (n < MOST && (rv = things[thing].take()) == CKR_OK)
		n++;
	printf("%s=%u %s\n", argv[4], n, ck_rv_name(rv));
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
