/* pipes.h - parts of fuzz_pipes.c: processes of vsmd that are told and asked. */
#ifndef FUZZ_PIPES_H
#define FUZZ_PIPES_H

#include "common/buf.h"

/* The supervisor, of slots: u16 length of the first M_T_SLOTS, then another. */
void pipes_slots(struct buf *b);
/* M_T_DISCARD, while there is slot 7. */
void pipes_discard(struct buf *b);
/*
 * The store, by workers: any number of { u8 how, u8 length, message }.  How: 1 by the second
 * worker; 2 a ticket, 4 a pass, that was answered before, in the place of the body.
 */
void pipes_workers(struct buf *b);

#endif
