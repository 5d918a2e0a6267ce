/*
 * canary.h - caas-e2e-canary: an application whose secrets are looked for afterwards
 * (canary.sh, planted.h).
 *
 *	caas-e2e-canary make FILE               secrets, into a new file
 *	caas-e2e-canary tell FILE NAME...       each on a line, in clear
 *	caas-e2e-canary hold FILE NAME...       has the first 12 bytes of each in its memory,
 *	                                        until its input ends
 *	caas-e2e-canary restore FILE BACKUP     a token, as caas does; then stays connected
 *	                                        until its input ends
 *	caas-e2e-canary MODULE                  reads commands, as caas-e2e-client does; the file
 *	                                        is $CANARY_FILE, the token $CANARY_TOKEN
 *
 * Of a secret it has no copy in clear but while a call is under way that gets it.
 */
#ifndef CAAS_TEST_CANARY_H
#define CAAS_TEST_CANARY_H

#define CANARY_PIN 24 /* characters */

void canary_make(const char *file);
int canary_app(const char *module);

#endif
