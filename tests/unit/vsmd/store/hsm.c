/* hsm.c - see hsm.h */
#include "hsm.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/pkcs11.h"

struct job {
	void (*run)(struct job *j);
	CK_FUNCTION_LIST *p11;
	CK_SESSION_HANDLE session;
	const char *label, *so_pin, *pin, *new;
	unsigned n;
	int result;
	char serial[17];
};

/* In the child a failure is an exit status. */
#define MUST(call)                                                                       \
	do {                                                                             \
		CK_RV rv_ = (call);                                                      \
		if (rv_ != CKR_OK) {                                                     \
			fprintf(stderr, "%s: 0x%lx\n", #call, rv_);                      \
			_exit(3);                                                        \
		}                                                                        \
	} while (0)

static CK_SLOT_ID
first_slot(struct job *j)
{
	CK_SLOT_ID slots[4];
	CK_ULONG n = 4;

	MUST(j->p11->C_GetSlotList(CK_FALSE, slots, &n));
	return slots[0];
}

static void
load(struct job *j, const char *directory)
{
	char conf[] = "/tmp/caas-store-hsm-XXXXXX";
	CK_C_GetFunctionList get;
	int fd = mkstemp(conf);
	void *lib;

	dprintf(fd,
	    "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n",
	    directory);
	close(fd);
	setenv("SOFTHSM2_CONF", conf, 1);
	lib = dlopen(CAAS_SOFTHSM2, RTLD_NOW | RTLD_LOCAL);
	get = lib != NULL ? (CK_C_GetFunctionList)dlsym(lib, "C_GetFunctionList") : NULL;
	if (get == NULL)
		_exit(4);
	MUST(get(&j->p11));
	MUST(j->p11->C_Initialize(NULL));
	unlink(conf);
}

/* Run in a child; what it writes into *job is seen after. */
static void
in_child(const char *directory, const struct job *job, struct job *ret)
{
	struct job *j = mmap(
	    NULL, sizeof(*j), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	assert_true(j != MAP_FAILED);
	*j = *job;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		load(j, directory);
		j->run(j);
		MUST(j->p11->C_Finalize(NULL));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	*ret = *j;
	munmap(j, sizeof(*j));
}

static CK_BYTE *
bytes(const char *s)
{
	return (CK_BYTE *)(uintptr_t)s;
}

static void
open_session(struct job *j, CK_USER_TYPE user, const char *pin)
{
	MUST(j->p11->C_OpenSession(
	    first_slot(j), CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &j->session));
	if (pin != NULL)
		MUST(j->p11->C_Login(j->session, user, bytes(pin), strlen(pin)));
}

static void
init_token(struct job *j)
{
	CK_UTF8CHAR label[32];

	memset(label, ' ', sizeof(label));
	memcpy(label, j->label, strlen(j->label));
	MUST(j->p11->C_InitToken(
	    first_slot(j), bytes(j->so_pin), strlen(j->so_pin), label));
}

static void
run_init(struct job *j)
{
	CK_TOKEN_INFO info;

	init_token(j);
	open_session(j, CKU_SO, j->so_pin);
	MUST(j->p11->C_InitPIN(j->session, bytes(j->pin), strlen(j->pin)));
	MUST(j->p11->C_GetTokenInfo(first_slot(j), &info));
	memcpy(j->serial, info.serialNumber, 16);
}

static void
run_create(struct job *j)
{
	CK_OBJECT_CLASS class = CKO_DATA;
	CK_BBOOL yes = CK_TRUE;
	char value[] = "some data";
	CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
	    {CKA_TOKEN, &yes, sizeof(yes)}, {CKA_PRIVATE, &yes, sizeof(yes)},
	    {CKA_MODIFIABLE, &yes, sizeof(yes)}, {CKA_VALUE, value, sizeof(value)}};
	CK_OBJECT_HANDLE h;

	open_session(j, CKU_USER, j->pin);
	for (unsigned i = 0; i < j->n; i++)
		MUST(j->p11->C_CreateObject(j->session, t, 5, &h));
}

static CK_OBJECT_HANDLE
find(struct job *j, CK_ULONG *n)
{
	CK_OBJECT_HANDLE all[4096];

	MUST(j->p11->C_FindObjectsInit(j->session, NULL, 0));
	MUST(j->p11->C_FindObjects(j->session, all, 4096, n));
	MUST(j->p11->C_FindObjectsFinal(j->session));
	return all[0];
}

static void
run_destroy(struct job *j)
{
	CK_ULONG n;

	open_session(j, CKU_USER, j->pin);
	MUST(j->p11->C_DestroyObject(j->session, find(j, &n)));
}

static void
run_set(struct job *j)
{
	char label[] = "a new label";
	CK_ATTRIBUTE a = {CKA_LABEL, label, sizeof(label) - 1};
	CK_ULONG n;

	open_session(j, CKU_USER, j->pin);
	MUST(j->p11->C_SetAttributeValue(j->session, find(j, &n), &a, 1));
}

static void
run_set_pin(struct job *j)
{
	open_session(j, CKU_USER, j->pin);
	MUST(j->p11->C_SetPIN(
	    j->session, bytes(j->pin), strlen(j->pin), bytes(j->new), strlen(j->new)));
}

static void
run_count(struct job *j)
{
	CK_ULONG n;

	open_session(j, CKU_USER, NULL);
	j->result = -1;
	if (j->p11->C_Login(j->session, CKU_USER, bytes(j->pin), strlen(j->pin)) !=
	    CKR_OK)
		return;
	(void)find(j, &n);
	j->result = (int)n;
}

void
hsm_init(const char *directory, const char *label, const char *so_pin, const char *pin,
    char serial[17])
{
	struct job j = {.run = run_init, .label = label, .so_pin = so_pin, .pin = pin};

	in_child(directory, &j, &j);
	memcpy(serial, j.serial, 17);
}

void
hsm_init_again(const char *directory, const char *label, const char *so_pin)
{
	struct job j = {.run = init_token, .label = label, .so_pin = so_pin};

	in_child(directory, &j, &j);
}

void
hsm_create(const char *directory, const char *pin, unsigned n)
{
	struct job j = {.run = run_create, .pin = pin, .n = n};

	in_child(directory, &j, &j);
}

void
hsm_destroy(const char *directory, const char *pin)
{
	struct job j = {.run = run_destroy, .pin = pin};

	in_child(directory, &j, &j);
}

void
hsm_set(const char *directory, const char *pin)
{
	struct job j = {.run = run_set, .pin = pin};

	in_child(directory, &j, &j);
}

void
hsm_set_pin(const char *directory, const char *old, const char *new)
{
	struct job j = {.run = run_set_pin, .pin = old, .new = new};

	in_child(directory, &j, &j);
}

int
hsm_count(const char *directory, const char *pin)
{
	struct job j = {.run = run_count, .pin = pin};

	in_child(directory, &j, &j);
	return j.result;
}
