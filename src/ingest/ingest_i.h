/* SPDX-License-Identifier: MIT */
/* ingest_i.h - private to src/ingest: the open transaction, and what the kinds of jobs share. */
#ifndef PROPEXOFS_INGEST_I_H
#define PROPEXOFS_INGEST_I_H

#include "propexofs/ingest.h"
#include "propexofs/store_write.h"

struct px_ingest_tx {
	struct px_ingest *in;
	struct px_writer *writer;
	struct px_changes *changes;
	int64_t now_ms;
};

/* One line of the log (contract §6); any text may be NULL. payload is compact JSON or NULL. Ingest
 * thread. */
struct px_log_line {
	const char *source; /* "webhook", "data-diff", "local" */
	const char *event;
	int64_t iid; /* 0: of no integration that we know */
	const char *integration_id;
	const char *model;
	const char *record_id;
	enum px_outcome outcome;
	const char *detail;
	const char *payload;
	size_t payload_len;
};
px_rc px_log_append(struct px_ingest_tx *tx, const struct px_log_line *line, struct px_err *err);

/* A local event of a directory or an integration. */
px_rc px_log_local(struct px_ingest_tx *tx, int64_t iid, const char *model, const char *record_id,
	const char *event, const char *detail, struct px_err *err);

px_rc px_tx_change(struct px_ingest_tx *tx, enum px_change_kind kind, int64_t iid, int64_t did,
	const char *name, int64_t old_ino, struct px_err *err);

/* Writes a directory's state and announces what of it shows. */
px_rc px_tx_dir_state(struct px_ingest_tx *tx, const struct px_dir *state, struct px_err *err);

/* ---- apply.c */

px_rc px_apply_delivery(struct px_ingest_tx *tx, const struct px_delivery *d, struct px_err *err);
px_rc px_apply_failed(
	struct px_ingest_tx *tx, const struct px_delivery *d, const char *why, struct px_err *err);

/* ---- owed.c: what is to be read as a whole because of an event */

px_rc px_parents_owed(struct px_ingest_tx *tx, int64_t iid, int model, struct px_err *err);
/* By a whole list that was read from this epoch on. */
px_rc px_parents_answered(
	struct px_ingest_tx *tx, int64_t did, int64_t whole_epoch, struct px_err *err);
px_rc px_silent_owed(struct px_ingest_tx *tx, int64_t iid, struct px_err *err);

/* ---- unannounced.c; ingest thread */

struct px_unannounced;
/* since_ms: from when on (px_clock_wall_ms) deliveries could be received. NULL: out of memory. */
struct px_unannounced *px_unannounced_new(struct px_board *board, int64_t since_ms);
void px_unannounced_free(struct px_unannounced *u);
/* The API's log names a change of at_ms that is not in place here. u may be NULL. */
void px_unannounced_note(
	struct px_unannounced *u, int64_t iid, const char *model, const char *id, int64_t at_ms);
/* A delivery came. u may be NULL. */
void px_unannounced_heard(
	struct px_unannounced *u, int64_t iid, const char *model, const char *id, int64_t now_ms);
struct px_unannounced *px_ingest_unannounced(struct px_ingest *in); /* NULL: nobody listens */

/* ---- what a transaction asks of the outside: told to the listener after its commit. Ingest
 * thread. */

void px_ingest_ask_marked(struct px_ingest *in);
void px_ingest_ask_synced(struct px_ingest *in, int64_t iid, bool first, bool back);
void px_ingest_ask_parents(struct px_ingest *in, int64_t iid, int model);
void px_ingest_inbox_filled(struct px_ingest *in);

#endif
