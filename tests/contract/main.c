/*
 * contract - run the suite on one transport.
 *
 *	contract LISTEN CONNECT ABSENT
 *	contract unix | shm | vsock | vchan      addresses that suit this machine
 *	contract apart unix | shm | vsock        the same, the connecting half in another process
 *	contract near CONTROL LISTEN CONNECT ABSENT
 *	contract far CONTROL            the two halves at two places, as in two domains: far comes
 *	                                to near, each by its own address of their control channel
 *
 * For vchan, $CAAS_CONTRACT_DOMID is this domain's own number (the suite is both ends).
 * Exits 77, and says why, where the transport does not exist.
 */
#include "contract.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "apart.h"

const char *listen_address, *connect_address, *absent_address;
bool has_streams, has_descriptor, shares_memory;

static char directory[] = "/tmp/caas-contract-XXXXXX";
static char addresses[3][64];

#define ABSENT 2000    /* ms until nobody is there */
#define MEETING 300000 /* ms until both halves are there */
#define PAUSE 200      /* ms between two looks for the other one */

static int
usage(void)
{
	fputs("usage: contract LISTEN CONNECT ABSENT | unix | shm | vsock | vchan\n"
	      "       contract apart unix | shm | vsock\n"
	      "       contract near CONTROL LISTEN CONNECT ABSENT\n"
	      "       contract far CONTROL\n",
	    stderr);
	return 2;
}

static void
choose(const char *l, const char *c, const char *a)
{
	snprintf(addresses[0], sizeof(addresses[0]), "%s", l);
	snprintf(addresses[1], sizeof(addresses[1]), "%s", c);
	snprintf(addresses[2], sizeof(addresses[2]), "%s", a);
}

static bool
addresses_for(const char *kind)
{
	const char *domid = getenv("CAAS_CONTRACT_DOMID");
	char one[64], two[64];

	if (strcmp(kind, "unix") == 0 || strcmp(kind, "shm") == 0) {
		if (mkdtemp(directory) == NULL)
			return false;
		snprintf(one, sizeof(one), "unix:%s/s", directory);
		snprintf(two, sizeof(two), "unix:%s/absent", directory);
		choose(one, one, two);
	} else if (strcmp(kind, "vsock") == 0) {
		choose("vsock:any:47113", "vsock:1:47113", "vsock:1:47114");
	} else if (strcmp(kind, "vchan") == 0) {
		snprintf(one, sizeof(one), "vchan:%s:data/contract", domid ? domid : "0");
		snprintf(two, sizeof(two), "vchan:%s:data/absent", domid ? domid : "0");
		choose(one, one, two);
	} else {
		return false;
	}
	return true;
}

/* NULL, or why this machine cannot run the suite. */
static const char *
unavailable(void)
{
	struct listener *l = transport_listen(listen_address, 0600);
	struct channel *c;

	if (l == NULL)
		return transport_strerror(listen_address, errno);
	/* Only a vsock can be listened on without being there. */
	if (strncmp(connect_address, "vsock:", 6) == 0) {
		c = transport_connect(connect_address, ABSENT);
		if (c == NULL) {
			listener_close(l);
			return transport_strerror(connect_address, errno);
		}
		channel_close(c);
	}
	listener_close(l);
	return NULL;
}

/* The other half comes when it can: its machine may still be starting. */
static struct channel *
wait_for_far(const char *address)
{
	struct listener *l = transport_listen(address, 0600);
	struct channel *c = NULL;
	struct pollfd p = {.events = POLLIN};
	struct peer peer;

	if (l == NULL)
		return NULL;
	p.fd = listener_fd(l);
	while ((c = listener_accept(l, &peer)) == NULL && errno == EAGAIN &&
	    poll(&p, 1, MEETING) == 1)
		continue;
	listener_close(l);
	return c;
}

static int
be_far(const char *address)
{
	struct channel *c = NULL;

	for (int i = 0; i < MEETING / PAUSE; i++) {
		if ((c = transport_connect(address, PATIENCE)) != NULL)
			break;
		usleep(PAUSE * 1000);
	}
	if (c == NULL) {
		printf("the other half cannot be reached: %s\n", transport_strerror(address, errno));
		return 1;
	}
	return far_serve(c) ? 0 : 1;
}

/* The other half is a child. */
static bool
part(void)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0)
		return false;
	switch (fork()) {
	case -1:
		return false;
	case 0:
		(void)close(sv[0]);
		_exit(far_serve(channel_from_fd(sv[1])) ? 0 : 1);
	default:
		(void)close(sv[1]);
		return far_begin(channel_from_fd(sv[0]));
	}
}

static int
run(void)
{
	int failed = 0;

	failed += contract_connecting();
	failed += contract_bytes();
	failed += contract_waiting();
	failed += contract_ending();
	return failed;
}

int
main(int argc, char **argv)
{
	const char *why, *kind = argv[argc - 1];
	bool apart = argc == 3 && strcmp(argv[1], "apart") == 0;
	bool near = argc == 6 && strcmp(argv[1], "near") == 0;
	int failed;

	if (argc == 3 && strcmp(argv[1], "far") == 0)
		return be_far(argv[2]);
	if (near || argc == 4)
		choose(argv[argc - 3], argv[argc - 2], argv[argc - 1]);
	else if (!(argc == 2 || apart) || !addresses_for(kind))
		return usage();
	listen_address = addresses[0];
	connect_address = addresses[1];
	absent_address = addresses[2];
	shares_memory = !near && strcmp(kind, "shm") == 0;
	has_streams = strncmp(listen_address, "vchan:", 6) != 0;
	has_descriptor = has_streams && !shares_memory;
	if ((why = unavailable()) != NULL) {
		printf("SKIPPED: the contract was not tested: %s\n", why);
		return 77;
	}
	if ((apart && !part()) || (near && !far_begin(wait_for_far(argv[2])))) {
		printf("the other half did not come: %s\n", strerror(errno));
		return 1;
	}
	failed = run();
	if (far_is() && !far_end()) {
		printf("the other half was lost\n");
		failed++;
	}
	if (argc == 2 || apart)
		(void)rmdir(directory);
	return failed == 0 ? 0 : 1;
}
