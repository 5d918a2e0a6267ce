/*
 * export.c - caas-bench-export: a token directory of SoftHSM2 as a backup, which
 * `caas token restore' puts into vsmd.  So both have the same objects to search.
 *
 *	caas-bench-export DIRECTORY LABEL SERIAL PIN SO-PIN PASSPHRASE FILE
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vsmd/store/backup.h"
#include "vsmd/store/dirwatch.h"
#include "vsmd/store/pins.h"

#define SLOT 1

static bool
put_file(struct map *m, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char what[MAP_KEY_MAX - 24], key[MAP_KEY_MAX];
	struct stat st;
	void *data;
	bool ok;

	if (fd < 0 || fstat(fd, &st) != 0 ||
	    (data = malloc((size_t)st.st_size + 1)) == NULL)
		return false;
	snprintf(what, sizeof(what), "file/%.128s", name);
	slot_key(key, SLOT, what);
	ok = read(fd, data, (size_t)st.st_size) == st.st_size &&
	     map_put(m, key, data, (size_t)st.st_size);
	free(data);
	close(fd);
	return ok;
}

static bool
put_files(struct map *m, const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	bool ok = d != NULL;

	while (ok && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && !dirwatch_ignored(e->d_name))
			ok = put_file(m, dirfd(d), e->d_name);
	if (d != NULL)
		closedir(d);
	return ok;
}

static bool
put_pins(struct map *m, const char *pin, const char *so_pin)
{
	struct txn t;
	bool ok;

	txn_init(&t);
	pins_put_user(&t, SLOT, (const uint8_t *)pin, strlen(pin));
	ok = pins_put_so(&t, SLOT, (const uint8_t *)so_pin, strlen(so_pin)) && txn_ok(&t);
	for (size_t i = 0; ok && i < t.n; i++)
		ok = map_put(m, t.ops[i].key, t.ops[i].value, t.ops[i].len);
	txn_clear(&t);
	return ok;
}

static bool
write_out(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "we");
	bool ok = f != NULL && fwrite(b->data, 1, b->len, f) == b->len;

	return f != NULL && fclose(f) == 0 && ok;
}

int
main(int argc, char **argv)
{
	struct slot slot = {.number = SLOT, .initialized = true};
	struct vault v;
	struct buf out;
	const char *base;
	bool ok;

	if (argc != 8) {
		fprintf(stderr,
		    "usage: caas-bench-export DIRECTORY LABEL SERIAL PIN SO-PIN "
		    "PASSPHRASE FILE\n");
		return 2;
	}
	base = strrchr(argv[1], '/') != NULL ? strrchr(argv[1], '/') + 1 : argv[1];
	snprintf(slot.label, sizeof(slot.label), "%s", argv[2]);
	snprintf(slot.serial, sizeof(slot.serial), "%s", argv[3]);
	snprintf(slot.directory, sizeof(slot.directory), "%s", base);
	memset(&v, 0, sizeof(v));
	map_init(&v.map);
	buf_init(&out, BACKUP_MAX);
	ok = put_files(&v.map, argv[1]) && put_pins(&v.map, argv[4], argv[5]) &&
	     backup_make(&v, &slot, (const uint8_t *)argv[6], strlen(argv[6]), &out) &&
	     write_out(argv[7], &out);
	if (!ok)
		fprintf(stderr, "caas-bench-export: %s: %s\n", argv[1], strerror(errno));
	buf_free(&out);
	map_free(&v.map);
	return !ok;
}
