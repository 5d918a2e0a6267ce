/*
 * view.h - which of its token's objects SoftHSM2 sees in this process.
 *
 * SoftHSM2 reads every file of a token when it starts, and looks at every object again
 * whenever one is searched for.  On a token with many objects it sees a part instead: none
 * at first, then those that were asked for (index.h says which those may be).  It finds
 * objects by listing the directory, anew when the token's generation has changed; so the
 * functions of libc that it does this with are answered here (like interpose.h):
 *
 *	opendir, readdir, closedir,  of the token's directory: the names in the view
 *	lstat
 *	open, fdopen, fcntl          the token's generation: it changes with the view
 *	open, remove                 note which objects are written, and read
 *
 * What SoftHSM2 makes itself is in the view.  What others remove stays in it as a name;
 * SoftHSM2 sees that there is no file.  With the whole view it is given what there is.
 *
 * Either way numbers that cannot have changed are not read again (seen.h).  Two kinds of
 * files are nowhere, whatever the view: press.h and plant.h.
 *
 * Threads: any.  Fork: a child has its parent's view, and one of its own from then on.
 */
#ifndef CAAS_VSMD_WORKER_VIEW_H
#define CAAS_VSMD_WORKER_VIEW_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIEW_NAME 16 /* bytes of a UUID; the file's name is that and ".object" */
#define VIEW_TOUCHED 64
#define VIEW_PATH 4352

/* From now on, below SoftHSM2's `directory` (which the caller keeps): see nothing, or the
 * whole.  One thread; before SoftHSM2 is initialised. */
void view_start(const char *directory, bool whole);
bool view_is_whole(void);
/* SoftHSM2 has asked here what there is, since view_start(). */
bool view_was_asked(void);
/* Also see these. false: no memory. */
bool view_add(const uint8_t (*names)[VIEW_NAME], size_t n);
/* See everything, for good. */
void view_whole(void);
/* What is planted (plant.h) has changed: SoftHSM2 lists the directory at once. */
void view_stale(void);

/* The objects that this thread wrote or removed since it asked last: n, or VIEW_TOUCHED +
 * 1 when there were more. */
size_t view_touched(uint8_t ret[VIEW_TOUCHED][VIEW_NAME]);
/* The object whose file this thread opened last, since it asked; ret may be NULL. */
bool view_opened(uint8_t ret[VIEW_NAME]);

/* The token's directory, below SoftHSM2's; "" with a false when there is none. */
bool view_directory(const char *above, char ret[VIEW_PATH]);
/* All objects in the token's directory; NULL with errno.  To be read with view_next(),
 * and closed. */
DIR *view_list(const char *directory);
/* false at the end. *ret_odd: there is an object whose name is no UUID. */
bool view_next(DIR *d, uint8_t ret[VIEW_NAME], bool *ret_odd);
/* Path of an object's file. */
void view_path(char ret[VIEW_PATH], const char *directory, const uint8_t name[VIEW_NAME]);
/* Open it unnoticed, to be read. */
int view_open(const char *path);

#endif
