/* find.c - see find.h */
#include "tests/soak/find.h"

#include <stdlib.h>
#include <string.h>

#define AT_ONCE 16

CK_ATTRIBUTE
find_text(CK_ATTRIBUTE_TYPE type, const char *s)
{
	CK_ATTRIBUTE a = {type, (void *)(uintptr_t)s, strlen(s)};

	return a;
}

CK_ULONG
find_all(struct job *j, CK_OBJECT_CLASS class, CK_ATTRIBUTE a, CK_OBJECT_HANDLE *ret,
    CK_ULONG room)
{
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, a};
	CK_OBJECT_HANDLE some[AT_ONCE];
	CK_ULONG n, all = 0;

	MUST(j, C_FindObjectsInit, j->session, t, COUNT(t));
	do {
		n = 0;
		MUST(j, C_FindObjects, j->session, some, AT_ONCE, &n);
		for (CK_ULONG i = 0; i < n; i++, all++)
			if (all < room)
				ret[all] = some[i];
	} while (n > 0);
	MUST(j, C_FindObjectsFinal, j->session);
	return all;
}

CK_OBJECT_HANDLE
find_one(struct job *j, CK_OBJECT_CLASS class, CK_ATTRIBUTE a)
{
	CK_OBJECT_HANDLE h = CK_INVALID_HANDLE;
	CK_ULONG n = find_all(j, class, a, &h, 1);

	if (n != 1)
		fail(j, "%lu objects of class %lu are `%.*s', not 1", n, class,
		    (int)a.ulValueLen, (const char *)a.pValue);
	return h;
}

void
find_value(struct job *j, CK_OBJECT_HANDLE h, CK_ATTRIBUTE_TYPE type, char ret[NAME_MOST])
{
	CK_ATTRIBUTE t = {type, ret, NAME_MOST - 1};

	MUST(j, C_GetAttributeValue, j->session, h, &t, 1);
	ret[t.ulValueLen] = '\0';
}

CK_OBJECT_HANDLE *
find_everything(struct job *j, CK_ULONG *ret_count)
{
	CK_OBJECT_HANDLE *all = NULL, *more;
	CK_ULONG n, count = 0;

	MUST(j, C_FindObjectsInit, j->session, NULL, 0);
	do {
		if ((more = realloc(all, (count + AT_ONCE) * sizeof(*all))) == NULL)
			fail(j, "no memory");
		all = more;
		n = 0;
		MUST(j, C_FindObjects, j->session, all + count, AT_ONCE, &n);
		count += n;
	} while (n > 0);
	MUST(j, C_FindObjectsFinal, j->session);
	*ret_count = count;
	return all;
}
