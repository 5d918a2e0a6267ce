/* client.c - see client.h */
#include "client.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"

CK_FUNCTION_LIST *p11;

static void *library;

void
client_load(void)
{
	CK_C_GetFunctionList get;

	library = dlopen(CAAS_MODULE, RTLD_NOW | RTLD_LOCAL);
	assert(library != NULL);
	*(void **)&get = dlsym(library, "C_GetFunctionList");
	assert(get != NULL && get(&p11) == CKR_OK);
}

void
client_unload(void)
{
	assert(dlclose(library) == 0);
	p11 = NULL;
}

void *
client_symbol(const char *name)
{
	return dlsym(library, name);
}

CK_SESSION_HANDLE
client_begin(void)
{
	CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
	CK_SESSION_HANDLE s;

	assert(p11->C_Initialize(&args) == CKR_OK);
	assert(p11->C_OpenSession(FAKE_SLOT, RW, NULL, NULL, &s) == CKR_OK);
	assert(p11->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)FAKE_PIN, 4) == CKR_OK);
	return s;
}

static CK_RV
create_mutex(CK_VOID_PTR_PTR ret)
{
	pthread_mutex_t *m = malloc(sizeof(*m));

	*ret = m;
	return m != NULL && pthread_mutex_init(m, NULL) == 0 ? CKR_OK : CKR_HOST_MEMORY;
}

static CK_RV
destroy_mutex(CK_VOID_PTR m)
{
	(void)pthread_mutex_destroy(m);
	free(m);
	return CKR_OK;
}

static CK_RV
lock_mutex(CK_VOID_PTR m)
{
	return pthread_mutex_lock(m) == 0 ? CKR_OK : CKR_GENERAL_ERROR;
}

static CK_RV
unlock_mutex(CK_VOID_PTR m)
{
	return pthread_mutex_unlock(m) == 0 ? CKR_OK : CKR_MUTEX_NOT_LOCKED;
}

CK_C_INITIALIZE_ARGS
client_mutexes(void)
{
	return (CK_C_INITIALIZE_ARGS){.CreateMutex = create_mutex,
	    .DestroyMutex = destroy_mutex,
	    .LockMutex = lock_mutex,
	    .UnlockMutex = unlock_mutex};
}

CK_OBJECT_HANDLE
client_rsa(CK_SESSION_HANDLE s, const char *label, CK_BBOOL token,
    CK_OBJECT_HANDLE *ret_public)
{
	CK_MECHANISM m = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
	CK_ULONG bits = 1024;
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE public[] = {{CKA_MODULUS_BITS, &bits, sizeof(bits)},
	    {CKA_TOKEN, &token, 1}, {CKA_VERIFY, &yes, 1},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}};
	CK_ATTRIBUTE private[] = {{CKA_TOKEN, &token, 1}, {CKA_SIGN, &yes, 1},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}};
	CK_OBJECT_HANDLE pub, prv;

	assert(
	    p11->C_GenerateKeyPair(s, &m, public, 4, private, 3, &pub, &prv) == CKR_OK);
	if (ret_public != NULL)
		*ret_public = pub;
	return prv;
}

static CK_ULONG
find(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG nt, CK_OBJECT_HANDLE *ret,
    CK_ULONG room)
{
	CK_ULONG n = 0;

	assert(p11->C_FindObjectsInit(s, t, nt) == CKR_OK);
	assert(p11->C_FindObjects(s, ret, room, &n) == CKR_OK);
	assert(p11->C_FindObjectsFinal(s) == CKR_OK);
	return n;
}

CK_ULONG
client_find(CK_SESSION_HANDLE s, const char *label, CK_OBJECT_HANDLE *ret, CK_ULONG room)
{
	CK_ATTRIBUTE t = {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)};

	return find(s, &t, 1, ret, room);
}

CK_OBJECT_HANDLE
client_find_private(CK_SESSION_HANDLE s, const char *label)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE t[] = {{CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	    {CKA_CLASS, &class, sizeof(class)}};
	CK_OBJECT_HANDLE o;

	return find(s, t, 2, &o, 1) == 1 ? o : 0;
}

CK_OBJECT_HANDLE
client_data(CK_SESSION_HANDLE s, const char *label, CK_BBOOL token)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_TOKEN, &token, 1},
	    {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)}};
	CK_OBJECT_HANDLE o = 0;

	return p11->C_CreateObject(s, t, 3, &o) == CKR_OK ? o : 0;
}

CK_RV
client_sign(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
	CK_MECHANISM m = {CKM_RSA_PKCS, NULL, 0};
	CK_BYTE signature[512];
	CK_ULONG len = sizeof(signature);
	CK_RV rv = p11->C_SignInit(s, &m, key);

	return rv != CKR_OK ? rv
			    : p11->C_Sign(s, (CK_BYTE_PTR) "data", 4, signature, &len);
}

int
client_in_child(int (*f)(void))
{
	int status;
	pid_t pid = fork();

	assert(pid >= 0);
	if (pid == 0) {
		alarm(60);
		_exit(f() ? 0 : 1);
	}
	assert(waitpid(pid, &status, 0) == pid);
	return status;
}
