/* find.h - objects of the token by one attribute. */
#ifndef CAAS_SOAK_FIND_H
#define CAAS_SOAK_FIND_H

#include "tests/soak/soak.h"

CK_ATTRIBUTE find_text(CK_ATTRIBUTE_TYPE, const char *);
/* How many objects of the class have this attribute; the first `room' to ret. */
CK_ULONG find_all(
    struct job *, CK_OBJECT_CLASS, CK_ATTRIBUTE, CK_OBJECT_HANDLE *ret, CK_ULONG room);
/* The one that there must be. */
CK_OBJECT_HANDLE find_one(struct job *, CK_OBJECT_CLASS, CK_ATTRIBUTE);
/* A text of an object. */
void find_value(struct job *, CK_OBJECT_HANDLE, CK_ATTRIBUTE_TYPE, char ret[NAME_MOST]);
/* Every object; the caller frees it. */
CK_OBJECT_HANDLE *find_everything(struct job *, CK_ULONG *ret_count);

#endif
