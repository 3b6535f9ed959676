/* SPDX-License-Identifier: MIT */
/*
 * owed.c - what has to be read whole because of an event, remembered until it has been.
 *
 * Invariant: the note is written in the event's transaction, so that a process that ends between
 * the event and the reading leaves it to the next one.
 */
#include "ingest_i.h"

#include <stdio.h>
#include <stdlib.h>

#include "propexofs/clock.h"

void px_parents_key(int64_t did, char key[PX_META_KEY_MAX])
{
	(void)snprintf(key, PX_META_KEY_MAX, "parents.%lld", (long long)did);
}

void px_silent_key(int64_t iid, char key[PX_META_KEY_MAX])
{
	(void)snprintf(key, PX_META_KEY_MAX, "silent.%lld", (long long)iid);
}

static px_rc put_number(struct px_ingest_tx *tx, const char *key, int64_t value, struct px_err *err)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%lld", (long long)value);
	return px_writer_meta_put(tx->writer, key, text, err);
}

px_rc px_parents_owed(struct px_ingest_tx *tx, int64_t iid, int model, struct px_err *err)
{
	struct px_dir dir = {0};
	char key[PX_META_KEY_MAX];
	px_rc rc = px_reader_dir_by_name(
		px_writer_reader(tx->writer), iid, px_models[model].dir, &dir, err);

	if (!rc && px_dir_shown(&dir)) {
		px_parents_key(dir.did, key);
		rc = put_number(tx, key, px_ingest_epoch(tx->in), err);
		px_ingest_ask_parents(tx->in, iid, model);
	}
	px_dir_release(&dir);
	return rc == PX_ENOENT ? PX_OK : rc;
}

px_rc px_parents_answered(
	struct px_ingest_tx *tx, int64_t did, int64_t whole_epoch, struct px_err *err)
{
	PX_BUF_AUTO struct px_buf text = PX_BUF_INIT(64);
	char key[PX_META_KEY_MAX];
	px_rc rc;

	px_parents_key(did, key);
	rc = px_reader_meta(px_writer_reader(tx->writer), key, &text, err);
	if (rc || !text.len)
		return rc == PX_ENOENT ? PX_OK : rc;
	return strtoll(text.data, NULL, 10) < whole_epoch
		       ? px_writer_meta_put(tx->writer, key, "", err)
		       : PX_OK;
}

px_rc px_silent_owed(struct px_ingest_tx *tx, int64_t iid, struct px_err *err)
{
	char key[PX_META_KEY_MAX];

	px_silent_key(iid, key);
	return put_number(tx, key, px_clock_wall_ms(), err);
}
