/* strerror.c - an error of this library as a sentence that says what to do */
#include "vchan-transport/ops.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What `err` means here; NULL when the system's own words are best. */
static const char *
advice(int err)
{
	switch (err) {
	case ENOENT:
	case ECONNREFUSED:
		return "nobody is listening there: is vsmd (or caas-agent) running?";
	case EACCES:
	case EPERM:
		return "no permission: is this user in the group that may use it?";
	case ETIMEDOUT:
		return "no answer in time: is the other side alive, or overloaded?";
	case ECONNRESET:
	case EPIPE:
		return "the other side is gone: it was stopped or it refused us, its log says which";
	case EADDRINUSE:
		return "somebody is listening there already: stop it, or choose another address";
	case EEXIST:
		return "a file that is not a socket is in the way: remove it, or choose another "
		       "address";
	case EADDRNOTAVAIL:
	case ENODEV:
	case EAFNOSUPPORT:
		return "this machine does not have that transport: is its driver loaded?";
	case EHOSTDOWN:
		return "this domain is coupled with none: was the pair created with caas pair?";
	case EDESTADDRREQ:
		return "connecting needs a number where listening may say any";
	case EMFILE:
	case ENFILE:
		return "too many open files: raise the limit (LimitNOFILE=)";
	default:
		return NULL;
	}
}

const char *
transport_strerror(const char *address, int err)
{
	static _Thread_local char sentence[512];
	const char *say = advice(err), *why = NULL;

	if ((err == EINVAL || err == EPROTONOSUPPORT) && !transport_address_ok(address, &why))
		say = why;
	if (say == NULL)
		say = strerror(err);
	snprintf(sentence, sizeof(sentence), "%s: %s", address, say);
	return sentence;
}
