/* pair.c - caas pair: pairs of domains, by way of domt-forward to domtd. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "caas/cmd.h"
#include "caas/outfile.h"
#include "caas/output.h"
#include "caas/secret.h"
#include "common/ipc.h"
#include "xen-hooks/message/message.h"
#include "xen-hooks/message/socket.h"

/* What came before the last reply. */
struct answers {
	json_t *pairs, *notes;
	json_t *service; /* NULL: nothing was said of it */
	bool show; /* progress, as it comes */
	bool sent, judged; /* the request, and by a last reply */
};

static int
ask(const char *path, const struct request *r, int file)
{
	struct buf b;
	int fd = seq_connect(path), rc = -1;

	if (fd < 0) {
		cmd_fail("%s: %s: does domt-forward run, and are you root or in its group?", path,
		    strerror(errno));
		return -1;
	}
	buf_init(&b, MESSAGE_MAX);
	request_write(&b, r);
	if (ipc_send(fd, &b, &file, file >= 0) == 0)
		rc = fd;
	else
		cmd_fail("%s: %s", path, strerror(errno));
	buf_free(&b);
	if (rc < 0)
		close(fd);
	return rc;
}

/* 1: there is more, 0: it is done; -1 after saying why not. */
static int
take(struct answers *a, const struct buf *b)
{
	enum reply_kind kind;
	json_t *value;
	int rc = 1;

	if (!reply_read(b, &kind, &value)) {
		cmd_fail("malformed reply: upgrade caas or domtd");
		return -1;
	}
	switch (kind) {
	case REPLY_PROGRESS:
		if (a->show)
			cmd_note("%s", json_string_value(value));
		break;
	case REPLY_NOTE:
		if (a->show)
			cmd_note("%s", json_string_value(value));
		json_array_append(a->notes, value);
		break;
	case REPLY_PAIRS:
		json_array_extend(a->pairs, value);
		break;
	case REPLY_SERVICE:
		json_decref(a->service);
		a->service = json_incref(value);
		break;
	case REPLY_DONE:
		rc = 0;
		break;
	default:
		a->judged = true;
		cmd_fail("%s", json_string_value(value));
		rc = -1;
	}
	json_decref(value);
	return rc;
}

static int
hear(int fd, struct answers *a)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct buf b;
	int rc = 1;

	buf_init(&b, IPC_MAX);
	while (rc > 0) {
		int n = poll(&p, 1, MESSAGE_SILENCE + MESSAGE_BEAT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || ipc_recv(fd, &b, NULL, NULL) < 0) {
			cmd_fail("domt-forward %s: see its log, and domtd's",
			    n == 0 ? "gives no sign of life" : "went away");
			break;
		}
		rc = take(a, &b);
	}
	buf_free(&b);
	return rc == 0 ? CMD_OK : CMD_FAILED;
}

static int
converse(const struct args *args, const struct request *r, int file, struct answers *a)
{
	const char *path = args->value[OPT_SOCKET] != NULL ? args->value[OPT_SOCKET] : SEQ_FORWARD;
	int fd = ask(path, r, file), rc;

	if (fd < 0)
		return CMD_FAILED;
	a->sent = true;
	rc = hear(fd, a);
	close(fd);
	return rc;
}

static void
answers_init(struct answers *a, bool show)
{
	*a = (struct answers){.pairs = json_array(), .notes = json_array(), .show = show};
}

static void
answers_free(struct answers *a)
{
	json_decref(a->pairs);
	json_decref(a->notes);
	json_decref(a->service);
}

/* What comes is shown.  *ret_unknown: whether it was done or not is not known. */
static int
talk(const struct args *args, const struct request *r, int file, bool *ret_unknown)
{
	struct answers a;
	int rc;

	answers_init(&a, true);
	rc = converse(args, r, file, &a);
	*ret_unknown = rc != CMD_OK && a.sent && !a.judged;
	answers_free(&a);
	return rc;
}

static int
begin(const struct args *args, enum request_kind kind, struct request *ret)
{
	*ret = (struct request){.kind = kind};
	if (!pair_name_ok(args->operand[0]))
		return cmd_usage("%s is no name of a pair: letters, digits and ._-, %d at most",
		    args->operand[0], PAIR_NAME - 1);
	snprintf(ret->pair, sizeof(ret->pair), "%s", args->operand[0]);
	return CMD_OK;
}

static int
simple(const struct args *args, enum request_kind kind)
{
	struct request r;
	bool unknown;
	int rc = begin(args, kind, &r);

	return rc == CMD_OK ? talk(args, &r, -1, &unknown) : rc;
}

int
cmd_pair_create(const struct args *args)
{
	return simple(args, REQUEST_CREATE);
}

int
cmd_pair_destroy(const struct args *args)
{
	return simple(args, REQUEST_DESTROY);
}

int
cmd_pair_forget(const struct args *args)
{
	char question[256];
	struct request r;
	bool unknown;
	int rc = begin(args, REQUEST_FORGET, &r);

	if (rc != CMD_OK)
		return rc;
	snprintf(question, sizeof(question),
	    "The stores that crypto domains of %s left behind open never again.  Forget them?",
	    r.pair);
	if (args->value[OPT_YES] == NULL && !tty_confirm(question))
		return cmd_usage("%s is not forgotten: confirm, or give --yes", r.pair);
	return talk(args, &r, -1, &unknown);
}

/*
 * The file is opened here, with our rights: domtd opens no path that somebody names.  Once the
 * guest is in it, and nowhere else, it is not removed whatever happens.
 */
int
cmd_pair_save(const struct args *args)
{
	struct request r;
	struct outfile o;
	bool unknown;
	int rc = begin(args, REQUEST_SAVE, &r);

	if (rc != CMD_OK || (rc = outfile_begin(&o, args->operand[1])) != CMD_OK)
		return rc;
	rc = talk(args, &r, o.fd, &unknown);
	if (rc != CMD_OK && !unknown)
		return outfile_end(&o, false);
	if (unknown)
		rc = cmd_fail("it is not known whether %s is the guest: if caas pair list says "
			      "`saved', it is",
		    o.temp);
	else if (rename(o.temp, o.name) < 0)
		rc = cmd_fail("the guest is in %s: it cannot be called %s: %s", o.temp, o.name,
		    strerror(errno));
	close(o.fd);
	return rc;
}

int
cmd_pair_restore(const struct args *args)
{
	struct request r;
	bool unknown;
	int rc = begin(args, REQUEST_RESTORE, &r), fd;

	if (rc != CMD_OK)
		return rc;
	if ((fd = open(args->operand[1], O_RDONLY | O_CLOEXEC)) < 0)
		return cmd_fail("%s: %s", args->operand[1], strerror(errno));
	rc = talk(args, &r, fd, &unknown);
	close(fd);
	return rc;
}

/* Of {"domc": {"domid": 5}} a column has no place for. */
static json_t *
row_of(const json_t *pair)
{
	const json_t *c = json_object_get(pair, "domc"), *u = json_object_get(pair, "domu");
	json_t *row = json_object();

	json_object_set(row, "pair", json_object_get(pair, "pair"));
	json_object_set(row, "state", json_object_get(pair, "state"));
	json_object_set(row, "domc", json_object_get(c, "domid"));
	json_object_set(row, "domu", json_object_get(u, "domid"));
	json_object_set(row, "sha256", json_object_get(c, "sha256"));
	return row;
}

static void
show_list(const struct args *args, const struct answers *a)
{
	static const struct column columns[] = {{"PAIR", "pair"}, {"STATE", "state"},
	    {"DOMC", "domc"}, {"DOMU", "domu"}, {"SHA-256 OF DOMC", "sha256"}};
	json_t *rows = json_array(), *j;
	char clean[MESSAGE_TEXT];
	size_t i;

	if (args->value[OPT_JSON] != NULL) {
		j = json_pack("{s:O, s:O?, s:O}", "pairs", a->pairs, "tpm_service", a->service,
		    "not_protected", a->notes);
		output_json(j);
		json_decref(j);
	} else {
		json_array_foreach (a->pairs, i, j)
			json_array_append_new(rows, row_of(j));
		output_table(rows, columns, sizeof(columns) / sizeof(columns[0]));
		if (a->service != NULL) {
			output_clean(clean, sizeof(clean), json_string_value(a->service));
			printf("TPM service: %s\n", clean);
		}
		json_array_foreach (a->notes, i, j) {
			output_clean(clean, sizeof(clean), json_string_value(j));
			printf("not protected: %s\n", clean);
		}
	}
	json_decref(rows);
}

int
cmd_pair_list(const struct args *args)
{
	const struct request r = {.kind = REQUEST_LIST};
	struct answers a;
	int rc;

	answers_init(&a, false);
	rc = converse(args, &r, -1, &a);
	if (rc == CMD_OK)
		show_list(args, &a);
	answers_free(&a);
	return rc;
}
