/* locks.c - see locks.h */
#include "libcaas-p11/locks.h"

#include <string.h>

CK_RV
lock_init(struct lock *l, const struct lock_how *how)
{
	memset(l, 0, sizeof(*l));
	l->how = how;
	return lock_renew(l);
}

CK_RV
lock_renew(struct lock *l)
{
	static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;

	l->app = NULL;
	if (l->how->callbacks)
		return l->how->create(&l->app);
	memcpy(&l->native, &unlocked, sizeof(unlocked));
	return CKR_OK;
}

void
lock_free(struct lock *l)
{
	if (l->how == NULL)
		return;
	if (l->how->callbacks)
		(void)l->how->destroy(l->app);
	else
		(void)pthread_mutex_destroy(&l->native);
	l->how = NULL;
}

void
lock_take(struct lock *l)
{
	if (l->how->callbacks)
		(void)l->how->take(l->app);
	else
		(void)pthread_mutex_lock(&l->native);
}

void
lock_give(struct lock *l)
{
	if (l->how->callbacks)
		(void)l->how->give(l->app);
	else
		(void)pthread_mutex_unlock(&l->native);
}
