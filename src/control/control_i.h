/* SPDX-License-Identifier: MIT */
/* control_i.h - private to src/control: the socket's place, and lines on it. */
#ifndef PX_CONTROL_I_H
#define PX_CONTROL_I_H

#include "propexofs/buf.h"
#include "propexofs/control.h"

enum { CONTROL_LINE_MAX = 1 << 20 };

/* Calls bind or connect on the socket of a store, whatever the length of its path. Returns as
 * those; unlink_first removes what is there. */
int control_at(const char *store, int fd, bool to_bind, bool unlink_first);
void control_unlink(const char *store);

/* Sends b and a line end; PX_EIO when the other side has gone. */
px_rc control_send(int fd, const struct px_buf *b);

/* Lines as they come. */
struct control_lines {
	int fd;
	struct px_buf have;
	size_t taken; /* of have */
};
/* The next line, without its end, valid until the next call. PX_ENOENT at the end of the stream;
 * PX_ECANCELED when *stop (may be NULL) became true. */
px_rc control_line(struct control_lines *l, const _Atomic bool *stop, const char **ret,
	size_t *ret_len, struct px_err *err);

#endif
