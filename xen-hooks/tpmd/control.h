/*
 * control.h - what domtd tells domt-tpmd: which domain is the DomC of which pair, and of what
 * image it was built.
 *
 * One channel, at which domt-tpmd listens for the builder's domain alone.  A message is the
 * whole world: it replaces what was told before, so that who starts anew tells it again and
 * nothing has to be remembered.  Whoever tells holds a lock from looking at the world until the
 * answer (world.h), so that no older world comes later.
 *
 *	world   u32 length, u32 magic, u16 version, u32 count, then for each
 *	        str pair, u32 domid, raw uuid[16], raw digest[32]; then str forget
 *	answer  u32 length, u16 version, u8 ok, str text, u32 forgotten, u32 rows
 *
 * `ok` 1: it is heard, and who is new in it can connect.  0: it is not, and `text` says why.
 * With ok, `text` is what an administrator has to know of the service, or "".  `rows` is what it
 * keeps for all pairs (rows.h).
 *
 * A pair stands in it once, and so does a domid.  A DomC that is not in it any more loses its
 * channel.  What DomT keeps for a pair stays, since it is made again beside its disk, until it is
 * `forget`, which is "" or a pair that does not stand in the same world.  What was on the pair's
 * disks opens never again; whoever can write the disk can do as much.
 *
 * Ownership: nothing is borrowed.
 */
#ifndef CAAS_TPMD_CONTROL_H
#define CAAS_TPMD_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "xen-hooks/message/message.h"

#define CONTROL_MAX    (256u * 1024) /* bytes of a message */
#define CONTROL_PAIRS  1024
#define CONTROL_UUID   16
#define CONTROL_DIGEST 32
#define CONTROL_TEXT   256

/* Where domt-tpmd listens in its own directory of XenStore, data/ of /local/domain/DOMID. */
#define CONTROL_PATH "data/caas-domt/builder" /* for the builder */
#define CONTROL_DOMC "data/caas-domt/%u"      /* for the DomC with that domid */
/* Where a domain that the builder made finds the domid of DomT, in its own directory. */
#define CONTROL_KEY "caas/tpm"

struct control_pair {
	char pair[PAIR_NAME];
	uint32_t domid;
	uint8_t uuid[CONTROL_UUID];	/* of the domain */
	uint8_t digest[CONTROL_DIGEST]; /* of its image (domtd/image.h) */
};

struct control_world {
	struct control_pair *pairs; /* calloc()ed by the reader: control_world_free() */
	size_t n;
	char forget[PAIR_NAME];
};

struct control_answer {
	bool ok;
	char text[CONTROL_TEXT];
	uint32_t forgotten; /* rows of `forget` */
	uint32_t rows;
};

/* Without the u32 of length in front.  Readers: false when it is malformed. */
void control_world_write(struct buf *b, const struct control_world *w);
bool control_world_read(struct buf *b, struct control_world *ret);
void control_world_free(struct control_world *w);
void control_answer_write(struct buf *b, const struct control_answer *a);
bool control_answer_read(struct buf *b, struct control_answer *ret);

#endif
