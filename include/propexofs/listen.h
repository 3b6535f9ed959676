/* SPDX-License-Identifier: MIT */
/*
 * listen.h - listening stream sockets: for deliveries, for metrics.
 *
 * An address is HOST:PORT ([ADDRESS]:PORT for IPv6; port 0 takes a free one; no host is loopback)
 * or unix:PATH. Any thread.
 */
#ifndef PROPEXOFS_LISTEN_H
#define PROPEXOFS_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

#include "propexofs/err.h"

/* The longest PATH after unix:, the system's limit. */
enum { PX_LISTEN_PATH_MAX = 107 };

/* *ret_fd is the caller's. A socket file that nobody listens at any more is replaced; one that
 * somebody does, or a file of another kind, is not. Everybody may connect to a new one, as to a
 * port of this machine: its directory says who can get there. what: "webhooks", for err.
 * PX_EUSAGE: no such address. */
px_rc px_listen(const char *address, const char *what, int *ret_fd, struct px_err *err);

/* Removes the socket file of unix:PATH; does nothing for other addresses. Before the socket is
 * closed: after that the file may be a successor's. */
void px_listen_remove(const char *address);

/* Where fd listens: "127.0.0.1:4123", "[::1]:4123", "unix:/run/x", or "" when it does not say. */
void px_listen_name(int fd, char *out, size_t size);

#endif
