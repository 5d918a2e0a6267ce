/*
 * blob.h - session objects that vsmd gave us, sealed, to be kept (protocol/kept.h).
 *
 * Each lies beside the handle of its object, and goes with it.  One can come before the
 * thread that made the object has entered the handle: it is astray until then, or until
 * others push it out.
 *
 * Threads: under all locks of the handles.  Fork: the child has none, session objects stay
 * with the parent.
 */
#ifndef CAAS_P11_BLOB_H
#define CAAS_P11_BLOB_H

#include <stddef.h>
#include <stdint.h>

struct blob {
	uint64_t number; /* no two have the same */
	size_t len;
	uint8_t bytes[];
};

#define BLOB_ASTRAY 16

struct astray {
	uint64_t remote[BLOB_ASTRAY];
	struct blob *blob[BLOB_ASTRAY];
	unsigned next;
};

/* NULL: out of memory. */
struct blob *blob_new(const uint8_t *bytes, size_t len);
/* It is of the object that the worker knows as `remote`. */
void blob_stray(struct astray *a, uint64_t remote, struct blob *blob);
/* The last one of that object, which is the caller's now, or NULL. */
struct blob *blob_found(struct astray *a, uint64_t remote);
void blob_forget(struct astray *a);

#endif
