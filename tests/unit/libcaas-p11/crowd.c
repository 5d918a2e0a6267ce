/* crowd.c - see crowd.h */
#include "crowd.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "shortcuts.h"

static struct member {
	pthread_t thread;
	CK_SESSION_HANDLE session;
	CK_RV (*does)(CK_SESSION_HANDLE);
	CK_RV rv;
} crowd[CROWD_MAX];
static int members;
static atomic_bool stop;

static void *
go_on(void *arg)
{
	struct member *m = arg;

	while (!stop && m->rv == CKR_OK)
		m->rv = m->does(m->session);
	return NULL;
}

void
crowd_add(CK_RV (*does)(CK_SESSION_HANDLE), CK_SESSION_HANDLE session)
{
	struct member *m = &crowd[members];

	assert_true(members < CROWD_MAX);
	stop = false;
	*m = (struct member){.session = session, .does = does, .rv = CKR_OK};
	assert_int_equal(pthread_create(&m->thread, NULL, go_on, m), 0);
	members++;
}

void
crowd_stop(void)
{
	int n = members;

	stop = true;
	members = 0;
	for (int i = 0; i < n; i++) {
		assert_int_equal(pthread_join(crowd[i].thread, NULL), 0);
		assert_int_equal(crowd[i].rv, CKR_OK);
	}
}

void
crowd_during(CK_RV (*does)(CK_SESSION_HANDLE), CK_RV (*change)(void), int times)
{
	CK_RV rv = CKR_OK;

	for (int i = 0; i < CROWD_MAX; i++)
		crowd_add(does, open_session());
	for (int i = 0; i < times && rv == CKR_OK; i++) {
		rv = change();
		(void)usleep(500);
	}
	crowd_stop();
	assert_int_equal(rv, CKR_OK);
}
