/* address.c - see address.h */
#include "vsmd/metrics/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static bool
port_of(const char *s, in_port_t *ret)
{
	unsigned long n = 0;

	if (*s == '\0' || strlen(s) > 5)
		return false;
	for (; *s != '\0'; s++) {
		if (!isdigit((unsigned char)*s))
			return false;
		n = n * 10 + (unsigned long)(*s - '0');
	}
	*ret = htons((in_port_t)n);
	return n > 0 && n <= 65535;
}

static bool
unix_address(const char *path, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_un *sa = (struct sockaddr_un *)ret;

	if (path[0] != '/' || strlen(path) >= sizeof(sa->sun_path))
		return false;
	sa->sun_family = AF_UNIX;
	memcpy(sa->sun_path, path, strlen(path) + 1);
	*ret_len = sizeof(*sa);
	return true;
}

static bool
loopback(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	if (strncmp(text, "127.0.0.1:", 10) == 0) {
		v4->sin_family = AF_INET;
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		*ret_len = sizeof(*v4);
		return port_of(text + 10, &v4->sin_port);
	}
	if (strncmp(text, "[::1]:", 6) == 0) {
		v6->sin6_family = AF_INET6;
		v6->sin6_addr = in6addr_loopback;
		*ret_len = sizeof(*v6);
		return port_of(text + 6, &v6->sin6_port);
	}
	return false;
}

bool
metrics_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len,
    const char **ret_why)
{
	memset(ret, 0, sizeof(*ret));
	if (strncmp(text, "unix:", 5) == 0) {
		*ret_why = "a path begins with / and has at most 107 bytes";
		return unix_address(text + 5, ret, ret_len);
	}
	*ret_why = "not unix:/path, tcp:127.0.0.1:PORT or tcp:[::1]:PORT";
	return strncmp(text, "tcp:", 4) == 0 && loopback(text + 4, ret, ret_len);
}
