/* SPDX-License-Identifier: MIT */
/*
 * webhook.h - the receiver of deliveries (contract §7).
 *
 * Invariant: 200 is sent only after the delivery is on disk. Everything else - wrong signature, no
 * JSON, too large, store not writable - has its own answer and costs nothing but its connection.
 * Runs on one thread of libmicrohttpd; waiting for the commit suspends the connection, so all that
 * arrives meanwhile shares the next one.
 */
#ifndef PROPEXOFS_WEBHOOK_H
#define PROPEXOFS_WEBHOOK_H

#include <stddef.h>

#include "propexofs/conf.h"
#include "propexofs/err.h"
#include "propexofs/ingest.h"
#include "propexofs/status.h"

struct px_webhook;

/* Listens at fd, which is taken over unless PX_EUSAGE; -1: at conf->webhook_listen (px_listen).
 * PX_EUSAGE without a secret; an address that is in use is named in err. conf, ingest and board
 * outlive it. */
px_rc px_webhook_start(const struct px_conf *conf, int fd, struct px_ingest *ingest,
	struct px_board *board, struct px_webhook **ret, struct px_err *err);
/* From the next delivery on these are accepted (copied): at least one. Any thread. PX_ENOMEM with
 * nothing changed. */
px_rc px_webhook_set_secrets(
	struct px_webhook *w, const struct px_secret *secrets, size_t count, struct px_err *err);
/* Stops listening and answers what is waiting with 503. Before px_ingest_stop. Accepts NULL. */
void px_webhook_stop(struct px_webhook *w);

/* Whether signature (64 hex digits) is the HMAC-SHA256 of the body under one of the secrets (API
 * reference §13.3). Any thread. */
bool px_signature_ok(const struct px_secret *secrets, size_t count, const char *signature,
	const void *body, size_t len);

#endif
