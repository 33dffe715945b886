/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * The pcid protocol: what its messages look like.
 *
 * Requests and replies (libxl_hostpci.h) to JSON and back.  Everything
 * that is decoded comes from another domain: what these functions return
 * has been checked against the protocol, in full.  There is no state here,
 * and no input or output.
 */

#ifndef LIBXL_PCID_H
#define LIBXL_PCID_H

#include "libxl_internal.h"

/* Messages of the client.  The text comes from the gc. */
_hidden char *libxl__pcid_encode_request(libxl__gc *gc, int64_t id,
                                    const libxl__hostpci_request *request);

/*
 * Messages of the server.  encode_reply encodes an error if reply->class
 * says so; `request' then may be NULL.  id: NULL if the message that is
 * answered had none that could be read.
 */
_hidden char *libxl__pcid_encode_greeting(libxl__gc *gc);
_hidden char *libxl__pcid_encode_progress(libxl__gc *gc, int64_t id);
_hidden char *libxl__pcid_encode_reply(libxl__gc *gc, const int64_t *id,
                                    const libxl__hostpci_request *request,
                                    const libxl__hostpci_reply *reply);

/*
 * Decodes a request.  *has_id_r and *id_r are set whatever is returned.
 * If there is anything wrong with the message, returns ERROR_INVAL, with
 * the error to answer with in *error_r.  What is returned comes from the
 * gc.
 */
_hidden int libxl__pcid_decode_request(libxl__gc *gc,
                                       const libxl__json_object *msg,
                                       bool *has_id_r, int64_t *id_r,
                                       libxl__hostpci_request *request_r,
                                       libxl__hostpci_reply *error_r);

/*
 * What read_resources and lend tell of a device, for a record of it, and
 * back: checked as if it were a reply.  ERROR_INVAL if it is none.
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
 * Decodes the greeting.  Returns ERROR_INVAL if it is none, and else 0,
 * with the version of the protocol and what the server has.
 */
_hidden int
libxl__pcid_decode_greeting(const libxl__json_object *msg,
                            int *major_r, int *minor_r,
                            libxl__pcid_features *features_r);

/*
 * Decodes the reply to `request'.  Returns 0 if it is valid, be it a
 * result or an error (in reply_r->class), or ERROR_INVAL.  What is
 * returned comes from the gc.
 */
_hidden int libxl__pcid_decode_reply(libxl__gc *gc,
                                     const libxl__json_object *msg,
                                     const libxl__hostpci_request *request,
                                     libxl__hostpci_reply *reply_r);

/* A text of the peer's, made fit to be printed and logged. */
_hidden char *libxl__pcid_printable(libxl__gc *gc, const char *s);

/*
 * The name of a command, and whether it changes anything.  Those that
 * do can take long, and must not be carried out twice.
 */
_hidden const char *
libxl__pcid_command_name(libxl__hostpci_command command);
_hidden bool libxl__pcid_command_writes(libxl__hostpci_command command);

/* For logs: the command, its arguments and the device, in a line. */
_hidden char *libxl__pcid_request_text(libxl__gc *gc,
                                    const libxl__hostpci_request *request);

/* libxl_pcid_client.c: has the owner, op->owner, carry out a request.  As
 * libxl__hostpci_op_start, which is where it is called. */
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
