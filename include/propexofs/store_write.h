/* SPDX-License-Identifier: MIT */
/*
 * store_write.h - writing the cache. Mechanism only: what may be applied is decided by ingest.
 *
 * One writer per store and process; it holds the store's lock. One thread at a time uses it
 * (ingest). Every call below _begin works inside the open transaction. A call that fails leaves the
 * transaction usable only after px_writer_rollback_to; _commit makes everything since _begin
 * durable (synchronous=FULL). Times are Unix ms or ns as named; ctime and valid_from strictly
 * increase with commits, whatever the wall clock does.
 */
#ifndef PROPEXOFS_STORE_WRITE_H
#define PROPEXOFS_STORE_WRITE_H

#include "propexofs/store_read.h"

struct px_writer;

/*
 * Opens or creates the store at path for this process: mode 0600, locked, migrated, bound to
 * api_url. PX_EBUSY: another process holds it (its pid is in err), and still does two seconds
 * later. PX_EMISMATCH: bound to another API URL. PX_EVERSION: newer format. PX_ECORRUPT: damaged
 * (the caller may move it aside with px_store_set_aside and try again). The directory of path is
 * created (0700) when its parent exists.
 */
/* api_url NULL: of whatever API. */
px_rc px_writer_open(
	const char *path, const char *api_url, struct px_writer **ret, struct px_err *err);
void px_writer_close(struct px_writer *w); /* accepts NULL; releases the lock */

/* Renames a damaged store and its companions to "<path>.damaged-<time>"; *ret_path is the new name
 * (to be freed). */
px_rc px_store_set_aside(const char *path, char **ret_path, struct px_err *err);

px_rc px_writer_begin(struct px_writer *w, struct px_err *err);
px_rc px_writer_commit(struct px_writer *w, struct px_err *err);
void px_writer_rollback(struct px_writer *w);
/* A named point inside the transaction, one deep: what fails after it can be undone alone. */
px_rc px_writer_mark(struct px_writer *w, struct px_err *err);
void px_writer_rollback_to(struct px_writer *w);
px_rc px_writer_release_mark(struct px_writer *w, struct px_err *err);

/* Time of this transaction: Unix ns, strictly greater than that of every earlier commit. */
int64_t px_writer_now_ns(struct px_writer *w);

/* The writer's own view, uncommitted changes included: a reader that shares its connection. Valid
 * as long as w. */
struct px_reader *px_writer_reader(struct px_writer *w);

/* Steps the persisted epoch and returns it (> 0); it is durable with this transaction at the
 * latest, and a number handed out and lost in a crash is never handed out again for something that
 * was committed. */
px_rc px_writer_next_epoch(struct px_writer *w, int64_t *ret, struct px_err *err);

/* ---- integrations, directories, files
 * -------------------------------------------------------------- */

/* Inserts or updates by id; fills i->iid. *ret_changed: whether anything that shows has changed.
 * Does not touch models_known, *_ms, error, mtime_ns (see below). */
px_rc px_writer_integration_put(struct px_writer *w, struct px_integration *i, bool *ret_new,
	bool *ret_changed, struct px_err *err);
/* Integrations whose id is not among ids become present = false. */
px_rc px_writer_integrations_listed(
	struct px_writer *w, const char *const *ids, size_t count, struct px_err *err);
px_rc px_writer_integration_state(
	struct px_writer *w, const struct px_integration *i, struct px_err *err);
/* writes models_known, last_event_ms, error, mtime_ns (never backwards) of i->iid */
/* All of it is stored as the API had it at reconciled_ms, which never goes back; filled_ms counts
 * the first time only. */
px_rc px_writer_integration_reconciled(struct px_writer *w, int64_t iid, int64_t filled_ms,
	int64_t reconciled_ms, struct px_err *err);

/* Makes the row when (iid, model) is new; fills did. */
px_rc px_writer_dir_get(struct px_writer *w, int64_t iid, const char *model, struct px_dir *ret,
	bool *ret_new, struct px_err *err);
/* Writes enabled, complete (never back to false), expected, watermark, cursor, walk, *_ms, error.
 * Not records, pending, mtime_ns: those are maintained by the calls below. */
px_rc px_writer_dir_state(struct px_writer *w, const struct px_dir *d, struct px_err *err);

/* *ret_changed is false when the same bytes were there: then mtime stays. */
px_rc px_writer_file_put(struct px_writer *w, int64_t iid, const char *name, const char *body,
	size_t len, bool *ret_changed, struct px_err *err);

/* ---- records
 * ---------------------------------------------------------------------------------------- */

struct px_put {
	int64_t did;
	const char *id;
	size_t id_len;
	const char *name; /* px_record_name of id */
	const char *body;
	size_t body_len;
	const unsigned char *digest; /* 16 bytes: equal to the stored one means no new version */
	const unsigned char *core_digest; /* 16 bytes: equal to the stored one marks the superseded
					     version trivial */
	const char *updated_at;		  /* may be NULL */
	const char *last_seen;		  /* may be NULL */
	const char *property_id;	  /* may be NULL */
	const char *
		parent; /* parent's id for sub-collections whose rows do not name it; may be NULL */
	int64_t mtime_ns; /* wished for; INT64_MIN: none. Stored: at least 1 s after the previous
			     version's */
	enum px_source source;
	int64_t epoch; /* becomes fetched_epoch (source API) or patched_epoch (WEBHOOK) */
	int64_t walk;  /* walk that saw it, 0: none (keeps the old one) */
};

enum px_put_result { PX_PUT_SAME, PX_PUT_NEW, PX_PUT_REPLACED };

/* Stores a record: a new version unless the digest is the stored one (then only last_seen, epoch,
 * walk, source move). A removed record comes back under a new rid (its old cookie stays unused).
 * ret_old_ino: the version it replaced, 0 for none; may be NULL. Maintains records and mtime of the
 * directory. */
px_rc px_writer_put(struct px_writer *w, const struct px_put *p, enum px_put_result *ret,
	int64_t *ret_ino, int64_t *ret_old_ino, struct px_err *err);

/* The walk has seen the record, though nothing of it was applied. */
px_rc px_writer_walk_saw(
	struct px_writer *w, int64_t did, const char *name, int64_t walk, struct px_err *err);

/* Takes the name away; row and epochs stay. PX_ENOENT when it is not there. */
px_rc px_writer_remove(
	struct px_writer *w, int64_t did, const char *name, int64_t epoch, struct px_err *err);

/* ---- re-reads that are due
 * ---------------------------------------------------------------------------- */

/* Adds or renews a mark: epoch becomes the newer, since_ms stays the older, not_before_ms the given
 * one, attempts begin again. */
px_rc px_writer_pending_add(struct px_writer *w, int64_t did, const char *id, size_t id_len,
	int64_t epoch, int64_t now_ms, int64_t not_before_ms, struct px_err *err);
/* Clears the mark unless it is of a later epoch than sent_epoch. *ret_cleared may be NULL. */
px_rc px_writer_pending_clear(struct px_writer *w, int64_t did, const char *id, size_t id_len,
	int64_t sent_epoch, bool *ret_cleared, struct px_err *err);
/* One more attempt made; next at not_before_ms. */
px_rc px_writer_pending_retry(struct px_writer *w, int64_t did, const char *id, size_t id_len,
	int64_t not_before_ms, struct px_err *err);

/* ---- inbox and event log
 * -------------------------------------------------------------------------------- */

px_rc px_writer_inbox_add(struct px_writer *w, const char *body, size_t len, int64_t received_ms,
	int64_t *ret_arrival, struct px_err *err);
px_rc px_writer_inbox_attempt(
	struct px_writer *w, int64_t arrival, int *ret_attempts, struct px_err *err);
px_rc px_writer_inbox_done(struct px_writer *w, int64_t arrival, struct px_err *err);

/*
 * Appends a line to the log of all, and to the integration's when iid is not 0. The store fills in
 * seq and time (never going back, also when the clock does: the day never goes back either). The
 * line becomes
 * {"seq":N,"time":"…",<rest>}\n where `rest` is the caller's text of the remaining members.
 */
struct px_event_place {
	int64_t seq;
	int64_t day;			/* days since 1970-01-01 */
	int64_t offset_all, offset_iid; /* where the line begins in the day's files */
};
px_rc px_writer_event(struct px_writer *w, int64_t iid, const char *rest, size_t len,
	struct px_event_place *ret, struct px_err *err); /* ret may be NULL */

/* What a join row's DATA_NEW told of its parents (API reference §10.5), so that a later update of
 * the row finds them. */
px_rc px_writer_link_put(struct px_writer *w, const char *snake, const char *id, int parent_slot,
	const char *parent_id, struct px_err *err);
/* PX_ENOENT */

/* ---- keeping house
 * -------------------------------------------------------------------------------------- */

px_rc px_writer_meta_put(
	struct px_writer *w, const char *key, const char *value, struct px_err *err);

/*
 * Deletes at most `limit` superseded versions: trivial ones older than before_trivial_ns, others
 * older than before_ns (times at which they were superseded), never one for which known(arg, ino)
 * is true. Then whole days of events older than before_ns. *ret_more: whether anything is left to
 * do. Inside a transaction, in small steps.
 */
px_rc px_writer_retain(struct px_writer *w, int64_t before_ns, int64_t before_trivial_ns,
	size_t limit, bool (*known)(void *arg, int64_t ino), void *arg, bool *ret_more,
	struct px_err *err);

/* Deletes everything of a directory, or of an integration (did 0), in steps of at most limit rows;
 * the rows themselves last. */
px_rc px_writer_forget(struct px_writer *w, int64_t iid, int64_t did, size_t limit, bool *ret_more,
	struct px_err *err);

/* Moves what the write-ahead log holds into the database; on its own connection, so it may run on
 * another thread than the writer and never blocks it or a reader for long. PX_EBUSY: not all could
 * be moved now. */
struct px_checkpoint;
px_rc px_checkpoint_open(const char *path, struct px_checkpoint **ret, struct px_err *err);
px_rc px_checkpoint_run(struct px_checkpoint *c, int64_t *ret_wal_bytes, struct px_err *err);
void px_checkpoint_close(struct px_checkpoint *c);

#endif
