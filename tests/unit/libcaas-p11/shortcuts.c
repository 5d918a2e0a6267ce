/* shortcuts.c - see shortcuts.h */
#include "shortcuts.h"

#include <stdlib.h>
#include <unistd.h>

#include "libcaas-p11/known.h"

struct fake *fake;
CK_SESSION_HANDLE s, other;
CK_MECHANISM rsa = {CKM_RSA_PKCS, NULL, 0}, sha = {CKM_SHA256, NULL, 0};
int calls, fused, fetches, infos;

static void (*make_objects)(void);

int
shortcuts_start(void **state)
{
	(void)state;
	fake = fake_start();
	assert_int_equal(unsetenv("CAAS_VSM_SHORTCUTS"), 0);
	client_load();
	(void)client_rsa(client_begin(), "token", CK_TRUE, NULL);
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	client_unload();
	return 0;
}

int
shortcuts_stop(void **state)
{
	(void)state;
	fake_stop(fake);
	return 0;
}

static void
begin_objects(void)
{
	other = open_session();
	make_objects();
	count();
}

int
shortcuts_begin(void (*make)(void))
{
	make_objects = make;
	client_load();
	s = client_begin();
	begin_objects();
	return 0;
}

int
shortcuts_end(void **state)
{
	(void)state;
	fake->mode = FAKE_HONEST;
	fake->late_before = fake->late_after = 0;
	fake->late_ms = FAKE_LATE_MS;
	(void)p11->C_Finalize(NULL);
	client_unload();
	return 0;
}

void
restart(const CK_C_INITIALIZE_ARGS *args, const char *setting)
{
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	if (setting != NULL)
		assert_int_equal(setenv("CAAS_VSM_SHORTCUTS", setting, 1), 0);
	assert_int_equal(p11->C_Initialize((void *)(uintptr_t)args), CKR_OK);
	assert_int_equal(unsetenv("CAAS_VSM_SHORTCUTS"), 0);
	s = open_session();
	assert_int_equal(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4), CKR_OK);
	begin_objects();
}

CK_SESSION_HANDLE
open_session(void)
{
	CK_SESSION_HANDLE t;

	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &t), CKR_OK);
	return t;
}

void
count(void)
{
	calls = fake->calls;
	fused = fake->fused;
	fetches = fake->fetches;
	infos = fake->infos;
}

void
wait_until_unknown(void)
{
	(void)usleep((KNOWN_MS + 20) * 1000);
	count();
}

pthread_t
call_in_thread(void *(*f)(void *), void *arg)
{
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, f, arg), 0);
	while (fake->calls == calls)
		(void)usleep(1000);
	return t;
}
