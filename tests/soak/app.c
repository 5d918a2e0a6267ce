/* app.c - an application: its slot, sessions, login and threads; see soak.h */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/soak/pin.h"
#include "tests/soak/soak.h"

#define MOST_SLOTS 64
#define MOST_THREADS 16

static bool
find_slot(struct job *j)
{
	CK_SLOT_ID slots[MOST_SLOTS];
	CK_ULONG n = MOST_SLOTS;
	CK_TOKEN_INFO info;
	char label[33];

	snprintf(label, sizeof(label), "%-32.32s", soak.token);
	/* The list is looked up when its length is asked for. */
	MUST(j, C_GetSlotList, CK_TRUE, NULL, &n);
	n = MOST_SLOTS;
	MUST(j, C_GetSlotList, CK_TRUE, slots, &n);
	for (CK_ULONG i = 0; i < n; i++)
		if (soak.p11->C_GetTokenInfo(slots[i], &info) == CKR_OK &&
		    memcmp(info.label, label, 32) == 0) {
			soak.slot = slots[i];
			return true;
		}
	return false;
}

void
app_initialize(struct job *j)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};

	MUST(j, C_Initialize, &args);
	if (!find_slot(j))
		fail(j, "the token %s is not there", soak.token);
}

void
app_open(struct job *j)
{
	MUST(j, C_OpenSession, soak.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
	    &j->session);
}

void
app_login(struct job *j)
{
	CK_RV rv = pin_login(j);

	expect(j, "C_Login", rv, CKR_OK);
}

void
app_close(struct job *j)
{
	MUST(j, C_CloseSession, j->session);
	j->session = CK_INVALID_HANDLE;
}

struct thread {
	struct job job;
	void (*step)(struct job *);
	pthread_t id;
};

static void *
thread_main(void *arg)
{
	struct thread *t = arg;
	size_t role = (size_t)t->job.own;

	t->job.own = NULL;
	app_open(&t->job);
	while (!atomic_load(&soak.stop)) {
		t->step(&t->job);
		t->job.step++;
		atomic_fetch_add(&soak.shared->steps[role], 1);
	}
	return NULL;
}

void
app_threads(struct job *j, void (*step)(struct job *), unsigned threads)
{
	static struct thread t[MOST_THREADS];
	void *role = j->own;

	if (threads > MOST_THREADS)
		threads = MOST_THREADS;
	for (unsigned i = 0; i < threads; i++) {
		t[i] = (struct thread){.step = step,
		    .job = {.rng = chance_next(j) | 1, .number = i + 1, .own = role}};
		if (pthread_create(&t[i].id, NULL, thread_main, &t[i]) != 0)
			fail(j, "no thread");
	}
	for (unsigned i = 0; i < threads; i++)
		pthread_join(t[i].id, NULL);
}
