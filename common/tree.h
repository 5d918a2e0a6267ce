/*
 * tree.h - remove directories and what is in them, never following a link.
 *
 * What cannot be removed, and what is nested deeper than `depth`, stays; the rest is
 * removed all the same.  0, or -1 when something stayed.
 */
#ifndef CAAS_COMMON_TREE_H
#define CAAS_COMMON_TREE_H

/* What is in the directory that is open at `dir`, of whatever position. */
int tree_empty(int dir, unsigned depth);
/* The file or directory of that name; none is fine. */
int tree_remove(int dir, const char *name, unsigned depth);

#endif
