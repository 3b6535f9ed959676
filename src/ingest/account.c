/* SPDX-License-Identifier: MIT */
/*
 * account.c - the account's list of integrations into the store.
 *
 * Invariants: nothing that holds records is ever taken away here; an integration that is not in the
 * list any more is only marked so. A model's directory appears when it is enabled and stays while
 * records are in it.
 */
#include "ingest_i.h"

#include <stdlib.h>
#include <string.h>

static px_rc lay_out(struct px_ingest_tx *tx, struct px_account_entry *e, struct px_err *err)
{
	bool any = false;
	struct px_integration stored = {0};
	px_rc rc = PX_OK;

	for (int m = 0; m < PX_MODEL_COUNT && !rc; m++) {
		struct px_dir dir = {0};
		bool fresh = false;

		rc = px_writer_dir_get(
			tx->writer, e->integration.iid, px_models[m].dir, &dir, &fresh, err);
		if (rc)
			return rc;
		/* what the API refused stays refused until an answer says otherwise; what is
		 * switched off is not refused, and not asked for */
		if (e->enabled[m] ? !dir.enabled && (fresh || !dir.error)
				  : dir.enabled || dir.error) {
			bool shown = px_dir_shown(&dir);

			dir.enabled = e->enabled[m];
			if (!dir.enabled) {
				free(dir.error);
				dir.error = NULL;
			}
			any |= shown != px_dir_shown(&dir);
			rc = px_writer_dir_state(tx->writer, &dir, err);
		}
		px_dir_release(&dir);
	}
	if (!rc)
		rc = px_reader_integration(
			px_writer_reader(tx->writer), e->integration.iid, &stored, err);
	if (rc)
		return rc;
	if (!stored.models_known || any) {
		stored.models_known = true;
		stored.mtime_ns = px_writer_now_ns(tx->writer);
		rc = px_writer_integration_state(tx->writer, &stored, err);
		if (!rc)
			rc = px_tx_change(tx, PX_CHANGE_DIRS, e->integration.iid, 0, NULL, 0, err);
	}
	px_integration_release(&stored);
	return rc;
}

static px_rc account_run(struct px_ingest_tx *tx, struct px_job *job, struct px_err *err)
{
	struct px_account_job *a = (struct px_account_job *)job;
	const char **ids = calloc(a->count ? a->count : 1, sizeof *ids);
	bool known = false, any = false;
	px_rc rc = ids ? px_reader_integrations_known(px_writer_reader(tx->writer), &known, err)
		       : px_err_nomem(err);

	for (size_t i = 0; i < a->count && !rc; i++) {
		struct px_account_entry *e = &a->entries[i];
		bool fresh = false, changed = false;

		ids[i] = e->integration.id;
		rc = px_writer_integration_put(tx->writer, &e->integration, &fresh, &changed, err);
		any |= fresh || changed;
		if (!rc && e->file)
			rc = px_writer_file_put(tx->writer, e->integration.iid, "integration.json",
				e->file, e->file_len, &changed, err);
		if (!rc && e->lay_out)
			rc = lay_out(tx, e, err);
	}
	if (!rc)
		rc = px_writer_integrations_listed(tx->writer, ids, a->count, err);
	if (!rc && (any || !known))
		rc = px_tx_change(tx, PX_CHANGE_INTEGRATIONS, 0, 0, NULL, 0, err);
	free(ids);
	return rc;
}

void px_account_job_init(struct px_account_job *a)
{
	memset(a, 0, sizeof *a);
	a->job.run = account_run;
}

void px_account_job_release(struct px_account_job *a)
{
	for (size_t i = 0; i < a->count; i++) {
		px_integration_release(&a->entries[i].integration);
		free(a->entries[i].file);
	}
	free(a->entries);
}
