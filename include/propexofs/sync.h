/* SPDX-License-Identifier: MIT */
/*
 * sync.h - makes the mirror right: asks the API what there is, walks it, and hands what it finds to
 * ingest.
 *
 * One thread owns everything here, the API client included. Others only poke it. It reads the store
 * through its own reader and writes it through ingest alone.
 */
#ifndef PROPEXOFS_SYNC_H
#define PROPEXOFS_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "propexofs/conf.h"
#include "propexofs/err.h"
#include "propexofs/ingest.h"
#include "propexofs/status.h"

struct px_api;
struct px_sync;
struct px_sync_progress;

/* conf, ingest and board outlive it. */
px_rc px_sync_new(const struct px_conf *conf, struct px_ingest *ingest, struct px_board *board,
	struct px_sync **ret, struct px_err *err);
void px_sync_free(
	struct px_sync *s); /* accepts NULL; after px_sync_stop, and after px_ingest_stop */

/* Starts the thread that keeps the mirror current until px_sync_stop. */
px_rc px_sync_start(struct px_sync *s, struct px_err *err);
/* Ends and joins the thread; requests under way are dropped. */
void px_sync_stop(struct px_sync *s);

/* What may change while it runs. */
struct px_sync_settings {
	int refresh_s, sweep_days, rate_share; /* as in struct px_conf */
	const char *key; /* copied, wiped; NULL: as it is. A new one is tried at once. */
	/* The same for what signs deliveries: a new one is registered at once. */
	const char *hook_secret;
};
/* Takes effect at the thread's next turn. Any thread. PX_ENOMEM with nothing changed. */
px_rc px_sync_set(struct px_sync *s, const struct px_sync_settings *settings, struct px_err *err);

/* What ingest tells (struct px_ingest_listener), with the struct px_sync as arg. Any thread; quick.
 */
void px_sync_marked(void *s);
void px_sync_synced(void *s, int64_t iid, bool first, bool back);
void px_sync_parents(void *s, int64_t iid, int model);

/* How a pass of px_sync_once stands, for a progress bar. */
struct px_sync_progress {
	int64_t done, expected; /* records; expected counts what is known so far */
	int64_t eta_s;		/* -1 unknown */
	size_t models_done, models;
	const char *doing; /* "residents of cly30…", valid during the call */
};

/* A pass of the thread that px_sync_start started: the list of integrations, and all that follows
 * from it. Any thread. px_sync_pass_look: PX_EBUSY while it is under way, with how it stands in *p
 * (doing: NULL); PX_OK and *complete when it has ended; else why the list could not be read. */
uint64_t px_sync_pass_begin(struct px_sync *s);
px_rc px_sync_pass_look(struct px_sync *s, uint64_t pass, struct px_sync_progress *p,
	bool *complete, struct px_err *err);
/* Its API client: only for px_api_options.beside. */
struct px_api *px_sync_api(struct px_sync *s);

/* One pass on the calling thread, instead of px_sync_start: until all that is wanted is complete or
 * cannot be had now. progress (may be NULL) is called now and then; *ret_complete as `ready` would
 * judge. Fails only when the list of integrations could not be read at all, or stop (may be NULL)
 * became true. */
px_rc px_sync_once(struct px_sync *s, void (*progress)(void *arg, const struct px_sync_progress *p),
	void *arg, const _Atomic bool *stop, bool *ret_complete, struct px_err *err);

#endif
