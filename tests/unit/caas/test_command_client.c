/* caas/client.c, against a vsmd-admin of our own in a thread */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "caas/client.h"
#include "protocol/frame.h"
#include "protocol/hello.h"
#include "vchan-transport/transport.h"
#include "vsmd/admin/admin.h"

struct server {
	char dir[40], address[80];
	struct listener *listener;
	pthread_t thread;
	enum hello_status status;
	/* the reply: ok, text, blob; NULL text: hang up; "silence": say nothing */
	const char *text, *blob;
	uint8_t ok;
	unsigned beats;
	uint32_t id_off; /* added to the id of the reply */
	/* what came */
	char call[64], json[256], passphrase[64], so_pin[64];
	size_t secret_len, blob_len;
	int quit[2];
};

static void
reply(struct server *s, struct channel *c, uint32_t id)
{
	struct buf b;
	struct iovec iov;

	buf_init(&b, 65536);
	for (unsigned i = 0; i < s->beats; i++) {
		frame_begin(&b, 0, FRAME_BEAT);
		frame_end(&b);
		iov = (struct iovec){.iov_base = b.data, .iov_len = b.len};
		channel_writev(c, &iov, 1, 1000);
		buf_reset(&b);
	}
	frame_begin(&b, id + s->id_off, ADMIN_CALL);
	buf_put_u8(&b, s->ok);
	buf_put_str(&b, s->text);
	buf_put_str(&b, s->blob);
	frame_end(&b);
	iov = (struct iovec){.iov_base = b.data, .iov_len = b.len};
	channel_writev(c, &iov, 1, 1000);
	buf_free(&b);
}

static void
take(struct server *s, const uint8_t *body, size_t len)
{
	struct buf b, secret;
	const uint8_t *p;

	buf_view(&b, body, len);
	buf_get_str(&b, s->call, sizeof(s->call));
	buf_get_str(&b, s->json, sizeof(s->json));
	p = buf_get_bytes(&b, &s->secret_len);
	if (s->secret_len > 0) {
		buf_view(&secret, p, s->secret_len);
		buf_get_str(&secret, s->passphrase, sizeof(s->passphrase));
		buf_get_str(&secret, s->so_pin, sizeof(s->so_pin));
	}
	buf_get_bytes(&b, &s->blob_len);
	if (!buf_end(&b))
		snprintf(s->call, sizeof(s->call), "malformed");
}

static void
serve(struct server *s, struct channel *c)
{
	static uint8_t body[ADMIN_MAX];
	uint8_t bytes[HELLO_LEN], header[FRAME_HEADER];
	struct hello_answer a = {.version = HELLO_VERSION, .status = s->status,
	    .max_frame = FRAME_MAX_LEAST, .silence = 1000};
	struct hello_ask ask;
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct frame f;

	if (channel_read_all(c, bytes, sizeof(bytes), 5000) < 0 || !hello_ask_read(bytes, &ask))
		return;
	hello_answer_write(bytes, &a);
	channel_writev(c, &iov, 1, 1000);
	while (s->status == HELLO_OK && ask.purpose == HELLO_ADMIN &&
	    channel_read_all(c, header, sizeof(header), 5000) == 0 &&
	    frame_parse(header, ADMIN_MAX, &f) &&
	    channel_read_all(c, body, f.length, 5000) == 0) {
		take(s, body, f.length);
		if (s->text == NULL)
			return;
		if (strcmp(s->text, "silence") == 0)
			channel_read(c, header, 1, 5000);
		else
			reply(s, c, f.id);
	}
}

static void *
run(void *arg)
{
	struct server *s = arg;
	struct pollfd p[] = {{.fd = listener_fd(s->listener), .events = POLLIN},
	    {.fd = s->quit[0], .events = POLLIN}};
	struct channel *c;
	struct peer peer;

	while (poll(p, 2, -1) > 0 && p[1].revents == 0) {
		c = listener_accept(s->listener, &peer);
		if (c == NULL)
			continue;
		serve(s, c);
		channel_close(c);
	}
	return NULL;
}

static int
setup(void **state)
{
	struct server *s = calloc(1, sizeof(*s));

	snprintf(s->dir, sizeof(s->dir), "/tmp/caas-client-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->address, sizeof(s->address), "unix:%s/s", s->dir);
	s->listener = transport_listen(s->address, 0600);
	assert_non_null(s->listener);
	s->ok = 1;
	s->text = "{\"x\":1}";
	assert_int_equal(pipe(s->quit), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct server *s = *state;

	assert_int_equal(write(s->quit[1], "x", 1), 1);
	pthread_join(s->thread, NULL);
	listener_close(s->listener);
	close(s->quit[0]);
	close(s->quit[1]);
	unlink(s->address + 5);
	rmdir(s->dir);
	free(s);
	return 0;
}

static json_t *
ask(struct client *c, const char *call)
{
	struct client_request r = {.call = call};

	return client_ask(c, &r, NULL);
}

static void
asks(void **state)
{
	struct server *s = *state;
	struct secret passphrase = {.text = (char *)"abc", .len = 3},
		      so_pin = {.text = (char *)"1234", .len = 4};
	struct client_request r = {.call = "restore-finish",
	    .args = json_pack("{s:i}", "handle", 5), .passphrase = &passphrase,
	    .so_pin = &so_pin, .blob = "xyz", .blob_len = 3};
	struct client *c = client_open(s->address, 2000);
	struct buf blob;
	json_t *j;

	assert_non_null(c);
	buf_init(&blob, 100);
	s->blob = "piece";
	j = client_ask(c, &r, &blob);
	assert_non_null(j);
	assert_int_equal(json_integer_value(json_object_get(j, "x")), 1);
	assert_int_equal(blob.len, 5);
	assert_memory_equal(blob.data, "piece", 5);
	assert_string_equal(s->call, "restore-finish");
	assert_string_equal(s->json, "{\"handle\":5}");
	assert_string_equal(s->passphrase, "abc");
	assert_string_equal(s->so_pin, "1234");
	assert_int_equal(s->blob_len, 3);
	json_decref(j);
	buf_free(&blob);

	/* a second one on the same connection, bare */
	s->beats = 3;
	j = ask(c, "status");
	assert_non_null(j);
	assert_string_equal(s->json, "{}");
	assert_int_equal(s->secret_len, 0);
	json_decref(j);
	client_close(c);
}

static void
fails(void **state)
{
	struct server *s = *state;
	struct client *c = client_open(s->address, 300);

	assert_non_null(c);
	s->ok = 0;
	s->text = "no such token: see caas token list";
	assert_null(ask(c, "status"));
	s->ok = 2;
	assert_null(ask(c, "status"));
	s->ok = 1;
	s->text = "not JSON";
	assert_null(ask(c, "status"));
	s->text = "{}";
	s->id_off = 1;
	assert_null(ask(c, "status"));
	client_close(c);
}

static void
silence_and_loss(void **state)
{
	struct server *s = *state;
	struct client *c = client_open(s->address, 200);

	assert_non_null(c);
	s->text = "silence";
	assert_null(ask(c, "status"));
	client_close(c);
	c = client_open(s->address, 2000);
	assert_non_null(c);
	s->text = NULL;
	assert_null(ask(c, "status"));
	client_close(c);
}

static void
refused(void **state)
{
	struct server *s = *state;

	assert_int_equal(client_probe(s->address, 1000), 1);
	s->status = HELLO_REFUSED;
	assert_null(client_open(s->address, 1000));
	assert_int_equal(client_probe(s->address, 1000), -1);
	s->status = HELLO_BUSY;
	assert_null(client_open(s->address, 1000));
	assert_int_equal(client_probe(s->address, 1000), 0);
	s->status = HELLO_BAD_VERSION;
	assert_null(client_open(s->address, 1000));
	assert_null(client_open("carrier-pigeon:7", 1000));
	assert_null(client_open("unix:/nonexistent/s", 1000));
	assert_int_equal(client_probe("unix:/nonexistent/s", 100), 0);
}

static void
addresses(void **state)
{
	char file[] = "/tmp/caas-conf-XXXXXX", given[] = "unix:/given";
	struct args a = {0};
	int fd = mkstemp(file);

	(void)state;
	assert_int_equal(write(fd, "silence = 5\naddress = vsock:3:77\n", 33), 33);
	close(fd);
	unsetenv("CAAS_VSM_ADDRESS");
	setenv("CAAS_P11_CONF", file, 1);
	assert_string_equal(client_address(&a), "vsock:3:77");
	setenv("CAAS_VSM_ADDRESS", "unix:/env", 1);
	assert_string_equal(client_address(&a), "unix:/env");
	a.value[OPT_ADDRESS] = given;
	assert_string_equal(client_address(&a), "unix:/given");
	unsetenv("CAAS_VSM_ADDRESS");
	unsetenv("CAAS_P11_CONF");
	unlink(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(asks, setup, teardown),
	    cmocka_unit_test_setup_teardown(fails, setup, teardown),
	    cmocka_unit_test_setup_teardown(silence_and_loss, setup, teardown),
	    cmocka_unit_test_setup_teardown(refused, setup, teardown),
	    cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
