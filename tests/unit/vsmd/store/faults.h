/*
 * faults.h - disks that fail: pwrite, fdatasync, fsync, renameat, ftruncate and fstatfs of
 * the code under test are these (linker option --wrap).
 */
#ifndef STORE_TEST_FAULTS_H
#define STORE_TEST_FAULTS_H

enum fault_call {
	FAULT_PWRITE,
	FAULT_FDATASYNC,
	FAULT_FSYNC,
	FAULT_RENAME,
	FAULT_TRUNCATE,
	FAULT_CALLS
};

struct faults {
	int error;		    /* errno of a failing call */
	unsigned in[FAULT_CALLS];   /* n: the n-th call from now fails; 0: none */
	unsigned each[FAULT_CALLS]; /* and all after it */
	unsigned kill_at; /* n: the n-th call of any kind ends the process before it */
	unsigned cut;	  /* bytes that a failing pwrite writes before it fails */
	int full;	  /* fstatfs() tells of no room */
	void (*synced)(int fd); /* may be NULL: after each sync that was done */
};
extern struct faults faults;

void faults_clear(void);
/* Count as such a call: the process may end here. */
void faults_point(void);

#endif
