/*
 * dirs.h - directories of a test's own, and files in them.
 *
 * Every function fails the test itself when something is wrong.
 */
#ifndef STORE_TEST_DIRS_H
#define STORE_TEST_DIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A new directory (0700) below `base`; *path is malloc'd. */
char *dirs_make(const char *base);
/* Remove it with all it holds, and free the path. */
void dirs_remove(char *path);
void dirs_copy(const char *from, const char *to);
/* Remove what is in it. */
void dirs_empty(const char *path);

/* Whole files, malloc'd. */
uint8_t *dirs_load(const char *dir, const char *name, size_t *ret_len);
void dirs_save(const char *dir, const char *name, const void *data, size_t len);
void dirs_unlink(const char *dir, const char *name);
bool dirs_has(const char *dir, const char *name);
/* True when two directories hold the same names with the same bytes; the names in
 * `except` (NULL at the end) and those ending in .lock aside. */
bool dirs_equal(const char *a, const char *b, const char *const *except);

/* What CAAS_TEST_LONG=1 asks for. */
bool dirs_long(void);

#endif
