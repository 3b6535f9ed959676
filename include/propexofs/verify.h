/* SPDX-License-Identifier: MIT */
/*
 * verify.h - reads the API again and compares it with the store.
 *
 * Uses a read-only connection to the store and an API client of its own, and changes nothing: it
 * works in a running daemon, beside one, or alone.
 */
#ifndef PROPEXOFS_VERIFY_H
#define PROPEXOFS_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "propexofs/conf.h"
#include "propexofs/err.h"

struct px_api;

struct px_verify_result {
	int64_t compared;    /* records of the API that were looked at */
	int64_t differences; /* that were still there when looked at a second time */
	int64_t unreadable;  /* models or records that the API did not give */
};

/*
 * Compares every record of every complete model that conf wants, or `sample` of them at random (0:
 * all). A difference is looked at again before it counts, for data moves meanwhile; `last_seen` is
 * ignored. tell is called with a line for each: "content <integration>/<model>/<id>", "missing …"
 * (the API has it, the store not), "extra …" (the other way round). The caller's thread. *stop (may
 * be NULL) ends it early with PX_ECANCELED. beside: a client whose allowance and key
 * are used, or NULL.
 */
px_rc px_verify(const struct px_conf *conf, struct px_api *beside, int64_t sample,
	void (*tell)(void *arg, const char *line), void *arg, const _Atomic bool *stop,
	struct px_verify_result *ret, struct px_err *err);

#endif
