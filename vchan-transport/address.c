/* address.c - see address.h */
#include "vchan-transport/address.h"

#include <string.h>
#include <sys/un.h>

/* libxenvchan writes "PATH/event-channel" into 64 bytes, and a relative path is sought
 * below "/local/domain/32751/". */
#define XEN_PATH_MAX 49
#define XEN_RELATIVE_MAX (XEN_PATH_MAX - 20)

bool
address_number(const char *p, const char *end, uint64_t max, uint32_t *ret)
{
	uint64_t v = 0;

	if (p == end || (*p == '0' && end - p > 1))
		return false;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > max)
			return false;
	}
	*ret = (uint32_t)v;
	return true;
}

static const char *
parse_unix(struct address *a, const char *rest)
{
	size_t len = strlen(rest);

	if (rest[0] != '/')
		return "a unix address needs an absolute path: unix:/run/caas/vsmd.sock";
	if (len >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return "the path of a unix address may have at most 107 bytes";
	if (rest[len - 1] == '/')
		return "the path of a unix address names a socket, not a directory";
	memcpy(a->path, rest, len + 1);
	return NULL;
}

static const char *
parse_vsock(struct address *a, const char *rest)
{
	const char *colon = strchr(rest, ':');

	if (colon == NULL)
		return "a vsock address is vsock:CID:PORT or vsock:any:PORT";
	if (colon - rest == 3 && memcmp(rest, "any", 3) == 0)
		a->id = UINT32_MAX;
	else if (!address_number(rest, colon, UINT32_MAX - 1, &a->id))
		return "the CID of a vsock address is a number below 4294967295, or any";
	if (!address_number(colon + 1, colon + 1 + strlen(colon + 1), UINT32_MAX - 1, &a->port))
		return "the port of a vsock address is a number below 4294967295";
	return NULL;
}

static bool
xenstore_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    c == '-' || c == '_' || c == '/';
}

static const char *
parse_vchan(struct address *a, const char *rest)
{
	const char *colon = strchr(rest, ':'), *path;
	size_t len;

	if (colon == NULL)
		return "a vchan address is vchan:DOMID:PATH, e.g. vchan:7:data/caas";
	if (colon - rest == 7 && memcmp(rest, "coupled", 7) == 0)
		a->id = ADDRESS_COUPLED;
	else if (!address_number(rest, colon, ADDRESS_DOMID_LAST, &a->id))
		return "the domid of a vchan address is a number up to 32751, or coupled";
	path = colon + 1;
	len = strlen(path);
	if (len == 0 || len > (path[0] == '/' ? XEN_PATH_MAX : XEN_RELATIVE_MAX))
		return "the XenStore path of a vchan address has 1 to 29 bytes, 49 if it "
		       "begins with '/'";
	for (size_t i = 0; i < len; i++)
		if (!xenstore_char(path[i]))
			return "a XenStore path has letters, digits, '-', '_' and '/' only";
	if (path[len - 1] == '/' || strstr(path, "//") != NULL)
		return "a XenStore path has no empty part";
	memcpy(a->path, path, len + 1);
	return NULL;
}

bool
address_parse(struct address *ret, const char *text, const char **ret_why)
{
	static const struct {
		const char *prefix;
		const char *(*parse)(struct address *a, const char *rest);
	} kinds[] = {
	    [ADDRESS_UNIX] = {"unix:", parse_unix},
	    [ADDRESS_VSOCK] = {"vsock:", parse_vsock},
	    [ADDRESS_VCHAN] = {"vchan:", parse_vchan},
	};

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i].prefix);

		if (strncmp(text, kinds[i].prefix, len) != 0)
			continue;
		ret->kind = (enum address_kind)i;
		*ret_why = kinds[i].parse(ret, text + len);
		return *ret_why == NULL;
	}
	*ret_why = "an address begins with unix:, vsock: or vchan:";
	return false;
}
