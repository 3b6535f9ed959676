/* SPDX-License-Identifier: MIT */
/* account.c - writing integrations, directories and small files. Nothing that holds records is
 * deleted here. */
#include "store_i.h"

#include <stdlib.h>
#include <string.h>

static bool differs(const char *a, const char *b)
{
	return (a == NULL) != (b == NULL) || (a && strcmp(a, b) != 0);
}

static px_rc integration_set(
	struct px_writer *w, const struct px_integration *i, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_INTEGRATION_SET, err);

	if (!st)
		return PX_EIO;
	px_bind_text(st, 1, i->name);
	px_bind_text(st, 2, i->vendor);
	px_bind_text(st, 3, i->system);
	px_bind_text(st, 4, i->created_at);
	px_bind_text(st, 5, i->last_completed_sync);
	px_bind_text(st, 6, i->last_completed_back_sync);
	px_bind_int(st, 7, i->active);
	px_bind_int(st, 8, i->archived);
	px_bind_int(st, 9, i->syncing);
	px_bind_int(st, 10, i->can_authenticate);
	px_bind_int(st, 11, i->iid);
	return px_stmt_run(&w->db, st, err);
}

px_rc px_writer_integration_put(struct px_writer *w, struct px_integration *i, bool *ret_new,
	bool *ret_changed, struct px_err *err)
{
	struct px_integration old = {0};
	sqlite3_stmt *st;
	px_rc rc = px_reader_integration_by_id(&w->reader, i->id, &old, err);

	*ret_new = rc == PX_ENOENT;
	if (rc && rc != PX_ENOENT)
		return rc;
	*ret_changed = *ret_new || differs(old.name, i->name) || differs(old.vendor, i->vendor) ||
		       !old.present || differs(old.created_at, i->created_at) ||
		       old.active != i->active || old.archived != i->archived ||
		       differs(old.last_completed_sync, i->last_completed_sync);
	i->iid = old.iid;
	px_integration_release(&old);
	if (*ret_new) {
		st = px_stmt(&w->db, STMT_INTEGRATION_ADD, err);
		if (!st)
			return PX_EIO;
		px_bind_text(st, 1, i->id);
		px_bind_int(st, 2, w->now_ns);
		rc = px_stmt_run(&w->db, st, err);
		if (rc)
			return rc;
		i->iid = sqlite3_last_insert_rowid(w->db.handle);
	}
	return integration_set(w, i, err);
}

px_rc px_writer_integrations_listed(
	struct px_writer *w, const char *const *ids, size_t count, struct px_err *err)
{
	struct px_integration *list = NULL;
	size_t have = 0;
	px_rc rc = px_reader_integrations(&w->reader, &list, &have, err);

	for (size_t i = 0; i < have && !rc; i++) {
		sqlite3_stmt *st;
		size_t k;

		for (k = 0; k < count && strcmp(ids[k], list[i].id) != 0; k++)
			;
		if (k < count || !list[i].present)
			continue;
		st = px_stmt(&w->db, STMT_INTEGRATION_ABSENT, err);
		if (st)
			px_bind_int(st, 1, list[i].iid);
		rc = st ? px_stmt_run(&w->db, st, err) : PX_EIO;
	}
	px_integrations_free(list, have);
	return rc ? rc : px_writer_meta_put(w, "integrations_known", "1", err);
}

px_rc px_writer_integration_state(
	struct px_writer *w, const struct px_integration *i, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_INTEGRATION_STATE, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, i->models_known);
	px_bind_int(st, 2, i->mtime_ns);
	px_bind_int(st, 3, i->last_event_ms);
	px_bind_text(st, 4, i->error);
	px_bind_int(st, 5, i->iid);
	return px_stmt_run(&w->db, st, err);
}

px_rc px_writer_integration_reconciled(struct px_writer *w, int64_t iid, int64_t filled_ms,
	int64_t reconciled_ms, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_INTEGRATION_RECONCILED, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, filled_ms);
	px_bind_int(st, 2, reconciled_ms);
	px_bind_int(st, 3, iid);
	return px_stmt_run(&w->db, st, err);
}

px_rc px_writer_dir_get(struct px_writer *w, int64_t iid, const char *model, struct px_dir *ret,
	bool *ret_new, struct px_err *err)
{
	px_rc rc = px_reader_dir_by_name(&w->reader, iid, model, ret, err);
	sqlite3_stmt *st;

	*ret_new = rc == PX_ENOENT;
	if (rc != PX_ENOENT)
		return rc;
	st = px_stmt(&w->db, STMT_DIR_ADD, err);
	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, iid);
	px_bind_text(st, 2, model);
	px_bind_int(st, 3, w->now_ns);
	rc = px_stmt_run(&w->db, st, err);
	return rc ? rc : px_reader_dir_by_name(&w->reader, iid, model, ret, err);
}

px_rc px_writer_dir_state(struct px_writer *w, const struct px_dir *d, struct px_err *err)
{
	sqlite3_stmt *st = px_stmt(&w->db, STMT_DIR_STATE, err);

	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, d->enabled);
	px_bind_int(st, 2, d->complete);
	px_bind_int(st, 3, d->expected);
	px_bind_text(st, 4, d->watermark);
	px_bind_text(st, 5, d->cursor);
	px_bind_int(st, 6, d->walk);
	px_bind_int(st, 7, d->filled_ms);
	px_bind_int(st, 8, d->reconciled_ms);
	px_bind_text(st, 9, d->error);
	px_bind_int(st, 10, d->did);
	return px_stmt_run(&w->db, st, err);
}

px_rc px_writer_file_put(struct px_writer *w, int64_t iid, const char *name, const char *body,
	size_t len, bool *ret_changed, struct px_err *err)
{
	struct px_file old = {0};
	sqlite3_stmt *st;
	px_rc rc = px_reader_file(&w->reader, iid, name, &old, err);

	if (rc && rc != PX_ENOENT)
		return rc;
	*ret_changed = rc == PX_ENOENT || old.size != len || memcmp(old.body, body, len) != 0;
	px_file_release(&old);
	if (!*ret_changed)
		return PX_OK;
	st = px_stmt(&w->db, STMT_FILE_PUT, err);
	if (!st)
		return PX_EIO;
	px_bind_int(st, 1, iid);
	px_bind_text(st, 2, name);
	px_bind_blob(st, 3, body, len);
	px_bind_int(st, 4, (int64_t)len);
	px_bind_int(st, 5, w->now_ns);
	return px_stmt_run(&w->db, st, err);
}
