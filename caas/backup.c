/* backup.c - caas token backup, restore: a token in pieces, encrypted by the store */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "caas/ask.h"
#include "caas/outfile.h"
#include "vsmd/admin/check.h"

#define BACKUP_MOST ((json_int_t)1 << 40) /* bytes: more is no answer of a vsmd */

/* A passphrase, or none for --sealed. */
static int
get_passphrase(const struct args *args, bool twice, struct secret *ret)
{
	bool given = args->value[OPT_PASSPHRASE] != NULL ||
		     args->value[OPT_PASSPHRASE_FILE] != NULL;

	*ret = (struct secret){0};
	if (args->value[OPT_SEALED] != NULL)
		return given ? cmd_usage("--sealed excludes a passphrase") : CMD_OK;
	if (!given && !isatty(STDIN_FILENO))
		return cmd_usage(
		    "give --passphrase-file FILE or --sealed: a backup is never "
		    "in clear");
	return secret_get(
	    args, OPT_PASSPHRASE, OPT_PASSPHRASE_FILE, "passphrase", twice, ret);
}

static int
get_number(const json_t *j, const char *key, json_int_t *ret)
{
	const json_t *v = json_object_get(j, key);

	*ret = json_integer_value(v);
	if (!json_is_integer(v) || *ret < 0)
		return cmd_fail("vsmd's answer has no %s: upgrade one side", key);
	return CMD_OK;
}

static int
write_all(int fd, const void *p, size_t len)
{
	const char *at = p;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
fetch_piece(
    struct client *c, json_int_t handle, json_int_t offset, int fd, size_t *ret_len)
{
	struct client_request r = {.call = "backup-read",
	    .args = json_pack("{s:I, s:I}", "handle", handle, "offset", offset)};
	struct buf blob;
	json_t *j;
	int rc = CMD_FAILED;

	buf_init(&blob, ADMIN_MAX_BLOB);
	j = client_ask(c, &r, &blob);
	*ret_len = blob.len;
	if (j == NULL)
		;
	else if (!buf_ok(&blob) || blob.len == 0)
		cmd_fail("vsmd broke off the backup: try again");
	else if (write_all(fd, blob.data, blob.len) < 0)
		cmd_fail("cannot write the backup: %s", strerror(errno));
	else
		rc = CMD_OK;
	json_decref(j);
	buf_free(&blob);
	return rc;
}

static int
fetch(struct client *c, const char *label, const struct secret *passphrase, int fd,
    json_int_t *ret_size)
{
	struct client_request begin = {.call = "backup-begin",
	    .args = json_pack("{s:s}", "label", label),
	    .passphrase = passphrase};
	json_t *j = client_ask(c, &begin, NULL);
	json_int_t handle, offset = 0;
	size_t len;
	int rc;

	if (j == NULL)
		return CMD_FAILED;
	rc = get_number(j, "handle", &handle);
	if (rc == CMD_OK)
		rc = get_number(j, "size", ret_size);
	json_decref(j);
	for (; rc == CMD_OK && offset < *ret_size; offset += (json_int_t)len)
		rc = fetch_piece(c, handle, offset, fd, &len);
	if (rc == CMD_OK && offset != *ret_size)
		rc = cmd_fail("vsmd sent more than it announced: upgrade one side");
	if (rc == CMD_OK) {
		struct client_request end = {
		    .call = "backup-end", .args = json_pack("{s:I}", "handle", handle)};

		json_decref(client_ask(c, &end, NULL));
	}
	return rc;
}

static int
fetch_file(struct client *c, const struct args *args, const struct secret *passphrase,
    json_int_t *ret_size)
{
	struct outfile out;
	int rc = outfile_begin(&out, args->value[OPT_OUT]);

	if (rc != CMD_OK)
		return rc;
	rc = fetch(c, args->value[OPT_LABEL], passphrase, out.fd, ret_size);
	return outfile_end(&out, rc == CMD_OK);
}

int
cmd_token_backup(const struct args *args)
{
	struct secret passphrase;
	struct client *c;
	json_int_t size = 0;
	json_t *j;
	int rc = get_passphrase(args, true, &passphrase);

	if (rc != CMD_OK)
		return rc;
	c = client_of(args);
	rc = c != NULL ? fetch_file(c, args, &passphrase, &size) : CMD_FAILED;
	client_close(c);
	secret_free(&passphrase);
	if (rc != CMD_OK)
		return rc;
	j = json_pack("{s:s, s:s, s:I}", "label", args->value[OPT_LABEL], "file",
	    args->value[OPT_OUT], "size", size);
	show_object(args, j);
	json_decref(j);
	return CMD_OK;
}

static int
send_piece(
    struct client *c, json_int_t handle, json_int_t offset, const void *p, size_t len)
{
	struct client_request r = {.call = "restore-write",
	    .args = json_pack("{s:I, s:I}", "handle", handle, "offset", offset),
	    .blob = p,
	    .blob_len = len};
	json_t *j = client_ask(c, &r, NULL);

	json_decref(j);
	return j != NULL ? CMD_OK : CMD_FAILED;
}

static int
send_file(struct client *c, json_int_t handle, json_int_t size, FILE *f)
{
	static char piece[ADMIN_MAX_BLOB];
	json_int_t offset = 0;
	size_t n;

	while ((n = fread(piece, 1, sizeof(piece), f)) > 0) {
		if (send_piece(c, handle, offset, piece, n) != CMD_OK)
			return CMD_FAILED;
		offset += (json_int_t)n;
	}
	if (ferror(f) || offset != size)
		return cmd_fail("the backup changed or broke off while it was read");
	return CMD_OK;
}

static json_t *
restore(struct client *c, FILE *f, json_int_t size, const struct secret *passphrase,
    const struct secret *so_pin)
{
	struct client_request begin = {
	    .call = "restore-begin", .args = json_pack("{s:I}", "size", size)};
	struct client_request finish = {
	    .call = "restore-finish", .passphrase = passphrase, .so_pin = so_pin};
	json_t *j = client_ask(c, &begin, NULL);
	json_int_t handle;
	int rc;

	if (j == NULL)
		return NULL;
	rc = get_number(j, "handle", &handle);
	json_decref(j);
	if (rc != CMD_OK || send_file(c, handle, size, f) != CMD_OK)
		return NULL;
	finish.args = json_pack("{s:I}", "handle", handle);
	return client_ask(c, &finish, NULL);
}

static int
restore_with(const struct args *args, FILE *f, const struct secret *passphrase,
    const struct secret *so_pin)
{
	struct stat st;
	struct client *c;
	json_t *j;

	if (fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
	    st.st_size > BACKUP_MOST)
		return cmd_fail(
		    "%s is empty or no regular file: give a backup", args->value[OPT_IN]);
	c = client_of(args);
	if (c == NULL)
		return CMD_FAILED;
	j = restore(c, f, st.st_size, passphrase, so_pin);
	client_close(c);
	if (j == NULL)
		return CMD_FAILED;
	show_object(args, j);
	json_decref(j);
	return CMD_OK;
}

int
cmd_token_restore(const struct args *args)
{
	struct secret passphrase = {0}, so_pin = {0};
	FILE *f = fopen(args->value[OPT_IN], "re");
	int rc;

	if (f == NULL)
		return cmd_fail(
		    "cannot read %s: %s", args->value[OPT_IN], strerror(errno));
	rc = get_passphrase(args, false, &passphrase);
	if (rc == CMD_OK)
		rc = secret_get(
		    args, OPT_SO_PIN, OPT_SO_PIN_FILE, "SO PIN", false, &so_pin);
	if (rc == CMD_OK)
		rc = restore_with(args, f, &passphrase, &so_pin);
	secret_free(&passphrase);
	secret_free(&so_pin);
	fclose(f);
	return rc;
}
