/*
 * file.h - whole reads, whole writes, and replacing a file in one step.
 *
 * Errors: -1 with errno.  Names are relative to the directory descriptor `dir`; the last
 * component is never followed when it is a symbolic link.
 */
#ifndef CAAS_STORE_FILE_H
#define CAAS_STORE_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All `len` bytes at `off`.  A write that the disk cuts short is ENOSPC. */
int file_write_at(int fd, const void *data, size_t len, off_t off);
/* As many of `len` bytes at `off` as there are before the end; the number, or -1. */
ssize_t file_read_at(int fd, void *data, size_t len, off_t off);
/* The first `size` bytes of a regular file; the number read, or -1. */
ssize_t file_load(int dir, const char *name, void *data, size_t size);
/* A new, empty file, 0600, in the place of whatever has that name (a pipe would block, a
 * second name of another file would lose that one).  The descriptor, or -1. */
int file_create(int dir, const char *name);
/* Write `temp`, sync it, rename it to `name`.  On failure `temp` is removed. */
int file_replace(
    int dir, const char *name, const char *temp, const void *data, size_t len);

#endif
