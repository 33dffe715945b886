/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pcid protocol: what its messages look like.
 *
 * Requests and replies (libxl_hostpci.h) to JSON and back.  The messages that
 * are decoded come from another domain: these functions check them completely
 * against the protocol.  They have no state, and do no input or output.
 */

#ifndef LIBXL_PCID_H
#define LIBXL_PCID_H

#include "libxl_internal.h"

/* Messages of the client.  The text comes from the gc. */
_hidden char *libxl__pcid_encode_request(libxl__gc *gc, int64_t id,
                                    const libxl__hostpci_request *request);

/*
 * Messages of the server.  encode_reply encodes an error if reply->class is
 * set; `request' may then be NULL.  id: NULL if the request had no valid ID.
 */
_hidden char *libxl__pcid_encode_greeting(libxl__gc *gc);
_hidden char *libxl__pcid_encode_progress(libxl__gc *gc, int64_t id);
_hidden char *libxl__pcid_encode_reply(libxl__gc *gc, const int64_t *id,
                                    const libxl__hostpci_request *request,
                                    const libxl__hostpci_reply *reply);

/*
 * Decodes a request.  Always sets *has_id_r and *id_r.  If anything is wrong
 * with the message, returns ERROR_INVAL, and the error to reply with in
 * *error_r.  Results are allocated from the gc.
 */
_hidden int libxl__pcid_decode_request(libxl__gc *gc,
                                       const libxl__json_object *msg,
                                       bool *has_id_r, int64_t *id_r,
                                       libxl__hostpci_request *request_r,
                                       libxl__hostpci_reply *error_r);

/*
 * The resources of a device, as read_resources and lend return them, to text
 * for a record, and back.  Decoding checks them like a reply: ERROR_INVAL if
 * they are not valid.
 */
_hidden char *
libxl__pcid_encode_access(libxl__gc *gc,
                          const libxl__hostpci_access *access);
_hidden int libxl__pcid_decode_access(libxl__gc *gc, const char *text,
                                      libxl__hostpci_access *access_r);

/* What a message of the server can be. */
typedef enum {
    LIBXL__PCID_INVALID,
    LIBXL__PCID_GREETING,
    LIBXL__PCID_PROGRESS,
    LIBXL__PCID_REPLY,
} libxl__pcid_kind;

/* Tells what a message is.  *has_id_r, *id_r: as above. */
_hidden libxl__pcid_kind
libxl__pcid_classify(const libxl__json_object *msg, bool *has_id_r,
                     int64_t *id_r);

/* What a server has, by its greeting. */
typedef struct {
    bool commands[LIBXL__HOSTPCI_COMMANDS];
    bool interrupt_control;      /* the argument of lend */
} libxl__pcid_features;

/*
 * Decodes the greeting: the version of the protocol, and what the server
 * has.  Returns 0, or ERROR_INVAL if the message is not
 * a valid greeting.
 */
_hidden int
libxl__pcid_decode_greeting(const libxl__json_object *msg,
                            int *major_r, int *minor_r,
                            libxl__pcid_features *features_r);

/*
 * Decodes the reply to `request'.  Returns 0 if it is a valid result or error
 * (in reply_r->class), otherwise ERROR_INVAL.  Results are allocated from the
 * gc.
 */
_hidden int libxl__pcid_decode_reply(libxl__gc *gc,
                                     const libxl__json_object *msg,
                                     const libxl__hostpci_request *request,
                                     libxl__hostpci_reply *reply_r);

/* A text of the peer's, made fit to be printed and logged. */
_hidden char *libxl__pcid_printable(libxl__gc *gc, const char *s);

/*
 * The name of a command, and whether it changes anything.  Commands that do
 * can take long, and must not be sent twice.
 */
_hidden const char *
libxl__pcid_command_name(libxl__hostpci_command command);
_hidden bool libxl__pcid_command_writes(libxl__hostpci_command command);

/* For logs: the command, its arguments and the device, in a line. */
_hidden char *libxl__pcid_request_text(libxl__gc *gc,
                                    const libxl__hostpci_request *request);

/* libxl_pcid_client.c: lets the owner, op->owner, carry out a request.  Like
 * libxl__hostpci_op_start, which calls it. */
_hidden void libxl__pcid_client_start(libxl__egc *egc,
                                      libxl__hostpci_op *op);

#endif /* LIBXL_PCID_H */

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
