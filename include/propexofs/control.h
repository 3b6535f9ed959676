/* SPDX-License-Identifier: MIT */
/*
 * control.h - a socket beside the store, by which commands have a running daemon do their work: one
 * writer, one allowance of requests, no error about a lock.
 *
 * The socket is <store>.sock, mode 0600: whoever may read the store may ask. One connection carries
 * one request, a line of JSON; the answer is lines of JSON: {"line":…} for what the command prints,
 * {"progress":…} now and then, and a last one, {"end":…} or {"error":…}. Closing the connection
 * ends the work that was asked for.
 */
#ifndef PROPEXOFS_CONTROL_H
#define PROPEXOFS_CONTROL_H

#include <stdbool.h>

#include "propexofs/conf.h"
#include "propexofs/err.h"
#include "propexofs/sync.h"
#include "propexofs/verify.h"

/* ---- in the daemon */

struct px_control;

/* Listens, with threads of its own. sync NULL: offline, everything is refused in words. conf and
 * sync outlive it. */
px_rc px_control_start(const struct px_conf *conf, struct px_sync *sync, struct px_control **ret,
	struct px_err *err);
/* Ends what is under way, joins, and removes the socket. Before px_sync_stop. Accepts NULL. */
void px_control_stop(struct px_control *c);

/* ---- in commands */

/* Whether a daemon serves this store, and can be asked: PX_OK and a descriptor, or PX_ENOENT. */
px_rc px_control_connect(const char *store, int *ret_fd, struct px_err *err);

/* A pass of the daemon's sync, as px_sync_once; closes fd. progress is called on this thread; its
 * `doing` is NULL. */
px_rc px_control_sync(int fd, void (*progress)(void *arg, const struct px_sync_progress *p),
	void *arg, const _Atomic bool *stop, bool *ret_complete, struct px_err *err);

/* px_verify in the daemon, for the sample, integrations and models that conf names; closes fd. */
px_rc px_control_verify(int fd, const struct px_conf *conf,
	void (*tell)(void *arg, const char *line), void *arg, const _Atomic bool *stop,
	struct px_verify_result *ret, struct px_err *err);

#endif
