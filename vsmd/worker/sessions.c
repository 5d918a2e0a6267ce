/* sessions.c - see sessions.h */
#include "vsmd/worker/sessions.h"

#include <stdlib.h>
#include <string.h>

void
sessions_init(struct sessions *t, size_t max)
{
	memset(t, 0, sizeof(*t));
	pthread_mutex_init(&t->lock, NULL);
	t->max = max;
}

static struct session **
find(struct sessions *t, CK_SESSION_HANDLE handle)
{
	struct session **s = &t->buckets[handle % SESSIONS_BUCKETS];

	while (*s != NULL && (*s)->handle != handle)
		s = &(*s)->next;
	return s;
}

bool
sessions_reserve(struct sessions *t)
{
	bool ok;

	pthread_mutex_lock(&t->lock);
	ok = t->max == 0 || t->count < t->max;
	if (ok)
		t->count++;
	pthread_mutex_unlock(&t->lock);
	return ok;
}

bool
sessions_add(struct sessions *t, CK_SESSION_HANDLE handle)
{
	struct session *s = handle != 0 ? calloc(1, sizeof(*s)) : NULL;
	struct session **at;

	pthread_mutex_lock(&t->lock);
	if (s == NULL) {
		t->count--;
	} else {
		s->handle = handle;
		at = find(t, handle);
		s->next = *at;
		*at = s;
	}
	pthread_mutex_unlock(&t->lock);
	return s != NULL;
}

bool
sessions_remove(struct sessions *t, struct session *s)
{
	struct session **at;
	bool last = false;

	pthread_mutex_lock(&t->lock);
	if (!s->closed) {
		at = find(t, s->handle);
		*at = s->next;
		s->closed = true;
		last = --t->count == 0;
	}
	pthread_mutex_unlock(&t->lock);
	return last;
}

size_t
sessions_count(struct sessions *t)
{
	size_t n;

	pthread_mutex_lock(&t->lock);
	n = t->count;
	pthread_mutex_unlock(&t->lock);
	return n;
}

bool
sessions_idle(struct sessions *t)
{
	bool idle = true;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; idle && i < SESSIONS_BUCKETS; i++)
		for (struct session *s = t->buckets[i]; s != NULL; s = s->next)
			idle &= !s->busy;
	pthread_mutex_unlock(&t->lock);
	return idle;
}

size_t
sessions_list(struct sessions *t, CK_SESSION_HANDLE *ret, size_t n)
{
	size_t k = 0;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < SESSIONS_BUCKETS; i++)
		for (struct session *s = t->buckets[i]; s != NULL && k < n; s = s->next)
			ret[k++] = s->handle;
	pthread_mutex_unlock(&t->lock);
	return k;
}

bool
session_shares(const struct call *call)
{
	switch (call->number) {
	case CALL_C_GetSessionInfo:
	case CALL_C_GenerateRandom:
	case CALL_C_SeedRandom:
	case CALL_C_GetAttributeValue:
	case CALL_C_GetObjectSize:
	case CALL_C_GenerateKey:
	case CALL_C_GenerateKeyPair:
	case CALL_C_CreateObject:
	case CALL_C_CopyObject:
	case CALL_C_UnwrapKey:
	case CALL_C_WrapKey:
	case CALL_C_DeriveKey:
	case CALL_C_GetFunctionStatus:
	case CALL_C_CancelFunction:
		return true;
	default:
		return false;
	}
}

static void
release(struct session *s)
{
	for (size_t i = 0; i < USE_COUNT; i++)
		free(s->use[i]);
	free(s);
}

static bool
may(const struct session *s, const struct turn *turn)
{
	return s->sharing == 0 || (turn->shared && !s->alone);
}

/* Those at the head whose turn has come. */
static void
advance(struct session *s)
{
	while (s->first != NULL && may(s, s->first)) {
		struct turn *turn = s->first;

		s->first = turn->next;
		if (s->first == NULL)
			s->last = NULL;
		s->sharing++;
		s->alone = !turn->shared;
		turn->taken = true;
		pthread_cond_signal(&turn->wake);
	}
}

bool
turn_take(struct sessions *t, CK_SESSION_HANDLE handle, bool shared, struct turn *turn)
{
	struct session *s;
	bool taken;

	if (!turn->has_wake) {
		pthread_cond_init(&turn->wake, NULL);
		turn->has_wake = true;
	}
	turn->shared = shared;
	turn->next = NULL;
	pthread_mutex_lock(&t->lock);
	turn->session = s = *find(t, handle);
	turn->taken = s == NULL;
	if (s != NULL) {
		if (s->last != NULL)
			s->last->next = turn;
		else
			s->first = turn;
		s->last = turn;
		advance(s);
	}
	taken = turn->taken;
	pthread_mutex_unlock(&t->lock);
	return taken;
}

void
turn_wait(struct sessions *t, struct turn *turn)
{
	pthread_mutex_lock(&t->lock);
	while (!turn->taken)
		pthread_cond_wait(&turn->wake, &t->lock);
	pthread_mutex_unlock(&t->lock);
}

void
turn_done(struct sessions *t, struct turn *turn)
{
	struct session *s = turn->session;

	if (s == NULL)
		return;
	turn->session = NULL;
	pthread_mutex_lock(&t->lock);
	s->sharing--;
	advance(s);
	/* Closed, and nobody is left who queued up before that. */
	if (s->sharing == 0 && s->closed)
		release(s);
	pthread_mutex_unlock(&t->lock);
}

void
turn_free(struct turn *turn)
{
	if (turn->has_wake)
		pthread_cond_destroy(&turn->wake);
	turn->has_wake = false;
}

void
sessions_free(struct sessions *t)
{
	for (size_t i = 0; i < SESSIONS_BUCKETS; i++)
		while (t->buckets[i] != NULL) {
			struct session *s = t->buckets[i];

			t->buckets[i] = s->next;
			release(s);
		}
	pthread_mutex_destroy(&t->lock);
}
