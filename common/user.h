/* user.h - from root to a user, for good. */
#ifndef CAAS_COMMON_USER_H
#define CAAS_COMMON_USER_H

/*
 * Become the user of that name, with the groups that it is in; nothing to do when the process
 * is that user already.  The way back is closed.  Ends the process with a message when it
 * fails, which names the option --user.  Before there are threads.
 */
void user_become(const char *name);

#endif
