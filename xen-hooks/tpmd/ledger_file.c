/* ledger_file.c - the bytes of a state file; see ledger.h */
#include <string.h>

#include "vsmd/store/crypt.h"
#include "xen-hooks/tpmd/ledger.h"

#define MAGIC	0x53544d44 /* "DMTS" */
#define VERSION 1
#define HEAD	(4 + 2)
#define LABEL	"caas domt state file"

static void
put_head(struct buf *b)
{
	buf_put_u32(b, MAGIC);
	buf_put_u16(b, VERSION);
}

bool
ledger_format(const uint8_t key[LEDGER_KEY], const uint8_t before[TPM_ANCHOR_LEN],
    uint64_t sequence, const struct rows *r, struct buf *out)
{
	struct part head;
	struct buf b;
	bool ok;

	buf_init(&b, ROWS_BYTES);
	buf_put_raw(&b, before, TPM_ANCHOR_LEN);
	buf_put_u64(&b, sequence);
	rows_write(&b, r);
	put_head(out);
	head = (struct part){out->data, HEAD};
	ok = buf_ok(&b) && buf_ok(out);
	if (ok) {
		/* The box goes to a buf of its own: growing `out` would move its head. */
		struct buf box;

		buf_init(&box, LEDGER_FILE);
		ok = box_seal(key, LABEL, &head, 1, b.data, b.len, &box);
		buf_put_raw(out, box.data, box.len);
		ok = ok && buf_ok(out);
		buf_free(&box);
	}
	buf_free(&b);
	return ok;
}

static bool
parse_body(struct buf *b, uint8_t ret_before[TPM_ANCHOR_LEN], uint64_t *ret_sequence,
    struct rows *ret)
{
	const uint8_t *before = buf_get_raw(b, TPM_ANCHOR_LEN);

	*ret_sequence = buf_get_u64(b);
	if (before == NULL || !buf_ok(b))
		return false;
	memcpy(ret_before, before, TPM_ANCHOR_LEN);
	return rows_read(b, ret);
}

bool
ledger_parse(const uint8_t key[LEDGER_KEY], const void *file, size_t len,
    uint8_t ret_before[TPM_ANCHOR_LEN], uint64_t *ret_sequence, struct rows *ret)
{
	struct part head = {file, HEAD};
	struct buf in, body;
	bool ok;

	*ret = (struct rows){.row = NULL};
	buf_view(&in, file, len);
	if (buf_get_u32(&in) != MAGIC || buf_get_u16(&in) != VERSION)
		return false;
	buf_init(&body, ROWS_BYTES);
	ok = box_open(key, LABEL, &head, 1, (const uint8_t *)file + HEAD, len - HEAD, &body) &&
	     buf_ok(&body) && parse_body(&body, ret_before, ret_sequence, ret);
	buf_free(&body);
	return ok;
}
