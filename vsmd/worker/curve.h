/*
 * curve.h - curves that SoftHSM2 need not make anew for each operation.
 *
 * Whenever SoftHSM2 uses a key of an elliptic curve it has libcrypto make the curve of the
 * key's CKA_EC_PARAMS, twice in a C_DeriveKey: 10 us each for P-256, where the arithmetic of a
 * signature takes 20.  curve.c defines that function of libcrypto, d2i_ECPKParameters(), as
 * learn.h does others: parameters that were seen before give a copy of the curve that was
 * made then.  There is no secret in it.
 *
 * The name of an Edwards curve SoftHSM2 compares without a look whether it is one, so that a
 * guest could end its worker by a name that is none: from d2i_ASN1_PRINTABLESTRING() it gets
 * an empty one instead.
 *
 * Threads: any.  Fork: a child has its parent's.
 */
#ifndef CAAS_VSMD_WORKER_CURVE_H
#define CAAS_VSMD_WORKER_CURVE_H

/* Find the real functions; once, before confinement.  0, or -1 after logging. */
int curve_init(void);
/* How many copies were given, for tests. */
unsigned curve_copies(void);

#endif
