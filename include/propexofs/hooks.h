/* SPDX-License-Identifier: MIT */
/*
 * hooks.h - the hooks that make Propexo deliver to us: listed, kept as they should be, removed.
 *
 * There is one for each model that deliveries name, and one for the triggers without a model (API
 * reference §13.1). Ours are the hooks with exactly our URL; no other is ever touched. Requests go
 * through the caller's client, one at a time, so that its limiter counts them. Nothing here keeps
 * state between two runs: what Propexo lists is the truth each time. Only the owner's thread of the
 * client.
 */
#ifndef PROPEXOFS_HOOKS_H
#define PROPEXOFS_HOOKS_H

#include <stdbool.h>
#include <stddef.h>

#include "propexofs/api.h"
#include "propexofs/conf.h"
#include "propexofs/err.h"

enum px_hooks_task {
	PX_HOOKS_LIST,	   /* only looks */
	PX_HOOKS_REGISTER, /* creates what is missing, repairs what was changed, removes doubles */
	PX_HOOKS_REMOVE,   /* removes every hook with our URL */
};

struct px_hooks_result {
	/* 0: done in full. Else what was done counts all the same, and a run later goes on from
	 * there. PX_ECANCELED: the client was freed */
	px_rc rc;
	struct px_err err;
	size_t wanted;	/* hooks that there should be */
	size_t right;	/* of these, as they should be at the end; 0 after PX_HOOKS_REMOVE */
	size_t changed; /* created, repaired, removed; when dry: would have been */
	size_t others;	/* hooks with another URL */
};

struct px_hooks_options {
	struct px_api *api;
	/* webhook_url must be set; of the models those that conf wants, and what shows in them.
	 * Outlives the run. */
	const struct px_conf *conf;
	/* Signs the deliveries; copied, wiped at the end. At least 10 characters of UTF-8. NULL
	 * only to list and remove: then what hooks are signed with is not judged. */
	const char *secret;
	enum px_hooks_task task;
	bool dry_run; /* nothing but GET is sent: `told` hears what would be done */
	/* A word for each hook, when what it says has come true. To list: "ok", "disabled",
	 * "changed" (other triggers), "secret" (signed with another one), "double", "extra" (a
	 * model that is not wanted), "missing" (id is ""). Else "created", "repaired", "removed",
	 * and when dry "create" (id is ""), "repair", "remove". model: internal name, or "-". May
	 * be NULL. */
	void (*told)(void *arg, const char *what, const char *model, const char *id);
	/* Exactly once, and the last that is heard of the run: from px_api_step or px_api_free, or
	 * from px_hooks_start when nothing could be sent. */
	void (*done)(void *arg, const struct px_hooks_result *result);
	void *arg;
};

/* Starts a run. PX_EUSAGE: no URL, or a secret that the API refuses. After a failure `done` is not
 * called. */
px_rc px_hooks_start(const struct px_hooks_options *o, struct px_err *err);

#endif
