/* SPDX-License-Identifier: MIT */
/*
 * store_read.h - reading the cache.
 *
 * A reader is one read-only connection with prepared statements: one thread at a time, never
 * blocked by the writer (WAL). Each call sees one committed moment; px_reader_begin/_end make
 * several calls see the same one. Opening does not read the store: a million records cost no more
 * than ten. Callbacks must not call the same reader. All calls: PX_ENOENT when there is no such
 * row, PX_EIO, PX_ECORRUPT, PX_ENOMEM.
 */
#ifndef PROPEXOFS_STORE_READ_H
#define PROPEXOFS_STORE_READ_H

#include "propexofs/buf.h"
#include "propexofs/store.h"

struct px_reader;

/* PX_ENOENT: no such store. PX_EVERSION: another format than ours. */
px_rc px_reader_open(const char *path, struct px_reader **ret, struct px_err *err);
void px_reader_close(struct px_reader *r); /* accepts NULL */

px_rc px_reader_begin(struct px_reader *r, struct px_err *err);
void px_reader_end(struct px_reader *r);

/* ---- names and versions ------------------------------------------------------------------------
 */

px_rc px_reader_lookup(struct px_reader *r, int64_t did, const char *name, size_t name_len,
	struct px_entry *ret, struct px_err *err);

/* Entries of a model directory with rid > after, ascending by rid, until cb returns false. e is
 * valid during the call only. Reads no bodies. */
px_rc px_reader_list(struct px_reader *r, int64_t did, int64_t after,
	bool (*cb)(void *arg, const struct px_entry *e), void *arg, struct px_err *err);

/* The orders that a directory has. */
enum px_order { PX_BY_RID, PX_BY_INO, PX_BY_NAME };

/* As px_reader_list, but behind this entry in this order. By inode number: those among the next
 * few thousand versions only. */
px_rc px_reader_list_from(struct px_reader *r, int64_t did, enum px_order order,
	const struct px_entry *after, bool (*cb)(void *arg, const struct px_entry *e), void *arg,
	struct px_err *err);

/* Whether fewer than `most` names lie between two. */
px_rc px_reader_names_near(struct px_reader *r, int64_t did, const char *a, const char *b, int most,
	bool *ret, struct px_err *err);

/* A version by inode number: also superseded ones, as long as they are kept. name is "" and rid is
 * the record's. */
px_rc px_reader_version(struct px_reader *r, int64_t ino, struct px_entry *ret, struct px_err *err);

/* Where a version belongs: its directory and the name that points or pointed to it. The entry has
 * the version's inode number. */
px_rc px_reader_place(struct px_reader *r, int64_t ino, int64_t *ret_did, struct px_entry *ret,
	struct px_err *err);

/* Copies up to len bytes of a version's body from offset; *ret_len is short only at the end. */
px_rc px_reader_read(struct px_reader *r, int64_t ino, int64_t offset, char *buf, size_t len,
	size_t *ret_len, struct px_err *err);

/* The whole body. */
px_rc px_reader_body(struct px_reader *r, int64_t ino, struct px_buf *out, struct px_err *err);

/* ---- integrations and directories ---------------------------------------------------------------
 */

/* Whether the list of integrations has been read once. */
px_rc px_reader_integrations_known(struct px_reader *r, bool *ret, struct px_err *err);

/* All integrations ever seen and not forgotten, ascending by iid. Array and elements are the
 * caller's. */
px_rc px_reader_integrations(
	struct px_reader *r, struct px_integration **ret, size_t *ret_count, struct px_err *err);
void px_integrations_free(struct px_integration *list, size_t count);
px_rc px_reader_integration(
	struct px_reader *r, int64_t iid, struct px_integration *ret, struct px_err *err);
px_rc px_reader_integration_by_id(
	struct px_reader *r, const char *id, struct px_integration *ret, struct px_err *err);

/* Directories of an integration (all of them when iid is 0), shown or not, ascending by (iid,
 * model). */
px_rc px_reader_dirs(struct px_reader *r, int64_t iid, struct px_dir **ret, size_t *ret_count,
	struct px_err *err);
void px_dirs_free(struct px_dir *list, size_t count);
px_rc px_reader_dir(struct px_reader *r, int64_t did, struct px_dir *ret, struct px_err *err);
px_rc px_reader_dir_by_name(struct px_reader *r, int64_t iid, const char *model, struct px_dir *ret,
	struct px_err *err);

/* Small files of an integration: without bodies (body NULL) and with. */
px_rc px_reader_files(struct px_reader *r, int64_t iid, struct px_file **ret, size_t *ret_count,
	struct px_err *err);
void px_files_free(struct px_file *list, size_t count);
px_rc px_reader_file(struct px_reader *r, int64_t iid, const char *name, struct px_file *ret,
	struct px_err *err);

/* ---- mirror's own state
 * -------------------------------------------------------------------------- */

/* What sync knows of a record: for deciding, not for showing. */
enum { PX_BEFORE_MAX = 16 };
struct px_record_state {
	int64_t rid;
	int64_t ino;	       /* 0: removed */
	int64_t fetched_epoch; /* epoch of the last apply of an API answer */
	int64_t patched_epoch; /* epoch of the last applied diff, 0 none */
	int64_t patched_ms;
	int64_t walk; /* last walk that saw it */
	unsigned char digest[16];
	char updated_at[64]; /* "" when unknown; longer ones are cut */
	char last_seen[64];
	enum px_source source;
	/* core digests, 16 bytes each, of what it was since the API's last answer: an answer that
	 * is one of them may lag behind the API's own deliveries */
	unsigned char before[PX_BEFORE_MAX * 16];
	size_t before_len;
};
px_rc px_reader_record_state(struct px_reader *r, int64_t did, const char *name,
	struct px_record_state *ret, struct px_err *err);

/* Appends the id of the parent below which a record was listed, where its row does not name it;
 * PX_ENOENT: not known. */
px_rc px_reader_parent(
	struct px_reader *r, int64_t did, const char *name, struct px_buf *out, struct px_err *err);
/* Appends what an event told of a parent (px_writer_link_put); PX_ENOENT: nothing. */
px_rc px_reader_link(struct px_reader *r, const char *snake, const char *id, int parent_slot,
	struct px_buf *out, struct px_err *err);

/* Names whose last walk is older than `walk`: candidates for removal after a complete walk. */
px_rc px_reader_unseen(struct px_reader *r, int64_t did, int64_t walk, int64_t after_rid,
	bool (*cb)(void *arg, int64_t rid, const char *id, size_t id_len), void *arg,
	struct px_err *err);

/* How many names that walk, or a later one, has seen. Reads every row of the directory. */
px_rc px_reader_walk_seen(
	struct px_reader *r, int64_t did, int64_t walk, int64_t *ret, struct px_err *err);

/* Ids of all records of a directory, by rid: the parents of a sub-collection. */
px_rc px_reader_ids(struct px_reader *r, int64_t did, int64_t after_rid,
	bool (*cb)(void *arg, int64_t rid, const char *id, size_t id_len), void *arg,
	struct px_err *err);

/* The mark of one record; PX_ENOENT: none. */
px_rc px_reader_pending_get(struct px_reader *r, int64_t did, const char *id, size_t id_len,
	int64_t *ret_epoch, int *ret_attempts, struct px_err *err);

/* Re-reads that are due at now_ms, oldest cause first, at most `limit`. did 0: of all directories.
 */
struct px_pending {
	int64_t did;
	char *id;
	size_t id_len;
	int64_t epoch;	  /* of its newest cause */
	int64_t since_ms; /* of its oldest cause */
	int64_t not_before_ms;
	int attempts;
};
px_rc px_reader_pending(struct px_reader *r, int64_t did, int64_t now_ms, size_t limit,
	struct px_pending **ret, size_t *ret_count, struct px_err *err);
void px_pending_free(struct px_pending *list, size_t count);

/* meta table; PX_ENOENT when the key is not set. */
px_rc px_reader_meta(struct px_reader *r, const char *key, struct px_buf *out, struct px_err *err);

px_rc px_reader_totals(struct px_reader *r, struct px_store_totals *ret, struct px_err *err);

/* ---- event log
 * ------------------------------------------------------------------------------------ */

/* The log is one file per UTC day, for all integrations (iid 0) and for each. `day` is days since
 * 1970-01-01. */
struct px_day {
	int64_t day;
	int64_t size; /* bytes committed */
	int64_t first_seq, last_seq;
	int64_t mtime_ns;
};
px_rc px_reader_days(struct px_reader *r, int64_t iid, struct px_day **ret, size_t *ret_count,
	struct px_err *err); /* ascending; free with free() */
px_rc px_reader_day(
	struct px_reader *r, int64_t iid, int64_t day, struct px_day *ret, struct px_err *err);
px_rc px_reader_day_read(struct px_reader *r, int64_t iid, int64_t day, int64_t offset, char *buf,
	size_t len, size_t *ret_len, struct px_err *err);

/* Log lines with seq > after, ascending, without their newline. */
px_rc px_reader_events(struct px_reader *r, int64_t after,
	bool (*cb)(void *arg, int64_t seq, const char *line, size_t len), void *arg,
	struct px_err *err);

/* Deliveries stored and not yet applied, in order of arrival, those behind `after`, at most limit.
 */
struct px_delivery {
	int64_t arrival; /* its key, ascending, never reused */
	int64_t received_ms;
	int attempts;
	char *body;
	size_t len;
};
px_rc px_reader_inbox(struct px_reader *r, int64_t after, size_t limit, struct px_delivery **ret,
	size_t *ret_count, struct px_err *err);
void px_deliveries_free(struct px_delivery *list, size_t count);

#endif
