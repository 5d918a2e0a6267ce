/*
 * cpio.c - a program of the build: an initramfs, the same bytes for the same files.
 *
 *	caas-domc-cpio <LIST >ARCHIVE
 *
 * A line of the list is `dir PATH', `file PATH MODE SOURCE' or `link PATH TARGET', without blanks
 * in any of them; PATH is in the image, without a slash before it.  Owner, times and numbers of
 * inodes are made here, so nothing of the machine that builds gets into the image: not its clock,
 * its umask or the order of its directories.  The format is the "newc" of Linux'
 * Documentation/driver-api/early-userspace/buffer-format.rst.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE 1024

static unsigned inode = 1;

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "caas-domc-cpio: %s: %s\n", what, why);
	exit(1);
}

static void
pad(size_t len)
{
	static const char zeros[4];

	(void)fwrite(zeros, 1, (4 - len % 4) % 4, stdout);
}

/* What stands before an entry's bytes. */
static void
header(const char *path, unsigned mode, unsigned links, size_t size)
{
	/* magic, inode, mode, uid, gid, links, mtime, size, dev, rdev, length of name, check */
	int n = printf("070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X", inode++, mode,
	    0U, 0U, links, 0U, size, 0U, 0U, 0U, 0U, strlen(path) + 1, 0U);

	if (n != 110)
		fail(path, "too large");
	(void)fwrite(path, 1, strlen(path) + 1, stdout);
	pad(110 + strlen(path) + 1);
}

static void
file(const char *path, unsigned mode, const char *source)
{
	FILE *f = fopen(source, "re");
	struct stat st;
	uint8_t *bytes;
	size_t size;

	if (f == NULL || fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode))
		fail(source, f == NULL ? strerror(errno) : "it is no file");
	size = (size_t)st.st_size;
	if ((bytes = malloc(size + 1)) == NULL || fread(bytes, 1, size, f) != size)
		fail(source, "it cannot be read");
	header(path, S_IFREG | (mode & 0777), 1, size);
	(void)fwrite(bytes, 1, size, stdout);
	pad(size);
	free(bytes);
	fclose(f);
}

static void
entry(char *line)
{
	char kind[8], path[LINE], source[LINE];
	unsigned mode;

	if (sscanf(line, "%7s %1023s", kind, path) != 2)
		fail(line, "no entry");
	if (strcmp(kind, "dir") == 0) {
		header(path, S_IFDIR | 0755, 2, 0);
	} else if (sscanf(line, "file %*s %o %1023s", &mode, source) == 2) {
		file(path, mode, source);
	} else if (sscanf(line, "link %*s %1023s", source) == 1) {
		header(path, S_IFLNK | 0777, 1, strlen(source));
		(void)fwrite(source, 1, strlen(source), stdout);
		pad(strlen(source));
	} else {
		fail(line, "no entry");
	}
}

int
main(void)
{
	char line[3 * LINE];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		entry(line);
	}
	inode = 0;
	header("TRAILER!!!", 0, 1, 0);
	if (ferror(stdin) || fflush(stdout) != 0 || ferror(stdout))
		fail("archive", "it cannot be written");
	return 0;
}
