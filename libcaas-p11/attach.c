/* attach.c - see attach.h */
#include "libcaas-p11/attach.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "protocol/frame.h"
#include "vchan-transport/deadline.h"
#include "vchan-transport/shm.h"

#define SLICE 100     /* ms between two looks whether to stop */
#define BUSY_PAUSE 50 /* ms before vsmd is asked again */

static void
tell(const struct attach_as *as, const char *what)
{
	if (as->config->debug)
		log_warn("libcaas-p11: %s: %s", as->config->address, what);
}

/* Exactly len bytes until `at`. */
static bool
read_bytes(const struct attach_as *as, struct channel *c, void *p, size_t len, int64_t at)
{
	size_t done = 0;

	while (done < len) {
		int left = deadline_left(at);
		ssize_t n = channel_read(
		    c, (uint8_t *)p + done, len - done, left < SLICE ? left : SLICE);

		if (n == 0)
			errno = ECONNRESET;
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != ETIMEDOUT)
			return false;
		if (done < len && (as->stop() || deadline_left(at) == 0)) {
			errno = ETIMEDOUT;
			return false;
		}
	}
	return true;
}

static enum attach
judge(const struct attach_as *as, const struct hello_answer *answer)
{
	if (answer->version != HELLO_VERSION || answer->status == HELLO_BAD_VERSION) {
		tell(as, "vsmd speaks another version: upgrade one side");
		return ATTACH_FAILED;
	}
	switch (answer->status) {
	case HELLO_OK:
		return ATTACH_OK;
	case HELLO_REFUSED:
		tell(as, "vsmd refuses: its policy has no principal for this user");
		return ATTACH_REFUSED;
	case HELLO_NO_SLOT:
		return ATTACH_NO_SLOT;
	case HELLO_BUSY:
		tell(as, "vsmd is busy");
		return ATTACH_FAILED;
	default:
		tell(as, "vsmd could not start a worker");
		return ATTACH_FAILED;
	}
}

/* Wait until bytes are there. */
static bool
await(const struct attach_as *as, struct channel *c)
{
	int64_t at = deadline_at(as->config->silence), slice;

	do {
		slice = deadline_at(SLICE);
		if (deadline_poll(channel_poll_fd(c), POLLIN, slice < at ? slice : at) == 0)
			return true;
	} while (errno == ETIMEDOUT && !as->stop() && deadline_left(at) != 0);
	return false;
}

/* What is offered after the hello.  The channel to go on with, or NULL. */
static struct channel *
share_memory(const struct attach_as *as, struct channel *c)
{
	if (!await(as, c))
		channel_close(c);
	else if ((c = shm_accept(c, as->config->silence)) != NULL)
		return c;
	tell(as, "vsmd broke off its offer of shared memory");
	return NULL;
}

/* What an answer to HELLO_TOKEN has to be. */
static bool
sound(const struct hello_ask *ask, const struct hello_answer *answer)
{
	return answer->count == 0 && answer->max_frame >= FRAME_MAX_LEAST &&
	    answer->max_frame <= ask->max_frame && (answer->flags & ~ask->flags) == 0;
}

/* After an answer that is OK: *c is the channel to go on with, or closed. */
static enum attach
settle(const struct attach_as *as, const struct hello_ask *ask,
    const struct hello_answer *answer, struct channel **c)
{
	if (ask->purpose != HELLO_TOKEN)
		return ATTACH_OK;
	if (!sound(ask, answer)) {
		tell(as, "vsmd broke the protocol in its hello");
		channel_close(*c);
		return ATTACH_FAILED;
	}
	if ((answer->flags & HELLO_SHARED_MEMORY) && (*c = share_memory(as, *c)) == NULL)
		return ATTACH_ENDED;
	return ATTACH_OK;
}

/* Connect, say hello, read the answer.  *ret is the channel when the answer is OK. */
static enum attach
greet(const struct attach_as *as, const struct hello_ask *ask,
    struct hello_answer *answer, struct channel **ret)
{
	const struct config *config = as->config;
	uint8_t bytes[HELLO_LEN];
	struct iovec v = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct channel *c = transport_connect(config->address, config->connect_timeout);
	enum attach result;

	if (c == NULL) {
		if (config->debug)
			log_warn("libcaas-p11: %s",
			    transport_strerror(config->address, errno));
		return errno == ENOMEM ? ATTACH_NO_MEMORY : ATTACH_ABSENT;
	}
	hello_ask_write(bytes, ask);
	if (channel_writev(c, &v, 1, config->silence) != 0 ||
	    !read_bytes(as, c, bytes, sizeof(bytes), deadline_at(config->silence))) {
		result = errno == ECONNRESET ? ATTACH_ENDED : ATTACH_FAILED;
		tell(as, "vsmd does not answer");
		channel_close(c);
		return result;
	}
	if (!hello_answer_read(bytes, answer)) {
		tell(as, "not a vsmd");
		channel_close(c);
		return ATTACH_FAILED;
	}
	if ((result = judge(as, answer)) != ATTACH_OK) {
		channel_close(c);
		return result;
	}
	result = settle(as, ask, answer, &c);
	*ret = c;
	return result;
}

/* As greet(), for as long as a connection may take. */
static enum attach
greet_patiently(const struct attach_as *as, const struct hello_ask *ask,
    struct hello_answer *answer, struct channel **ret)
{
	const struct timespec pause = {.tv_nsec = BUSY_PAUSE * 1000000L};
	int64_t until = deadline_at(as->config->connect_timeout);
	bool ended = false, again;
	enum attach result;

	for (;;) {
		memset(answer, 0, sizeof(*answer));
		result = greet(as, ask, answer, ret);
		ended |= result == ATTACH_ENDED;
		again = (result == ATTACH_FAILED && answer->status == HELLO_BUSY) ||
		    result == ATTACH_ENDED || (result == ATTACH_ABSENT && ended);
		if (!again || deadline_left(until) == 0 || as->stop())
			return result == ATTACH_ENDED ? ATTACH_FAILED : result;
		(void)nanosleep(&pause, NULL);
	}
}

static struct hello_ask
ask_for(const struct attach_as *as, uint32_t purpose, uint32_t slot)
{
	struct hello_ask ask = {.version = HELLO_VERSION,
	    .purpose = purpose,
	    .slot = slot,
	    .max_frame = FRAME_MAX_DEFAULT,
	    .silence = (uint32_t)as->config->silence};

	if (purpose == HELLO_TOKEN)
		ask.flags = HELLO_ONCE | HELLO_KEEP;
	if (purpose == HELLO_TOKEN && as->config->shared_memory &&
	    strncmp(as->config->address, "unix:", 5) == 0)
		ask.flags |= HELLO_SHARED_MEMORY;
	memcpy(ask.app, as->app, HELLO_APP_LEN);
	return ask;
}

enum attach
attach_slot(const struct attach_as *as, uint32_t slot, struct link **ret)
{
	struct hello_ask ask = ask_for(as, HELLO_TOKEN, slot);
	struct hello_answer answer;
	struct channel *c;
	enum attach result = greet_patiently(as, &ask, &answer, &c);

	if (result != ATTACH_OK)
		return result;
	*ret = link_new(c, answer.max_frame, as->config->silence, answer.flags, as->how);
	return *ret != NULL ? ATTACH_OK : ATTACH_NO_MEMORY;
}

/* The records behind the answer; hello_answer_read() has bounded their number. */
static enum attach
read_list(const struct attach_as *as, struct channel *c, struct hello_slot *slots,
    size_t n)
{
	uint8_t *records = malloc(n * HELLO_SLOT_LEN + 1);
	enum attach result = ATTACH_OK;

	if (records == NULL)
		return ATTACH_NO_MEMORY;
	if (!read_bytes(as, c, records, n * HELLO_SLOT_LEN,
		deadline_at(as->config->silence)))
		result = ATTACH_FAILED;
	for (size_t i = 0; i < n && result == ATTACH_OK; i++)
		if (!hello_slot_read(records + i * HELLO_SLOT_LEN, &slots[i]))
			result = ATTACH_FAILED;
	free(records);
	if (result == ATTACH_FAILED)
		tell(as, "vsmd broke off its list of slots");
	return result;
}

enum attach
attach_list(const struct attach_as *as, struct hello_slot **ret, size_t *ret_n)
{
	struct hello_ask ask = ask_for(as, HELLO_SLOTS, 0);
	struct hello_answer answer;
	struct hello_slot *slots;
	struct channel *c;
	enum attach result = greet_patiently(as, &ask, &answer, &c);

	if (result != ATTACH_OK)
		return result;
	slots = calloc((size_t)answer.count + 1, sizeof(*slots));
	result = slots != NULL ? read_list(as, c, slots, answer.count) : ATTACH_NO_MEMORY;
	channel_close(c);
	if (result != ATTACH_OK) {
		free(slots);
		return result;
	}
	*ret = slots;
	*ret_n = answer.count;
	return ATTACH_OK;
}
