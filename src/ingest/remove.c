/* SPDX-License-Identifier: MIT */
/* remove.c - a record's name goes; its row, its epochs and its versions stay, so that an answer
 * from before does not bring it back. */
#include "ingest_i.h"

#include <string.h>

static px_rc remove_run(struct px_ingest_tx *tx, struct px_job *job, struct px_err *err)
{
	struct px_remove_job *r = (struct px_remove_job *)job;
	struct px_reader *reader = px_writer_reader(tx->writer);
	struct px_record_state state;
	struct px_dir dir = {0};
	char name[PX_NAME_MAX + 1];
	size_t id_len = strlen(r->id);
	px_rc rc;

	r->removed = false;
	px_record_name(r->id, id_len, name);
	rc = px_reader_record_state(reader, r->did, name, &state, err);
	if (rc)
		return rc == PX_ENOENT ? PX_OK : rc;
	if (!state.ino || state.fetched_epoch >= r->sent_epoch ||
		state.patched_epoch >= r->sent_epoch)
		return PX_OK;
	rc = px_reader_dir(reader, r->did, &dir, err);
	if (!rc)
		rc = px_writer_remove(tx->writer, r->did, name, px_ingest_epoch(tx->in), err);
	if (!rc)
		rc = px_writer_pending_clear(
			tx->writer, r->did, r->id, id_len, r->sent_epoch, NULL, err);
	if (!rc)
		rc = px_tx_change(tx, PX_CHANGE_GONE, 0, r->did, name, state.ino, err);
	if (!rc)
		rc = px_log_local(tx, dir.iid, dir.model, r->id, "RECORD_REMOVED", NULL, err);
	px_dir_release(&dir);
	r->removed = !rc;
	return rc;
}

void px_remove_job_init(struct px_remove_job *r)
{
	memset(r, 0, sizeof *r);
	r->job.run = remove_run;
}
