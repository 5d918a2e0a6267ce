/*
 * serve.h - the calls that need more than their row says.
 *
 * A step does the call of r->call with r->args and returns what the guest gets; it fills
 * r->reply's handles and ticket, and sets r->event and r->commit when the token's files
 * changed.  It holds the gate only within.
 */
#ifndef CAAS_VSMD_SERVE_H
#define CAAS_VSMD_SERVE_H

#include "vsmd/worker/state.h"

/* slot.c */
CK_RV step_slot_info(struct request *r);
CK_RV step_token_info(struct request *r);
CK_RV step_mechanism_list(struct request *r);
CK_RV step_mechanism_info(struct request *r);
CK_RV step_init_token(struct request *r);

/* session.c */
CK_RV step_open_session(struct request *r);
CK_RV step_close_session(struct request *r);
CK_RV step_close_all_sessions(struct request *r);
CK_RV step_session_info(struct request *r);
/* Open one session for the application. */
CK_RV session_open(struct request *r, CK_FLAGS flags, CK_SESSION_HANDLE *ret);

/* login.c */
CK_RV step_login(struct request *r);
CK_RV step_logout(struct request *r);
CK_RV step_init_pin(struct request *r);
CK_RV step_set_pin(struct request *r);
/* The last session is closed, or C_Logout succeeded; login_lock is held. */
void login_gone(struct request *r);
/* Take login_lock; the reader role is handed on before waiting. */
void login_lock(struct request *r);
/* May this PIN be tried?  CKR_PIN_LOCKED. */
CK_RV login_may(struct request *r, CK_USER_TYPE user);
/* It was wrong: count it, record it. */
void login_failed(struct request *r, CK_USER_TYPE user);
/* This process changed a PIN, and holds the gate for it. */
void login_pins_changed(struct worker *w);

/* find.c */
CK_RV step_find_objects_init(struct request *r);
CK_RV step_find_objects(struct request *r);
CK_RV step_get_attributes(struct request *r);

/* make.c: calls that make, change or destroy objects */
CK_RV step_make(struct request *r);
CK_RV step_set_attributes(struct request *r);
CK_RV step_destroy(struct request *r);

/* use.c: calls that use keys */
CK_RV step_use_init(struct request *r);
CK_RV step_use_end(struct request *r);
CK_RV step_wrap(struct request *r);

/* serve.c: another call of the same request, with r->args. */
CK_RV serve_step(struct request *r, uint32_t number);
/* info.c: the reply to FRAME_INFO. */
void serve_info(struct request *r);

/* make.c: the call, inside the gate, has changed the token's files: commit them. */
void serve_changed(struct request *r);

/* serve.c.  With the gate held: every object in args is one that the principal can see.
 * CKR_OBJECT_HANDLE_INVALID otherwise. */
CK_RV serve_visible(struct request *r);
/* The position of the first (n = 0), second argument of a kind; call_nargs() if none. */
size_t serve_arg(const struct request *r, enum arg_kind kind, size_t n);

#endif
