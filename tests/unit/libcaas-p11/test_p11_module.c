/* C_Initialize, C_Finalize, and what is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

#include "client.h"
#include "fake.h"

static struct fake *fake;
static atomic_int made, destroyed, held;

static int
begin(void **state)
{
	(void)state;
	client_load();
	return 0;
}

static int
end(void **state)
{
	(void)state;
	(void)p11->C_Finalize(NULL);
	client_unload();
	return 0;
}

static CK_RV
create_mutex(CK_VOID_PTR_PTR ret)
{
	pthread_mutex_t *m = malloc(sizeof(*m));

	(void)pthread_mutex_init(m, NULL);
	made++;
	*ret = m;
	return CKR_OK;
}

static CK_RV
destroy_mutex(CK_VOID_PTR m)
{
	destroyed++;
	free(m);
	return CKR_OK;
}

static CK_RV
lock_mutex(CK_VOID_PTR m)
{
	(void)pthread_mutex_lock(m);
	held++;
	return CKR_OK;
}

static CK_RV
unlock_mutex(CK_VOID_PTR m)
{
	held--;
	(void)pthread_mutex_unlock(m);
	return CKR_OK;
}

/* Of the length that the specification gives it: NSS's declaration has a member more. */
struct init_args {
	void *create, *destroy, *take, *give;
	CK_FLAGS flags;
	void *reserved;
};

static void
test_arguments(void **state)
{
	struct init_args args = {.reserved = &args};

	(void)state;
	assert_int_equal(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	assert_int_equal(p11->C_Initialize(&args), CKR_ARGUMENTS_BAD);
	args.reserved = NULL;
	*(CK_CREATEMUTEX *)&args.create = create_mutex;
	assert_int_equal(p11->C_Initialize(&args), CKR_ARGUMENTS_BAD);
	args.create = NULL;
	assert_int_equal(p11->C_Initialize(&args), CKR_OK);
	assert_int_equal(p11->C_Initialize(NULL), CKR_CRYPTOKI_ALREADY_INITIALIZED);
	assert_int_equal(p11->C_Finalize(&args), CKR_ARGUMENTS_BAD);
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	assert_int_equal(p11->C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
}

static void
test_not_initialized(void **state)
{
	CK_INFO info;
	CK_ULONG n;

	(void)state;
	assert_int_equal(p11->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
	assert_int_equal(
	    p11->C_GetSlotList(CK_TRUE, NULL, &n), CKR_CRYPTOKI_NOT_INITIALIZED);
	assert_int_equal(p11->C_GetSlotInfo(1, NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	assert_int_equal(p11->C_CloseSession(1), CKR_CRYPTOKI_NOT_INITIALIZED);
	assert_int_equal(
	    p11->C_WaitForSlotEvent(0, NULL, NULL), CKR_FUNCTION_NOT_SUPPORTED);
	assert_int_equal(p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL),
	    CKR_CRYPTOKI_NOT_INITIALIZED);
}

static void
test_info(void **state)
{
	CK_INFO info;

	(void)state;
	assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
	assert_int_equal(p11->C_GetInfo(NULL), CKR_ARGUMENTS_BAD);
	assert_int_equal(p11->C_GetInfo(&info), CKR_OK);
	assert_int_equal(info.cryptokiVersion.major, 2);
	assert_memory_equal(info.manufacturerID, "CaaS                            ", 32);
	assert_memory_equal(
	    info.libraryDescription, "CaaS virtual HSM                ", 32);
	assert_int_equal(
	    p11->C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL), CKR_NO_EVENT);
}

static void
test_mutexes_of_the_application(void **state)
{
	CK_C_INITIALIZE_ARGS args = {.CreateMutex = create_mutex,
	    .DestroyMutex = destroy_mutex, .LockMutex = lock_mutex,
	    .UnlockMutex = unlock_mutex};
	CK_SESSION_HANDLE s;

	(void)state;
	made = destroyed = 0;
	assert_int_equal(p11->C_Initialize(&args), CKR_OK);
	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &s), CKR_OK);
	assert_true(made > 0);
	assert_int_equal(held, 0);
	assert_int_equal(p11->C_CloseSession(s), CKR_OK);
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	assert_int_equal(made, destroyed);
	/* With the system's allowed they are not needed. */
	made = 0;
	args.flags = CKF_OS_LOCKING_OK;
	assert_int_equal(p11->C_Initialize(&args), CKR_OK);
	assert_int_equal(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &s), CKR_OK);
	assert_int_equal(made, 0);
}

static int most; /* mutexes that can be had */

static CK_RV
no_mutex(CK_VOID_PTR_PTR ret)
{
	if (made == most)
		return CKR_HOST_MEMORY;
	return create_mutex(ret);
}

static void
test_no_mutex_to_be_had(void **state)
{
	CK_C_INITIALIZE_ARGS args = {.CreateMutex = no_mutex,
	    .DestroyMutex = destroy_mutex,
	    .LockMutex = lock_mutex,
	    .UnlockMutex = unlock_mutex};
	CK_SESSION_HANDLE s;
	CK_RV rv = CKR_HOST_MEMORY;

	(void)state;
	/* However many there are, none is left behind. */
	for (most = 0; most < 100 && rv == CKR_HOST_MEMORY; most++) {
		made = destroyed = 0;
		rv = p11->C_Initialize(&args);
		assert_int_equal(destroyed, rv == CKR_OK ? 0 : made);
	}
	assert_int_equal(rv, CKR_OK);
	most = made;
	assert_int_equal(
	    p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &s), CKR_HOST_MEMORY);
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	assert_int_equal(made, destroyed);
}

static void
test_bad_configuration(void **state)
{
	(void)state;
	assert_int_equal(setenv("CAAS_P11_CONF", "/nonexistent", 1), 0);
	assert_int_equal(p11->C_Initialize(NULL), CKR_GENERAL_ERROR);
	assert_int_equal(unsetenv("CAAS_P11_CONF"), 0);
	assert_int_equal(setenv("CAAS_VSM_ADDRESS", "carrier-pigeon", 1), 0);
	assert_int_equal(p11->C_Initialize(NULL), CKR_GENERAL_ERROR);
	assert_int_equal(setenv("CAAS_VSM_ADDRESS", fake->address, 1), 0);
	assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
}

static void
test_handles_are_not_used_again(void **state)
{
	CK_SESSION_HANDLE first, s, last;

	(void)state;
	last = first = client_begin();
	for (int i = 0; i < 10; i++) {
		assert_int_equal(
		    p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &s), CKR_OK);
		assert_true(s > last);
		assert_int_equal(p11->C_CloseSession(s), CKR_OK);
		last = s;
	}
	assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
	s = client_begin();
	assert_true(s > last);
	assert_int_equal(p11->C_CloseSession(first), CKR_SESSION_HANDLE_INVALID);
}

static size_t
open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

static void
test_cycles_leave_nothing(void **state)
{
	size_t before = open_files();

	(void)state;
	for (int i = 0; i < 100; i++) {
		if (i % 10 == 0) {
			(void)client_begin();
			assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
		} else {
			assert_int_equal(p11->C_Initialize(NULL), CKR_OK);
			assert_int_equal(p11->C_Finalize(NULL), CKR_OK);
		}
		client_unload();
		client_load();
	}
	assert_int_equal(open_files(), before);
}

/* Unloaded without C_Finalize, as careless programs do; what that leaks goes with the
 * child. */
static int
child_unloads(void)
{
	(void)client_begin();
	client_unload();
	client_load();
	(void)client_begin();
	return 1;
}

static void
test_unload_without_finalize(void **state)
{
	(void)state;
	assert_int_equal(client_in_child(child_unloads), 0);
}

/* What is mapped into the process that has `name` in its path. */
static bool
mapped(const char *name)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[4096];
	bool found = false;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		found |= strstr(line, name) != NULL;
	(void)fclose(f);
	return found;
}

/* The programs that load us did not ask for Xen's libraries. */
static void
test_no_library_of_xen(void **state)
{
	(void)state;
	(void)client_begin();
	assert_true(mapped("libcaas-p11"));
	assert_false(mapped("libxen"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    T(test_arguments),
	    T(test_not_initialized),
	    T(test_info),
	    T(test_mutexes_of_the_application),
	    T(test_no_mutex_to_be_had),
	    T(test_bad_configuration),
	    T(test_handles_are_not_used_again),
	    T(test_cycles_leave_nothing),
	    T(test_unload_without_finalize),
	    T(test_no_library_of_xen),
	};
	int failed;

	fake = fake_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_stop(fake);
	return failed;
}
