/* SPDX-License-Identifier: MIT */
/*
 * ingest.h - the single writer: takes jobs, commits, and only then announces what changed.
 *
 * Any thread submits; the ingest thread runs jobs in order, several in one transaction (at most ~10
 * ms of work), and calls each job's `done` after the commit. A job that fails is undone alone.
 * Deliveries go before everything else, so acknowledging never waits for a fill.
 *
 * What may be applied is decided here (order by request, design of epochs): one counter, the epoch,
 * steps at every send, mark and apply. An API answer is applied only if its request was sent after
 * the record's last apply; sent earlier and with other bytes it is dropped and the record is marked
 * to be read again.
 */
#ifndef PROPEXOFS_INGEST_H
#define PROPEXOFS_INGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "propexofs/codec.h"
#include "propexofs/feed.h"
#include "propexofs/status.h"
#include "propexofs/store.h"

struct px_ingest;
struct px_ingest_tx; /* an open transaction: private */

struct px_ingest_options {
	const char *store;
	const char *api_url;
	int history_days;
	struct px_feed *feed;	/* may be NULL: nobody is told */
	struct px_board *board; /* may be NULL */
	bool listens; /* deliveries are received: what comes without one is told to the board */
	/* versions the kernel still holds are not deleted; may be NULL */
	bool (*known)(void *arg, int64_t ino);
	void *known_arg;
};

/* Opens (and locks) the store; errors as px_writer_open. A damaged store is moved aside with a
 * message and begun anew. */
px_rc px_ingest_new(const struct px_ingest_options *o, struct px_ingest **ret, struct px_err *err);
/* Starts the thread: not before the process has daemonised. */
px_rc px_ingest_start(struct px_ingest *in, struct px_err *err);
/* What was submitted before is still done. Joins the thread. */
void px_ingest_stop(struct px_ingest *in);
void px_ingest_free(struct px_ingest *in); /* accepts NULL; releases the store */
/* From when on px_fs_known can be asked. Before px_ingest_start. */
void px_ingest_set_known(struct px_ingest *in, bool (*known)(void *arg, int64_t ino), void *arg);

/* A fresh epoch, greater than all before, restarts included. Any thread. */
int64_t px_ingest_epoch(struct px_ingest *in);

/* Records of a directory that some event changed without naming them have not been read since: the
 * key in the store's meta that says so, with the epoch of the event. It is written with the event,
 * and emptied when the whole list has been read by requests from after it. */
enum { PX_META_KEY_MAX = 40 };
void px_parents_key(int64_t did, char key[PX_META_KEY_MAX]);
/* A first sync or a back-sync of an integration, told by a delivery and not yet caught up with: the
 * wall clock's milliseconds. Written with the event, emptied by who has caught up. */
void px_silent_key(int64_t iid, char key[PX_META_KEY_MAX]);

/* ---- jobs
 * -------------------------------------------------------------------------------------------- */

struct px_job {
	px_rc (*run)(struct px_ingest_tx *tx, struct px_job *job, struct px_err *err);
	/* On the ingest thread, after the commit (rc 0) or after the failure. Owns the job from
	 * here. */
	void (*done)(struct px_job *job, px_rc rc, const struct px_err *err);
	/* For the submitter alone: what to do with the ended job on its own thread. */
	void (*after)(struct px_job *job);
	void *ctx;
	struct px_job *next;
	px_rc rc;
	struct px_err err;
};

/* Takes ownership of job (a struct that begins with one). With `wait` blocks while the queue is
 * full (back-pressure for a fill); else PX_EFULL and the job stays the caller's. Also PX_ECANCELED
 * after px_ingest_stop. */
px_rc px_ingest_submit(struct px_ingest *in, struct px_job *job, bool wait);
/* As submit, ahead of everything that is not urgent. */
px_rc px_ingest_submit_urgent(struct px_ingest *in, struct px_job *job);
/* Runs the job and waits for its end; done is not called, the job stays the caller's. Not from the
 * ingest thread. */
px_rc px_ingest_run(struct px_ingest *in, struct px_job *job, struct px_err *err);

/* ---- what jobs there are: each sets job.run; the caller sets the rest
 * ------------------------------------ */

struct px_page_record {
	struct px_record record; /* owned by the page */
	int64_t did;
};

/* Records of one API answer, and what the walk notes with them in the same transaction. */
struct px_page_job {
	struct px_job job;
	struct px_page_record *records; /* owned */
	size_t count;
	char *parent;	     /* id of the parent the rows were read under, or NULL; owned */
	int64_t sent_epoch;  /* taken right before the request went out */
	int64_t walk;	     /* 0: not part of a walk */
	int64_t cleared_did; /* marks of the records are also cleared in this directory; 0: none */
	struct px_dir
		*states; /* what px_writer_dir_state writes with the records; owned, strings too */
	size_t state_count;
	/* The whole list has been read by requests sent after this epoch: marks of settled_did from
	 * before whose records were not in it are asked for again later, and not for ever. 0:
	 * nothing to settle. */
	int64_t settled_epoch, settled_did;
	int64_t whole_epoch; /* of the whole list's first request, with its last page; 0: not known
			      */
	bool settled_view; /* the directory shows a part of another's records: not to be in it is no
			      news */
	const char *event; /* static: logged for each of states, e.g. "FILL_COMPLETE"; or NULL */
	char *meta_key, *meta_value; /* a setting written along, or NULL; owned */
	/* The page is stored only behind this cursor (of behind_did, or of meta_key when that is
	 * 0): else one before it is missing, and it fails with PX_EBUSY. NULL: wherever. Owned. */
	char *behind;
	int64_t behind_did;
	/* results */
	size_t fresh, replaced, same, dropped;
	size_t overtaken; /* records that were marked after the request was sent: the marks stay */
};
void px_page_job_init(struct px_page_job *p);
void px_page_job_release(struct px_page_job *p);

/* A mark that could not be answered: tried again later, or dropped. */
struct px_mark_job {
	struct px_job job;
	int64_t did;
	char *id; /* the submitter's to free */
	int64_t not_before_ms;
	bool drop;
};
void px_mark_job_init(struct px_mark_job *m);

/* A record that the API no longer has, as an answer to a request sent after sent_epoch says. Does
 * nothing when something was applied to it since. */
struct px_remove_job {
	struct px_job job;
	int64_t did;
	char *id; /* the submitter's to free */
	int64_t sent_epoch;
	bool removed; /* result */
};
void px_remove_job_init(struct px_remove_job *r);

/* The account's list of integrations as a refresh read it, whole. */
struct px_account_entry {
	struct px_integration integration; /* iid is filled in */
	char *file;			   /* integration.json, or NULL to leave it */
	size_t file_len;
	bool enabled[PX_MODEL_COUNT];
	bool lay_out; /* the models are known: make directories and set models_known */
};
struct px_account_job {
	struct px_job job;
	struct px_account_entry *entries; /* owned */
	size_t count;
};
void px_account_job_init(struct px_account_job *a);
void px_account_job_release(struct px_account_job *a);

/* State of an integration, a directory, a small file, a meta value, a line in the log: any of them.
 */
struct px_note_job {
	struct px_job job;
	int64_t reconciled_iid; /* with it: px_writer_integration_reconciled */
	int64_t filled_ms, reconciled_ms;
	struct px_dir dir; /* with put_dir */
	bool put_dir;
	int64_t file_iid;
	char *file_name, *file_body; /* with file_name */
	size_t file_len;
	char *meta_key, *meta_value; /* with meta_key */
	const char
		*event; /* static; with it a local event of integration.iid / dir.model is logged */
	char *event_detail; /* owned, or NULL */
	int64_t event_iid;
	char *event_model, *event_record; /* owned, or NULL */
};
void px_note_job_init(struct px_note_job *n);
void px_note_job_release(struct px_note_job *n);

/* ---- deliveries
 * ---------------------------------------------------------------------------------------- */

/* Puts a delivery into the inbox; applying it is a second step, which the ingest thread takes by
 * itself right after. */
struct px_delivery_job {
	struct px_job job;
	const char *body; /* the caller's, until done */
	size_t len;
	int64_t received_ms;
};
void px_delivery_job_init(
	struct px_delivery_job *d, const char *body, size_t len, int64_t received_ms);

/* Changes that the API tells (rows of data diffs), through the same rules as deliveries. */
struct px_diff_job {
	struct px_job job;
	char *body;	      /* owned: the answer the rows point into */
	struct px_span *rows; /* owned */
	size_t count;
	bool mark_only; /* what is told may be older than what is stored: only mark, never splice */
	char *meta_key, *meta_value; /* a setting written along, or NULL; owned */
	size_t marked;		     /* result */
};
void px_diff_job_init(struct px_diff_job *d);
void px_diff_job_release(struct px_diff_job *d);

/* What applied events ask of sync. Ingest thread, after the commit; must be quick. */
struct px_ingest_listener {
	void (*marked)(void *arg); /* re-reads are due */
	void (*synced)(void *arg, int64_t iid, bool first,
		bool back); /* iid 0: of an integration that is not known yet */
	void (*parents)(void *arg, int64_t iid,
		int model); /* a record of this model changed, unknown which */
	void *arg;
};
/* Before px_ingest_start. */
void px_ingest_set_listener(struct px_ingest *in, const struct px_ingest_listener *listener);

#endif
