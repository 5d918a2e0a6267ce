/*
 * seek.c - looks for planted secrets (planted.h) in the memory of processes, and in files.
 *
 *	caas-e2e-seek FILE [-a|-u NAMES] PID|PATH...
 *
 * Each readable mapping of a process; each regular file, and each name, below a path.  A
 * secret is looked for as it is, reversed (as big numbers lie in memory), in hex and in
 * Base64, and so is each part of it of 8 bytes (16 digits, 12 of Base64) or more.  Each find is
 * a line with the mapping and its flags; "lo" is locked, "dd" not dumped.
 *
 * -a: secrets whose names begin with one of these, separated by commas, may be found, in
 * locked mappings; -u: in others too.  Ends with 1 when another one was found, with 2 when something could not
 * be searched, and tells on its last line how much it has looked at.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "planted.h"

#define CHUNK ((size_t)1 << 20)
#define WORD 8                  /* bytes that are looked up */
#define DIGITS 16               /* that make a find, of hex */
#define FORM_MOST (2 * PLANTED_LEN)
#define BITS 20
#define FILE_MOST ((off_t)1 << 28)

/* One way in which a secret can lie somewhere. */
struct form {
	const struct planted *of;
	const char *name;
	size_t least; /* bytes that make a find */
	size_t len;
	uint8_t bytes[FORM_MOST];
};

/* A place in a form, by the eight bytes there. */
struct place {
	uint64_t word;
	uint32_t form, at;
};

static struct form *forms;
static size_t nforms;
static struct place *places;
static size_t nplaces;
static uint8_t bitmap[(1 << BITS) / 8];
static const char *allowed = "";
static bool unlocked_too, found_other, failed;
static uint64_t searched;

static uint32_t
hash(uint64_t word)
{
	return (uint32_t)((word * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - BITS));
}

static uint64_t
word_at(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

static void
add_form(const struct planted *of, const char *name, const uint8_t *bytes, size_t len,
    size_t least)
{
	struct form *f;

	if (len < least)
		return;
	if ((forms = reallocarray(forms, nforms + 1, sizeof(*forms))) == NULL)
		err(2, NULL);
	f = &forms[nforms++];
	*f = (struct form){.of = of, .name = name, .least = least, .len = len};
	memcpy(f->bytes, bytes, len);
}

static void
add_hex(const struct planted *of, const uint8_t *bytes, const char *digits, const char *name)
{
	uint8_t hex[2 * PLANTED_LEN];

	for (size_t i = 0; i < of->len; i++) {
		hex[2 * i] = (uint8_t)digits[bytes[i] >> 4];
		hex[2 * i + 1] = (uint8_t)digits[bytes[i] & 15];
	}
	add_form(of, name, hex, 2 * of->len, DIGITS);
}

/* As it looks behind so many other bytes, without the digits that depend on its neighbours. */
static void
add_base64(const struct planted *of, const uint8_t *bytes, size_t behind)
{
	uint8_t padded[PLANTED_LEN + 2] = {0}, text[2 * PLANTED_LEN];
	size_t len = of->len + behind, first = behind == 0 ? 0 : behind + 1;

	memcpy(padded + behind, bytes, of->len);
	(void)EVP_EncodeBlock(text, padded, (int)len);
	add_form(of, "base64", text + first, len * 4 / 3 - first, 12);
}

static void
add_forms(const struct planted *of)
{
	uint8_t bytes[PLANTED_LEN], reversed[PLANTED_LEN];

	planted_bare(of, bytes);
	for (size_t i = 0; i < of->len; i++)
		reversed[i] = bytes[of->len - 1 - i];
	add_form(of, "raw", bytes, of->len, WORD);
	add_form(of, "reversed", reversed, of->len, WORD);
	add_hex(of, bytes, "0123456789abcdef", "hex");
	add_hex(of, bytes, "0123456789ABCDEF", "HEX");
	add_hex(of, reversed, "0123456789abcdef", "reversed hex");
	for (size_t behind = 0; behind < 3; behind++)
		add_base64(of, bytes, behind);
}

static int
by_word(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->word > y->word) - (x->word < y->word);
}

static void
add_places(void)
{
	for (size_t i = 0; i < nforms; i++)
		nplaces += forms[i].len - forms[i].least + 1;
	if ((places = calloc(nplaces, sizeof(*places))) == NULL)
		err(2, NULL);
	nplaces = 0;
	for (uint32_t i = 0; i < nforms; i++)
		for (uint32_t at = 0; at + forms[i].least <= forms[i].len; at++) {
			uint64_t w = word_at(forms[i].bytes + at);

			places[nplaces++] = (struct place){w, i, at};
			bitmap[hash(w) / 8] |= (uint8_t)(1 << hash(w) % 8);
		}
	qsort(places, nplaces, sizeof(*places), by_word);
}

/* The longest find that begins at p; its form, or NULL. */
static const struct form *
match(const uint8_t *p, size_t left, size_t *ret_at, size_t *ret_len)
{
	struct place want = {.word = word_at(p)};
	const struct place *at = bsearch(&want, places, nplaces, sizeof(want), by_word);
	const struct form *best = NULL;

	*ret_len = 0;
	if (at == NULL)
		return NULL;
	while (at > places && at[-1].word == want.word)
		at--;
	for (; at < places + nplaces && at->word == want.word; at++) {
		const struct form *f = &forms[at->form];
		size_t n = WORD;

		while (n < left && at->at + n < f->len && p[n] == f->bytes[at->at + n])
			n++;
		if (n < f->least || n <= *ret_len)
			continue;
		best = f;
		*ret_at = at->at;
		*ret_len = n;
	}
	return best;
}

static bool
is_allowed(const char *name)
{
	for (const char *p = allowed; *p != '\0'; p += strspn(p, ",")) {
		size_t n = strcspn(p, ",");

		if (strncmp(name, p, n) == 0)
			return true;
		p += n;
	}
	return false;
}

/* Where it is that is being searched. */
struct where {
	const char *what; /* a process or a file */
	const char *mapping, *flags;
	bool locked;
};

static void
tell(const struct where *w, uint64_t address, const struct form *f, size_t at, size_t len)
{
	bool fine = (w->locked || unlocked_too) && is_allowed(f->of->name);

	found_other |= !fine;
	printf("%s %s %s %s bytes %zu to %zu of %zu at %" PRIx64 " in %s %s\n",
	    fine ? "allowed" : "FOUND", w->what, f->of->name, f->name, at, at + len, f->len,
	    address, w->mapping, w->flags);
}

static void
seek(const struct where *w, uint64_t address, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + WORD <= len; i++) {
		uint32_t h = hash(word_at(p + i));
		const struct form *f;
		size_t at, n;

		if ((bitmap[h / 8] & (1 << h % 8)) == 0 ||
		    (f = match(p + i, len - i, &at, &n)) == NULL)
			continue;
		tell(w, address + i, f, at, n);
		i += n - 1;
	}
	searched += len;
}

/* From `from` to `to`; each chunk begins with the end of the one before. */
static bool
seek_fd(const struct where *w, int fd, uint64_t from, uint64_t to)
{
	static uint8_t chunk[FORM_MOST + CHUNK];
	size_t kept = 0;

	while (from < to) {
		size_t want = to - from < CHUNK ? (size_t)(to - from) : CHUNK;
		ssize_t n = pread(fd, chunk + kept, want, (off_t)from);

		if (n < 0)
			return false;
		if (n == 0)
			return true;
		seek(w, from - kept, chunk, kept + (size_t)n);
		from += (uint64_t)n;
		n += (ssize_t)kept;
		kept = (size_t)n < DIGITS - 1 ? (size_t)n : DIGITS - 1;
		memmove(chunk, chunk + n - kept, kept);
	}
	return true;
}

static FILE *
open_of(long pid, const char *name, int *ret_fd)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/%s", pid, name);
	f = fopen(path, "re");
	if (f == NULL) {
		warn("%s", path);
		failed = true;
	} else if (ret_fd != NULL) {
		*ret_fd = fileno(f);
	}
	return f;
}

/* A mapping of smaps: its first line, and its flags, which come last. */
static void
seek_mapping(const char *what, int mem, const char *head, const char *flags)
{
	struct where w = {.what = what, .flags = flags};
	uint64_t from, to;
	char perms[8], name[256] = "anonymous", text[300];

	if (sscanf(head, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %*s %255[^\n]", &from, &to, perms,
		name) < 3 || perms[0] != 'r' || strcmp(name, "[vvar]") == 0 ||
	    strncmp(name, "[vvar_", 6) == 0 || strcmp(name, "[vsyscall]") == 0)
		return;
	snprintf(text, sizeof(text), "%s %s", perms, name);
	w.mapping = text;
	w.locked = strstr(flags, " lo") != NULL;
	/* What cannot be read here, the process cannot read either: beyond a file's end. */
	if (!seek_fd(&w, mem, from, to) && errno != EIO && errno != EFAULT) {
		warn("%s: %s", what, text);
		failed = true;
	}
}

static void
seek_process(long pid)
{
	char line[512], head[512] = "", what[64] = "";
	int mem = -1;
	FILE *comm = open_of(pid, "comm", NULL), *maps = open_of(pid, "smaps", NULL),
	     *m = open_of(pid, "mem", &mem);

	if (comm != NULL && fgets(line, sizeof(line), comm) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		snprintf(what, sizeof(what), "%.40s[%ld]", line, pid);
	}
	while (maps != NULL && m != NULL && fgets(line, sizeof(line), maps) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "VmFlags:", 8) == 0)
			seek_mapping(what, mem, head, line + 8);
		else if (line[0] < 'A' || line[0] > 'Z')
			memcpy(head, line, sizeof(head));
	}
	if (comm != NULL)
		fclose(comm);
	if (maps != NULL)
		fclose(maps);
	if (m != NULL)
		fclose(m);
}

static int
seek_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	struct where w = {.what = path, .mapping = "a file", .flags = ""};
	int fd;

	(void)ftw;
	seek(&w, 0, (const uint8_t *)path, strlen(path));
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0) {
		if (errno == ENOENT) /* it has gone */
			return 0;
		warn("%s", path);
		failed = true;
		return 0;
	}
	if (!seek_fd(&w, fd, 0, (uint64_t)(st->st_size < FILE_MOST ? st->st_size : FILE_MOST))) {
		warn("%s", path);
		failed = true;
	}
	close(fd);
	return 0;
}

int
main(int argc, char *argv[])
{
	const struct planted *all;
	size_t n;
	int i = 2;

	if (argc < 3)
		errx(2, "usage: caas-e2e-seek FILE [-a|-u NAMES] PID|PATH...");
	all = planted_read(argv[1], &n);
	for (size_t k = 0; k < n; k++)
		if (all[k].secret)
			add_forms(&all[k]);
	add_places();
	if (argc > 4 && (strcmp(argv[2], "-a") == 0 || strcmp(argv[2], "-u") == 0)) {
		allowed = argv[3];
		unlocked_too = argv[2][1] == 'u';
		i = 4;
	}
	for (; i < argc; i++) {
		char *end;
		long pid = strtol(argv[i], &end, 10);

		if (*end == '\0' && pid > 0) {
			seek_process(pid);
		} else if (nftw(argv[i], seek_file, 16, FTW_PHYS) != 0 && errno != ENOENT) {
			warn("%s", argv[i]);
			failed = true;
		}
	}
	printf("searched %" PRIu64 " bytes for %zu forms\n", searched, nforms);
	return failed ? 2 : found_other ? 1 : 0;
}
