/* SPDX-License-Identifier: MIT */
/* note.c - small facts into the store: states, files, settings, a line in the log. */
#include "ingest_i.h"

#include <stdlib.h>
#include <string.h>

/* All but what belongs to walks, which is written with their pages: a page that is still in the
 * queue, or failed, must not be taken for stored. */
static px_rc put_dir(struct px_ingest_tx *tx, const struct px_dir *dir, struct px_err *err)
{
	struct px_dir stored = {0}, state = *dir;
	px_rc rc = px_reader_dir(px_writer_reader(tx->writer), dir->did, &stored, err);

	if (rc)
		return rc;
	state.complete = stored.complete;
	state.expected = stored.expected;
	state.cursor = stored.cursor;
	state.walk = stored.walk;
	state.filled_ms = stored.filled_ms;
	state.reconciled_ms = stored.reconciled_ms;
	rc = px_tx_dir_state(tx, &state, err);
	px_dir_release(&stored);
	return rc;
}

static px_rc note_run(struct px_ingest_tx *tx, struct px_job *job, struct px_err *err)
{
	struct px_note_job *n = (struct px_note_job *)job;
	bool changed;
	px_rc rc = PX_OK;

	if (n->reconciled_iid)
		rc = px_writer_integration_reconciled(
			tx->writer, n->reconciled_iid, n->filled_ms, n->reconciled_ms, err);
	if (!rc && n->put_dir)
		rc = put_dir(tx, &n->dir, err);
	if (!rc && n->file_name)
		rc = px_writer_file_put(tx->writer, n->file_iid, n->file_name, n->file_body,
			n->file_len, &changed, err);
	if (!rc && n->meta_key)
		rc = px_writer_meta_put(tx->writer, n->meta_key, n->meta_value, err);
	if (!rc && n->event)
		rc = px_log_local(tx, n->event_iid, n->event_model, n->event_record, n->event,
			n->event_detail, err);
	return rc;
}

void px_note_job_init(struct px_note_job *n)
{
	memset(n, 0, sizeof *n);
	n->job.run = note_run;
}

void px_note_job_release(struct px_note_job *n)
{
	if (n->put_dir)
		px_dir_release(&n->dir);
	free(n->file_name);
	free(n->file_body);
	free(n->meta_key);
	free(n->meta_value);
	free(n->event_detail);
	free(n->event_model);
	free(n->event_record);
}

static px_rc mark_run(struct px_ingest_tx *tx, struct px_job *job, struct px_err *err)
{
	struct px_mark_job *m = (struct px_mark_job *)job;

	if (m->drop)
		return px_writer_pending_clear(
			tx->writer, m->did, m->id, strlen(m->id), INT64_MAX, NULL, err);
	return px_writer_pending_retry(
		tx->writer, m->did, m->id, strlen(m->id), m->not_before_ms, err);
}

void px_mark_job_init(struct px_mark_job *m)
{
	memset(m, 0, sizeof *m);
	m->job.run = mark_run;
}
